"""The chain hashes that are known of a producer, by the number at which each stands."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING

from synapse_stream.entries.batch import GENESIS, chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.batch import Batch

_BYTES = len(GENESIS)
_NOWHERE = (0, 0)


class Heads:
    """Heads of one producer. A run of batches of one has very many, so each takes 56 bytes."""

    def __init__(self) -> None:
        self._numbers = array("q", [-1])
        self._hashes = bytearray(GENESIS)
        self._places = array("Q", _NOWHERE)
        self._others: dict[int, set[bytes]] = {}

    def at(self, number: int) -> Iterator[bytes]:
        """Yield every head at `number`: more than one if a tail was sent again in other cuts."""
        place = bisect_left(self._numbers, number)
        if place < len(self._numbers) and self._numbers[place] == number:
            yield bytes(self._hashes[place * _BYTES : (place + 1) * _BYTES])
        yield from self._others.get(number, ())

    def place_of(self, number: int, head: bytes) -> tuple[int, int] | None:
        """Return the id of the entry that ends with this head, if it stood there first."""
        place = bisect_left(self._numbers, number)
        if place == len(self._numbers) or self._numbers[place] != number:
            return None
        if self._hashes[place * _BYTES : (place + 1) * _BYTES] != head:
            return None
        ms, seq = self._places[2 * place : 2 * place + 2]
        return (ms, seq) if (ms, seq) != _NOWHERE else None

    def add(self, number: int, head: bytes, place: tuple[int, int] = _NOWHERE) -> None:
        """Note a head, and the id of the entry that ends with it."""
        if number > self._numbers[-1]:
            self._numbers.append(number)
            self._hashes += head
            self._places.extend(place)
        elif head not in self.at(number):
            self._others.setdefault(number, set()).add(head)

    def links(self, batch: Batch) -> bool:
        """Tell whether a batch follows a head at the number before its first."""
        return any(batch.is_linked_to(head) for head in self.at(batch.first - 1))

    def following(self, batch: Batch) -> str:
        """Return, for people, what the hash of a batch should be."""
        job, producer, first, root = batch.job_id, batch.producer, batch.first, batch.root()
        found = [
            chain(head, job, producer, first, batch.last, root).hex() for head in self.at(first - 1)
        ]
        return f"hash {' or '.join(found)}" if found else f"a batch that ends at {first - 1}"
