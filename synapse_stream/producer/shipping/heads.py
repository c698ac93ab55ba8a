"""The chain heads that a server may rightly name as a producer's: those of batches that it sent.

A number alone proves nothing: somebody else may write under the producer's name. Its hash does. A
server that lost its tail names an older head of ours, so they are remembered, 16 bytes each.
"""

from __future__ import annotations

from array import array

from synapse_stream.entries.batch import GENESIS

_MOST = 16_384
_MARK_BYTES = 8


class Heads:
    """Number and hash of every batch that was sent, whether or not the server answered."""

    def __init__(self) -> None:
        self._numbers = array("q")
        self._marks = array("Q")
        self.forgotten = -1
        """Up to this number any head is believed: those of ours are no longer remembered."""

    def add(self, number: int, link: bytes) -> None:
        """Remember a batch's last number and chain hash; the oldest half goes when it is many."""
        mark = _mark(link)
        if self._marks and self._marks[-1] == mark:
            return  # sent again
        if len(self._marks) >= _MOST:
            self.forgotten = max(self.forgotten, *self._numbers[: _MOST // 2])
            del self._numbers[: _MOST // 2], self._marks[: _MOST // 2]
        self._numbers.append(number)
        self._marks.append(mark)

    def has(self, number: int, link: bytes) -> bool:
        """Tell whether a head is one of ours; that a server has nothing is always believed."""
        if number < 0:
            return link == GENESIS
        if number <= self.forgotten:
            return True
        mark, start = _mark(link), 0
        while True:
            try:
                start = self._marks.index(mark, start)
            except ValueError:
                return False
            if self._numbers[start] == number:
                return True
            start += 1


def _mark(link: bytes) -> int:
    return int.from_bytes(link[:_MARK_BYTES], "big")
