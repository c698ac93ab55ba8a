"""The message feed, page by page in both directions, or whole as NDJSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from consumers.api import parameters, shapes
from consumers.api.access import VisibleJob
from consumers.api.answers import fresh
from consumers.api.problems import not_found, unprocessable
from consumers.api.sources import Opened
from synapse_stream.models import LogLevel
from synapse_stream.position import Position

router = APIRouter(prefix="/api/jobs/{job}/messages", tags=["messages"])

_END = Position(2**64 - 1, 0)


@router.get("", response_class=Response)
def list_messages(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    level: Annotated[list[str] | None, Query()] = None,
    step: parameters.Text | None = None,
    text: parameters.Text | None = None,
    after: parameters.PositionText | None = None,
    before: parameters.PositionText | None = None,
    limit: parameters.Limit = 100,
    dev: bool = False,
    lang: parameters.Text | None = None,
) -> Response:
    """Show a page of the feed: the last one, or the next behind `after` or before `before`."""
    state = sources.views.state(job_id)
    if state is None:
        raise not_found(job_id)
    begin = parameters.stored(parameters.position("after", after))
    end = parameters.stored(parameters.position("before", before))
    page = sources.views.messages(
        job_id,
        kinds=("message", "dev_event", "log") if dev else ("message",),
        levels=_levels(level),
        step=step,
        text=text,
        after=begin,
        before=parameters.stored(_END) if begin is None and end is None else end,
        limit=limit,
        language=lang,
    )
    content = {
        "messages": [shapes.message(found) for found in page.messages],
        "has_more": page.has_more,
    }
    return fresh(request, content, state.position, sources.clock)


def _levels(given: list[str] | None) -> list[str] | None:
    levels = parameters.several(given or [])
    allowed = [str(level) for level in LogLevel]
    for level in levels:
        if level not in allowed:
            raise unprocessable("level", level, f"some of {', '.join(allowed)}")
    return levels or None
