"""Recorded events, as their producers wrote them: page by page, or all as NDJSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, NamedTuple

import orjson
from fastapi import APIRouter, Query, Request, Response

from consumers.api import parameters, schemas, shapes
from consumers.api.answers import JSON, NDJSON, choose, fresh, streamed
from consumers.api.description import answer
from consumers.api.live.waiting import Following, wait_behind
from consumers.api.permissions import Asking, VisibleJob
from consumers.api.problems import not_found
from consumers.api.sources import Opened, Sources
from synapse_stream.entries.position import BEGINNING, Position, is_between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from consumers.api.shapes import Line
    from synapse_stream.reading.job_reader import JobReader

router = APIRouter(prefix="/api/jobs/{job}/events", tags=["events"])

_MOST_LOOKED_AT = 50_000  # events of other types must not hold an answer up for long
_COST_UNREAD = 0.05  # of an event in a batch that is passed over, as part of one that is looked at
_PLAIN = re.compile("[A-Za-z0-9_]+")
_PART_BYTES, _PART_LOOKS = 64 * 1024, 5_000
_LARGEST_PAGE = 1024 * 1024
_PAGE_BYTES = 128 * 1024
"""Of entries that are read at once; a reader that pauses keeps them."""


class _Wanted(NamedTuple):
    job_id: str
    after: Position
    until: Position | None
    type: str | None
    for_developers: bool

    def choose(self, line: Line) -> Line | None:
        """Return a line as the caller gets it; None if it does not."""
        if self.type not in {None, line.type}:
            return None
        return line if self.for_developers else line.for_viewers

    def is_not_in(self, data: bytes) -> bool:
        """Tell whether no event of a batch can be of the type, by its bytes alone."""
        if self.type in {None, "", shapes.UNDECODABLE}:
            return False
        if self.type.encode() in data:
            return False
        # a type may be written with escapes; one backslash is found faster than two bytes are
        return b"\\" not in data or (b"\\u" not in data and bool(_PLAIN.fullmatch(self.type)))


class _Look(NamedTuple):
    """What was looked at, up to a position."""

    position: Position
    cost: float
    """Of one event that is looked at: 1."""
    line: Line | None
    """If it is wanted."""


@router.get(
    "",
    response_class=Response,
    responses=answer(schemas.EventsAnswer, application_x_ndjson="Every event, one a line"),
)
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
    """Show events behind `after`, up to and with `until`, in the order of the stream.

    As NDJSON all of them come, whatever `limit` is.
    """
    begin = parameters.position("after", after) or BEGINNING
    end = parameters.position("until", until)
    wanted = _Wanted(job_id, begin, end, type, caller.is_developer)
    kind = choose(request, (JSON, NDJSON))
    if not _is_there(sources, job_id):
        raise not_found(job_id)
    if kind == NDJSON:
        return streamed(request, _all(sources.reader, wanted), NDJSON, "events.ndjson")
    return _page(request, sources, wanted, limit)


@router.get(
    "/live",
    response_class=Response,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def await_events(
    request: Request,
    sources: Opened,
    caller: Asking,
    job_id: VisibleJob,
    hub: Following,
    after: parameters.PositionText | None = None,
    seconds: Annotated[int, Query(ge=0, le=30, description="Longest to wait.")] = 20,
) -> Response:
    """Show events behind `after` as NDJSON, every one there is, as soon as there is one.

    If none comes for so long, the answer is empty. So who asks again and again, each time behind
    the last one, misses none.
    """
    begin = parameters.position("after", after) or BEGINNING
    if not await wait_behind(hub, job_id, begin, seconds):
        raise not_found(job_id)
    wanted = _Wanted(job_id, begin, None, None, caller.is_developer)
    return streamed(request, _all(sources.reader, wanted), NDJSON)


def _is_there(sources: Sources, job_id: str) -> bool:
    return any(log.read_after(job_id, BEGINNING, limit=1) for log in (sources.log, sources.reader))


def _page(request: Request, sources: Sources, wanted: _Wanted, limit: int) -> Response:
    found: list[Line] = []
    size = 0
    place = wanted.after
    following = None
    looked_at = 0.0
    for look in _looks(sources.reader, wanted):
        if len(found) == limit or size >= _LARGEST_PAGE or looked_at >= _MOST_LOOKED_AT:
            following = str(place)
            break
        place = look.position
        looked_at += look.cost
        if look.line:
            found.append(look.line)
            size += len(look.line.json)
    content = {"events": [line.frame() for line in found], "next": following}
    last = found[-1].position if found else None
    return fresh(request, content, last, sources.clock)


def _all(reader: JobReader, wanted: _Wanted) -> Iterator[bytes]:
    """Yield events as lines, some at a time."""
    lines: list[bytes] = []
    size = looked_at = 0
    for look in _looks(reader, wanted):
        looked_at += 1
        if look.line:
            lines.append(orjson.dumps(look.line.frame(), option=orjson.OPT_APPEND_NEWLINE))
            size += len(lines[-1])
        if size >= _PART_BYTES or looked_at >= _PART_LOOKS:
            part = b"".join(lines)
            lines.clear()  # each has room for more than it holds
            size = looked_at = 0
            yield part
    yield b"".join(lines)


def _looks(reader: JobReader, wanted: _Wanted) -> Iterator[_Look]:
    """Look at all events behind `after`, up to and with `until`."""
    after, until = wanted.after, wanted.until
    entries = reader.entries(wanted.job_id, after, until=until, page_bytes=_PAGE_BYTES)
    for entry in entries:
        if entry.batch and wanted.is_not_in(entry.batch.data):
            count = entry.batch.last - entry.batch.first + 1
            yield _Look(Position(entry.ms, entry.seq, count - 1), _COST_UNREAD * count, None)
            continue
        for line in shapes.lines(entry):
            if is_between(line.position, after, until):
                yield _Look(line.position, 1, wanted.choose(line))
