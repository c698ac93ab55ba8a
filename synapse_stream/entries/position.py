"""Where an event stands in its job's stream."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, overload

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Positions(Sequence[Position]):
    """Positions kept as columns: as tuples, a million of them take 150 MB."""

    __slots__ = ("_index", "_ms", "_seq")

    def __init__(self, ms: Sequence[int], seq: Sequence[int], index: Sequence[int]) -> None:
        """Take columns of equal length."""
        self._ms, self._seq, self._index = ms, seq, index

    def texts(self) -> list[str]:
        """Return all of them as they are printed."""
        columns = zip(self._ms, self._seq, self._index, strict=True)
        return [f"{ms}-{seq}.{index}" for ms, seq, index in columns]

    def __len__(self) -> int:
        return len(self._ms)

    def __iter__(self) -> Iterator[Position]:
        return map(Position, self._ms, self._seq, self._index)

    @overload
    def __getitem__(self, place: int) -> Position: ...
    @overload
    def __getitem__(self, place: slice) -> Positions: ...
    def __getitem__(self, place: int | slice) -> Position | Positions:
        ms, seq, index = self._ms[place], self._seq[place], self._index[place]
        if isinstance(place, int):
            return Position(ms, seq, index)  # type: ignore[arg-type]  # a number each
        return Positions(ms, seq, index)  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as of other sequences that compare by content

    def __repr__(self) -> str:
        return f"<Positions: {len(self)}>"


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
