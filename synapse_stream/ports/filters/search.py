"""Finding runs: what an index knows is asked of it, the rest is looked at run by run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.models import RunStatus
from synapse_stream.ports.filters import language, matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from synapse_stream.ports.filters.language import Comparison, Field, Filter
    from synapse_stream.ports.views import RunState, SeriesSummary, Views

MOST_LOOKED_AT = 10_000
_PAGE = 200


class Hit(NamedTuple):
    """A run that was found."""

    state: RunState
    values: Mapping[str, Any]
    """What it has in the fields that filter and order name."""


class Hits(NamedTuple):
    """Runs that were found, in the order that was wanted."""

    found: Sequence[Hit]
    is_whole: bool
    """False when older runs were not looked at: the newest 10,000 were."""
    next: str | None
    """Job to go on behind, where the order is that of arrival; None at the end."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs, and in which order; `of` reads it from texts."""

    filter: Filter | None
    sort: Sequence[tuple[Field, bool]]

    @classmethod
    def of(cls, text: str | None, sort: str | None) -> Wanted:
        """Read filter and order.

        Raises:
            FilterError: one cannot be read, or a time in it is none.
        """
        found = cls(language.parse(text or ""), language.parse_sort(sort or ""))
        for comparison in _comparisons(found.filter):
            if str(comparison.field) in {"started", "ended"}:
                for value in comparison.values:
                    matching.moment(value, 0)
        return found

    @property
    def fields(self) -> list[Field]:
        """What it names, each once."""
        return list(dict.fromkeys([*language.fields(self.filter), *(one for one, _ in self.sort)]))


def search(
    views: Views,
    wanted: Wanted,
    *,
    now_us: int,
    limit: int,
    after: str | None = None,
    sees: Callable[[str], bool] = lambda _: True,
    **given: Any,
) -> Hits:
    """Find runs by a filter, the newest first, or in the order of `wanted.sort`.

    Args:
        views: where they are looked for.
        wanted: what `Wanted.of` read.
        now_us: µs since the epoch, for times before now.
        limit: most to return.
        after: go on behind this job; only where nothing is sorted.
        sees: whether a job may be found.
        given: further conditions, as `views.jobs` takes them.

    Raises:
        ValueError: there is no job `after`.
    """
    hits: list[Hit] = []
    last = after
    is_whole = True
    most = limit if not wanted.sort else MOST_LOOKED_AT
    for number, state in enumerate(_candidates(views, wanted, after, given), 1):
        if number > MOST_LOOKED_AT or len(hits) > most:
            is_whole = number <= MOST_LOOKED_AT
            break
        hit = _look(views, state, wanted, now_us) if sees(state.job_id) else None
        if hit is not None:
            hits.append(hit)
        if len(hits) <= limit:
            last = state.job_id
    else:
        last = None if len(hits) <= limit else last
    if not wanted.sort:
        return Hits(hits[:limit], is_whole, last)
    for field, is_descending in reversed(wanted.sort):
        hits.sort(key=partial(_key, field=str(field), is_descending=is_descending))
    return Hits(hits[:limit], is_whole, None)


def _candidates(
    views: Views, wanted: Wanted, after: str | None, given: Mapping[str, Any]
) -> Iterator[RunState]:
    known = {**_indexed(wanted.filter), **{k: v for k, v in given.items() if v is not None}}
    while True:
        page = views.jobs(after=after, limit=_PAGE, **known)
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1].job_id


def _look(views: Views, state: RunState, wanted: Wanted, now_us: int) -> Hit | None:
    """Return a run if it is wanted, whole if something is asked that lists leave out."""
    asked = {field.kind for field in wanted.fields}
    if asked & {"labels", "params"} and not state.latest.ranks:
        state = views.state(state.job_id) or state

    @cache
    def series(name: str) -> Sequence[SeriesSummary]:
        return views.series(state.job_id, name=name, attempt=state.latest.number)

    if not matching.matches(state, wanted.filter, series, now_us):
        return None
    values = {str(field): matching.value_of(state, field, series) for field in wanted.fields}
    return Hit(state, values)


def _key(hit: Hit, *, field: str, is_descending: bool) -> tuple[int, float, Any]:
    kind, number, text = matching.order(hit.values[field])
    if not is_descending:
        return kind, number, text
    return kind, -number, (*(-ord(letter) for letter in text), 1)


def _indexed(part: Filter | None) -> dict[str, Any]:
    """Return what an index can tell: a status, and an action, that every run must have."""
    found: dict[str, Any] = {}
    statuses = {str(status): status for status in RunStatus}
    for comparison in _required(part):
        name, (value, *_) = str(comparison.field), comparison.values
        if name == "status" and value in statuses:
            found["status"] = statuses[str(value)]
        elif name == "action" and isinstance(value, str):
            found["action"] = value
    return found


def _required(part: Filter | None) -> Iterator[Comparison]:
    if isinstance(part, language.Comparison):
        if part.operator == "=":
            yield part
    elif isinstance(part, language.Both) and not part.is_any:
        for one in part.parts:
            yield from _required(one)


def _comparisons(part: Filter | None) -> Iterator[Comparison]:
    if isinstance(part, language.Comparison):
        yield part
    elif part is not None:
        for one in part.parts if isinstance(part, language.Both) else (part.part,):
            yield from _comparisons(one)
