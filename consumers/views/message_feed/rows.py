"""The rows of a message feed."""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from consumers.folding.canonical import line
from consumers.folding.differing import Difference, shown_json
from synapse_stream.entries.position import Position


class MessageRow(NamedTuple):
    """One line of a job's message feed.

    `number` counts the rows of a job from 0 in the order of the fold: with the job it is the key
    and the order of the feed. Positions are unique and ordered too, unless a server lost its tail
    and its clock went back.
    """

    number: int
    ms: int
    seq: int
    line: int
    """With `ms` and `seq` the position: the index of the event in its entry."""
    time: int
    """µs since the epoch, the producer's clock."""
    kind: str
    """`message`, `dev_event` or `log`."""
    level: str
    """A LogLevel as a rule; `debug` for dev events."""
    step: str | None
    rank: int
    attempt: int
    content: str
    """The message as it was rendered; of a dev event its message, of a log entry its event name."""
    key: str | None
    """Message code, if the message has one."""
    file: str | None
    details: str | None
    """JSON object with what the event has of `template` ({lang: text}), `params`, `data`, and
    `truncated`; None when it has none of them."""


_OF_ENTRIES = frozenset({"number", "ms", "seq", "line"})
_OF_EVENTS = [place for place, name in enumerate(MessageRow._fields) if name not in _OF_ENTRIES]


class MessageRows(list[MessageRow]):
    """Lines of a feed; the port `consumers.folding.port.Rows`."""

    def canonical(self, *, positions: bool = True) -> bytes:
        """Return every row in the order of the feed, or without positions of each rank's."""
        if positions:
            return b"".join(line(list(row)) for row in self)
        by_rank = sorted(self, key=lambda row: (row.attempt, row.rank, row.number))
        return b"".join(line([row[place] for place in _OF_EVENTS]) for row in by_rank)

    def is_same(self, other: MessageRows, *, positions: bool = True) -> bool:
        """Tell whether `canonical` is the same."""
        return self.canonical(positions=positions) == other.canonical(positions=positions)

    def first_difference(self, found: MessageRows) -> Difference | None:
        """Return the first row that differs."""
        for one, two in zip_longest(self, found):
            if one != two:
                row = one or two
                place = None if row is None else Position(row.ms, row.seq, row.line)
                return Difference(_shown(one), _shown(two), place)
        return None


def _shown(row: MessageRow | None) -> str:
    return "no message" if row is None else shown_json(list(row))
