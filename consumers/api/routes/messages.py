"""The message feed: page by page in both directions, or all as NDJSON."""

from __future__ import annotations

from http import HTTPStatus
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import StringConstraints

from consumers.api import parameters, schemas, shapes
from consumers.api.answers import JSON, NDJSON, choose, fresh, streamed
from consumers.api.description import answer
from consumers.api.permissions import Asking, VisibleJob
from consumers.api.problems import Problem, not_found
from consumers.api.sources import Opened
from synapse_stream.entries.position import BEGINNING, Position
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.ports.views import Views

router = APIRouter(prefix="/api/jobs/{job}/messages", tags=["messages"])

VIEW = "message-feed"

_FOR_ALL, _ALL_KINDS = ("message",), ("message", "dev_event", "log")
_LEVELS, _KINDS = "|".join(LogLevel), "|".join(_ALL_KINDS)
_FIRST_ROWS, _MOST_ROWS = 20, 500
_LARGEST_PAGE = 1024 * 1024
"""Bytes of JSON."""
_PART_BYTES = 128 * 1024


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
    kind: Annotated[
        list[Annotated[str, StringConstraints(pattern=rf"^({_KINDS})(,({_KINDS}))*$")]] | None,
        Query(description="Only of these kinds: given repeatedly, or joined by commas."),
    ] = None,
    lang: Annotated[
        parameters.Text | None,
        Query(description="Language, such as `ko`, where a message has it."),
    ] = None,
) -> Response:
    """Show a page of the feed: the first behind `after`; without it the last, before `before`.

    As NDJSON all of them come, whatever `limit` is.
    """
    kinds = parameters.several(kind or []) or (_ALL_KINDS if dev else _FOR_ALL)
    if not caller.is_developer and set(kinds) - set(_FOR_ALL):
        detail = f"dev events are for developers, and {caller.name} is a {caller.role}"
        raise Problem(HTTPStatus.FORBIDDEN, detail, allowed={"dev": False})
    form = choose(request, (JSON, NDJSON))
    place = sources.views.position(VIEW, job_id)
    if place is None:
        raise not_found(job_id)
    begin = parameters.stored("after", after)
    wanted: dict[str, Any] = {
        "kinds": kinds,
        "levels": parameters.several(level or []) or None,
        "step": step,
        "text": text,
        "before": parameters.stored("before", before),
        "until": parameters.stored("until", until),
        "language": lang,
    }
    if form == NDJSON:
        parts = _all(sources.views, job_id, begin or BEGINNING, wanted)
        return streamed(request, parts, NDJSON, "messages.ndjson")
    found, has_more = _bounded(sources.views, job_id, begin, limit, wanted)
    content = {"messages": list(map(orjson.Fragment, found)), "has_more": has_more}
    return fresh(request, content, place, sources.clock)


def _bounded(
    views: Views, job_id: str, after: Position | None, limit: int, wanted: dict[str, Any]
) -> tuple[list[bytes], bool]:
    """Return messages as JSON, as many as do not make a page too large, and whether there are more.

    They are read in parts: one message may be as long as thousands of others.
    """
    found: list[bytes] = []
    place, is_backward = dict(wanted), after is None
    has_more, rows, size = True, _FIRST_ROWS, 0
    while has_more and len(found) < limit and size < _LARGEST_PAGE:
        most = min(rows, limit - len(found))
        part, has_more = views.messages(job_id, after=after, limit=most, **place)
        if not part:
            break
        shown = [orjson.dumps(shapes.message(one)) for one in part]
        found = shown + found if is_backward else found + shown
        size += sum(map(len, shown))
        rows = max(1, min(limit, _LARGEST_PAGE * len(found) // size))
        if is_backward:
            place["before"] = part[0].position
        else:
            after = part[-1].position
    kept = _fitting(found[::-1] if is_backward else found)
    return found[-kept:] if is_backward else found[:kept], has_more or kept < len(found)


def _fitting(found: list[bytes]) -> int:
    """Return how many messages, one at least, a page has room for."""
    sizes = accumulate(map(len, found))
    return max(1, sum(size <= _LARGEST_PAGE for size in sizes))


def _all(views: Views, job_id: str, after: Position, wanted: dict[str, Any]) -> Iterator[bytes]:
    """Yield all messages behind `after` as lines, some at a time."""
    rows = _FIRST_ROWS
    while True:
        page = views.messages(job_id, after=after, limit=rows, **wanted)
        if not page.messages:
            return
        lines = b"".join(orjson.dumps(shapes.message(found)) + b"\n" for found in page.messages)
        yield lines
        if not page.has_more:
            return
        after = page.messages[-1].position
        rows = max(1, min(_MOST_ROWS, _PART_BYTES * len(page.messages) // len(lines)))
