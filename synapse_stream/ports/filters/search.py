"""Finding runs: what is wanted, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.ports.filters import language
from synapse_stream.ports.filters.fields import Field, FilterError, field_of, parse_sort
from synapse_stream.ports.filters.moments import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synapse_stream.ports.filters.language import Filter
    from synapse_stream.ports.views import RunState


class Hit(NamedTuple):
    """A run that was found."""

    state: RunState
    values: Mapping[str, Any]
    """What it has in the fields that filter, order and columns name."""


class Hits(NamedTuple):
    """Runs that were found, in the order that was wanted."""

    found: Sequence[Hit]
    next: str | None
    """Job to go on behind; None at the end."""


class Span(NamedTuple):
    """Numbers of several runs in one field."""

    low: float
    high: float
    total: float
    runs: int

    @property
    def mean(self) -> float:
        """Their mean."""
        return self.total / self.runs

    def joined(self, other: Span) -> Span:
        """Return the span of both."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Span(low, high, self.total + other.total, self.runs + other.runs)


class Group(NamedTuple):
    """Runs that have the same in one field."""

    value: Any
    statuses: dict[str, int]
    """How many runs stand so."""
    spans: dict[str, Span]
    """By column, of those that are numbers."""

    @property
    def runs(self) -> int:
        """How many runs are in it."""
        return sum(self.statuses.values())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs, in which order, and what is to be told of each; `of` reads it from texts."""

    filter: Filter | None
    sort: Sequence[tuple[Field, bool]]
    columns: Sequence[Field] = ()
    text: str | None = None
    """The filter as it was written; `order` and `named` are order and columns so."""
    order: str | None = None
    named: str | None = None

    @classmethod
    def of(
        cls, text: str | None, sort: str | None, columns: str | None = None, *, now_us: int
    ) -> Wanted:
        """Read filter, order, and columns: fields with a comma between any two.

        `now_us`, µs since the epoch, is for times before now.

        Raises:
            FilterError: one cannot be read, or a time in it is none.
        """
        for one in (text, sort, columns):
            _check_characters(one or "")
        names = filter(None, map(str.strip, (columns or "").split(",")))
        part, fields = language.parse(text or ""), [field_of(name) for name in names]
        settled = part and _settled(part, now_us)
        return cls(settled, parse_sort(sort or ""), fields, text, sort, columns)

    @property
    def fields(self) -> list[Field]:
        """What it names, each once: columns first."""
        named = [*self.columns, *language.fields(self.filter), *(one for one, _ in self.sort)]
        return list(dict.fromkeys(named))


def _check_characters(text: str) -> None:
    if "\0" in text or any("\ud800" <= sign <= "\udfff" for sign in text):
        msg = f"the filter {text[:200]!r} cannot be read; expected text without NUL"
        raise FilterError(msg)


def _settled(part: Filter, now_us: int) -> Filter:
    """Return a filter whose times are µs since the epoch."""
    if isinstance(part, language.Both):
        return replace(part, parts=tuple(_settled(one, now_us) for one in part.parts))
    if isinstance(part, language.Not):
        return language.Not(_settled(part.part, now_us))
    if not part.field.is_time:
        return part
    return replace(part, values=tuple(float(moment(value, now_us)) for value in part.values))
