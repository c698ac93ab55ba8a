"""Where an event stands in its job's stream."""

from __future__ import annotations

import re
from typing import NamedTuple

_FORM = re.compile(r"(\d{1,20})-(\d{1,20})(?:\.(\d{1,10}))?")
_LARGEST = 2**64 - 1


class Position(NamedTuple):
    """The place of one event: stream id (`ms`, `seq`) and index in its batch, compared as integers.

    Printed `1763880000000-0.3`. As text the order would be wrong: `…-9` sorts behind `…-10`.
    Reading *after* a position is exclusive.
    """

    ms: int
    seq: int
    index: int = 0  # type: ignore[assignment]  # hides tuple.index, which nobody wants here

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read `ms-seq.index`; without `.index` the first event of that entry is meant.

        Raises:
            ValueError: the text is not a position.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            msg = (
                f"{text!r} is no position; expected '<ms>-<seq>.<index>', as in '1763880000000-0.3'"
            )
            raise ValueError(msg)
        ms, seq, index = (int(part or 0) for part in match.groups())
        if max(ms, seq) > _LARGEST:
            msg = f"{text!r} is no position: its numbers must be below 2**64"
            raise ValueError(msg)
        return cls(ms, seq, index)

    @property
    def entry_id(self) -> str:
        """The id of the stream entry that holds the event."""
        return f"{self.ms}-{self.seq}"

    def __str__(self) -> str:
        """Return the printed form."""
        return f"{self.ms}-{self.seq}.{self.index}"


def is_between(position: Position, after: Position, until: Position | None = None) -> bool:
    """Tell whether an event of the entries from that of `after` to that of `until` is wanted.

    Only in these two some are not. Between them ids need not rise: a server that lost its
    tail, and its clock went back, gives lower ones.
    """
    return (position[:2] != after[:2] or position > after) and (
        until is None or position[:2] != until[:2] or position <= until
    )


BEGINNING = Position(0, 0, 0)
"""Before every event: no entry has the id 0-0."""
