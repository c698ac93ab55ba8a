"""Which runs a client asks for: filter and order, read from the query."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from fastapi import Query

from consumers.api import parameters
from consumers.api.problems import Problem, unprocessable
from synapse_stream.ports.filters.fields import FilterError
from synapse_stream.ports.filters.search import Hits, Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.api.sources import Sources
    from consumers.api.tokens import Caller

_FILTER = (
    "Only runs that it fits: SQL's WHERE, as in `status = failed AND metrics.loss.min < 0.3`. "
    "Fields: job, status, action, plugin, owner (a label), error, fingerprint (of the error), "
    "attempt, events, percent, duration (seconds), started, ended, labels.NAME, params.NAME, "
    "metrics.NAME with .last, .min, .max or .best."
)
_SORT = "Fields as `filter` has them, the most important first; `-` before one: the largest first."
_COLUMNS = "Fields as `filter` has them, with a comma between any two: what to tell of each run."


class Asked(NamedTuple):
    """A filter, an order and columns, as texts; false if there is none of them."""

    filter: str | None = None
    sort: str | None = None
    columns: str | None = None

    @classmethod
    def of(
        cls,
        wanted: Annotated[str | None, Query(alias="filter", description=_FILTER)] = None,
        sort: Annotated[parameters.Text | None, Query(description=_SORT)] = None,
        columns: Annotated[str | None, Query(description=_COLUMNS, max_length=2000)] = None,
    ) -> Self:
        """Return those of a request."""
        return cls(wanted, sort, columns)

    def __bool__(self) -> bool:
        """Tell whether anything is asked."""
        return any(self)

    def search(self, sources: Sources, caller: Caller, given: Mapping[str, Any]) -> Hits:
        """Return what is found of what the caller may see.

        Raises:
            Problem: filter or order cannot be read, or there is no job `after`.
        """
        wanted = self.read(sources)
        try:
            return sources.views.find(wanted, sees=caller.sees, **given)
        except ValueError:
            raise unprocessable("after", given["after"] or "", "a job's id") from None

    def read(self, sources: Sources) -> Wanted:
        """Return what is wanted.

        Raises:
            Problem: one of them cannot be read.
        """
        try:
            now_us = sources.clock.now_ms() * 1000
            return Wanted.of(self.filter, self.sort, self.columns, now_us=now_us)
        except FilterError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


NOTHING = Asked()
