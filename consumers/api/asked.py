"""Which runs a client asks for: filter and order, read from the query."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Self

from fastapi import Query

from consumers.api import parameters
from consumers.api.problems import Problem, unprocessable
from synapse_stream.ports.filters.language import FilterError
from synapse_stream.ports.filters.search import Hits, Wanted, search

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consumers.api.sources import Sources
    from consumers.api.tokens import Caller

_FILTER = (
    "Only runs that it fits: SQL's WHERE, as in `status = failed AND metrics.loss.min < 0.3`. "
    "Fields: job, status, action, plugin, owner (a label), error, attempt, events, percent, "
    "duration (seconds), started, ended, labels.NAME, params.NAME, metrics.NAME with .last, .min "
    "or .max. Of each page 10,000 runs are looked at: where there are more, `next` goes on."
)
_SORT = (
    "Fields as `filter` has them, the most important first; `-` before one: the largest first. "
    "The newest 10,000 runs are sorted; then there is no `next`."
)


class Asked(NamedTuple):
    """A filter and an order, as texts; false if there is neither."""

    filter: str | None
    sort: str | None

    @classmethod
    def of(
        cls,
        wanted: Annotated[str | None, Query(alias="filter", description=_FILTER)] = None,
        sort: Annotated[parameters.Text | None, Query(description=_SORT)] = None,
    ) -> Self:
        """Return those of a request."""
        return cls(wanted, sort)

    def __bool__(self) -> bool:
        """Tell whether anything is asked."""
        return bool(self.filter or self.sort)

    def search(self, sources: Sources, caller: Caller, given: Mapping[str, Any]) -> Hits:
        """Return what is found of what the caller may see.

        Raises:
            Problem: filter or order cannot be read, or there is no job `after`.
        """
        try:
            wanted = Wanted.of(self.filter, self.sort)
        except FilterError as error:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
        now_us = sources.clock.now_ms() * 1000
        conditions = {name: value for name, value in given.items() if name != "whole"}
        try:
            return search(sources.views, wanted, now_us=now_us, sees=caller.sees, **conditions)
        except ValueError:
            raise unprocessable("after", given["after"] or "", "a job's id") from None


NOTHING = Asked(None, None)
