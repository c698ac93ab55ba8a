"""Recorded events, as their producers wrote them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from consumers.api import parameters, shapes
from consumers.api.access import Asking, VisibleJob
from consumers.api.answers import fresh
from consumers.api.problems import not_found
from consumers.api.sources import Opened, Sources
from synapse_stream.position import BEGINNING, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.shapes import Line

router = APIRouter(prefix="/api/jobs/{job}/events", tags=["events"])

_ENTRIES = 20  # one may hold some megabytes


@router.get("", response_class=Response)
def list_events(
    request: Request,
    sources: Opened,
    caller: Asking,
    job_id: VisibleJob,
    after: parameters.PositionText | None = None,
    until: parameters.PositionText | None = None,
    type: parameters.Text | None = None,  # noqa: A002 - the parameter's name
    limit: parameters.Limit = 100,
) -> Response:
    """Show events behind `after`, up to and with `until`, in the order of the stream."""
    begin = parameters.position("after", after) or BEGINNING
    end = parameters.position("until", until)
    if not sources.log.read_after(job_id, BEGINNING, limit=1):
        raise not_found(job_id)
    hidden = frozenset() if caller.is_developer else shapes.DEVELOPERS_ONLY
    found = _events(sources, job_id, begin, end)
    wanted = (line for line in found if type in {None, line.type} and line.type not in hidden)
    page = list(islice(wanted, limit + 1))
    content = {
        "events": [line.frame() for line in page[:limit]],
        "next": str(page[limit - 1].position) if len(page) > limit else None,
    }
    last = page[:limit][-1].position if page else None
    return fresh(request, content, last, sources.clock)


def _events(
    sources: Sources, job_id: str, after: Position, until: Position | None
) -> Iterator[Line]:
    place = after
    while True:
        entries = sources.log.read_after(job_id, place, limit=_ENTRIES, until=until)
        for entry in entries:
            for line in shapes.lines(entry):
                if after < line.position and (until is None or line.position <= until):
                    yield line
        if len(entries) < _ENTRIES:
            return
        place = Position(entries[-1].ms, entries[-1].seq + 1)
