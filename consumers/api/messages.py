"""The message feed: page by page in both directions, or all as NDJSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from consumers.api import parameters, schemas, shapes
from consumers.api.access import Asking, VisibleJob
from consumers.api.answers import JSON, NDJSON, choose, fresh, streamed
from consumers.api.description import answer
from consumers.api.problems import Problem, not_found
from consumers.api.sources import Opened
from synapse_stream.models import LogLevel
from synapse_stream.position import BEGINNING, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.views import Views

router = APIRouter(prefix="/api/jobs/{job}/messages", tags=["messages"])

VIEW = "message-feed"

_LEVELS = "|".join(LogLevel)
_PAGE = 500


@router.get(
    "",
    response_class=Response,
    responses=answer(schemas.MessagesAnswer, application_x_ndjson="Every message, one a line"),
)
def list_messages(
    request: Request,
    sources: Opened,
    caller: Asking,
    job_id: VisibleJob,
    level: Annotated[
        list[Annotated[str, StringConstraints(pattern=rf"^({_LEVELS})(,({_LEVELS}))*$")]] | None,
        Query(description="Only of these levels: given repeatedly, or joined by commas."),
    ] = None,
    step: parameters.Text | None = None,
    text: Annotated[
        parameters.Text | None, Query(description="Only messages that contain it.")
    ] = None,
    after: parameters.PositionText | None = None,
    before: parameters.PositionText | None = None,
    until: Annotated[
        parameters.PositionText | None, Query(description="As it was at this position.")
    ] = None,
    limit: parameters.Limit = 100,
    dev: Annotated[bool, Query(description="Dev events and log entries, too.")] = False,
    lang: Annotated[
        parameters.Text | None,
        Query(description="Language, such as `ko`, where a message has it."),
    ] = None,
) -> Response:
    """Show a page of the feed: the first behind `after`; without it the last, before `before`.

    As NDJSON all of them come, whatever `limit` is.
    """
    if dev and not caller.is_developer:
        detail = f"dev events are for developers, and {caller.name} is a {caller.role}"
        raise Problem(HTTPStatus.FORBIDDEN, detail, allowed={"dev": False})
    kind = choose(request, (JSON, NDJSON))
    place = sources.views.position(VIEW, job_id)
    if place is None:
        raise not_found(job_id)
    begin = parameters.stored("after", after)
    wanted: dict[str, Any] = {
        "kinds": ("message", "dev_event", "log") if dev else ("message",),
        "levels": parameters.several(level or []) or None,
        "step": step,
        "text": text,
        "before": parameters.stored("before", before),
        "until": parameters.stored("until", until),
        "language": lang,
    }
    if kind == NDJSON:
        parts = _all(sources.views, job_id, begin or BEGINNING, wanted)
        return streamed(parts, NDJSON, "messages.ndjson")
    page = sources.views.messages(job_id, after=begin, limit=limit, **wanted)
    content = {
        "messages": [shapes.message(found) for found in page.messages],
        "has_more": page.has_more,
    }
    return fresh(request, content, place, sources.clock)


def _all(views: Views, job_id: str, after: Position, wanted: dict[str, Any]) -> Iterator[bytes]:
    while True:
        page = views.messages(job_id, after=after, limit=_PAGE, **wanted)
        if not page.messages:
            return
        yield b"".join(orjson.dumps(shapes.message(found)) + b"\n" for found in page.messages)
        if not page.has_more:
            return
        after = page.messages[-1].position
