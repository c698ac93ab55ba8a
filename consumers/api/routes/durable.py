"""Jobs as streams of the Durable Streams protocol: made, appended to, closed and read.

What is recorded is never deleted, does not expire and is not forked, so what would have it so is
refused.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from consumers.api.answers import is_known
from consumers.api.ingest.durable import headers as given
from consumers.api.ingest.durable import offsets, values
from consumers.api.ingest.durable.keeper import Keeper, Result, TooLarge
from consumers.api.ingest.durable.keeper import Request as Asked
from consumers.api.ingest.durable.reading import Page, Streams
from consumers.api.ingest.durable.stream import Verdict
from consumers.api.live.durable import follow
from consumers.api.live.routes import EventStream
from consumers.api.live.waiting import Following, wait_behind
from consumers.api.permissions import AppendableJob, Asking, Known, VisibleJob
from consumers.api.problems import Problem, not_found
from consumers.api.routes.ingesting import host_of, meters_of
from consumers.api.shares import Shares, client_of
from synapse_stream.events.plain import describe

if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "/v1/stream"

router = APIRouter(prefix=PREFIX, tags=["streams"])

_POLL_SECONDS = 20.0
_BODY = {
    "requestBody": {
        "description": "Values as JSON, one or a list, or bytes of the stream's media type.",
        "content": {"application/json": {"schema": {}}, "*/*": {"schema": {"type": "string"}}},
    }
}
_NOTHING: dict[int | str, dict[str, Any]] = {204: {"description": "It is there already"}}
_READ: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "array"}}, "*/*": {"schema": {}}}},
    204: {"description": "Nothing came"},
    304: {"description": "The client has it"},
}


def keeper_of(request: Request) -> Keeper:
    """Return that of the application that answers."""
    found: Keeper = request.app.state.keeper
    return found


Keeping = Annotated[Keeper, Depends(keeper_of)]


@router.put(
    "/{job}",
    status_code=201,
    response_class=Response,
    responses={200: {"description": "It is there already"}},
    openapi_extra=_BODY,
)
async def make_stream(
    request: Request, job_id: AppendableJob, caller: Known, keeper: Keeping
) -> Response:
    """Make a stream, whose run begins with that; `Content-Type` says what it holds."""
    given.refuse_what_is_not_here(request)
    kind = given.media_type(request) or "application/octet-stream"
    body = await request.body()
    closes = given.closes(request)
    asked = Asked(given.reports(body, kind, closes=closes, is_first=True), closes=closes)
    make = partial(keeper.make, job_id, kind, asked, host_of(request))
    meters_of(request).count(caller, job_id, len(body))
    result = await _taken(request, make)
    if result is None:
        detail = f"job {describe(job_id)} is reported by others, and is no stream to append to"
        raise Problem(HTTPStatus.CONFLICT, detail)
    stream = result.stream
    if (stream.content_type, stream.is_closed) != (kind, asked.closes) and result.entry is None:
        said = f"{stream.content_type}, {'closed' if stream.is_closed else 'open'}"
        raise Problem(HTTPStatus.CONFLICT, f"the stream is there, and is another one: {said}")
    headers = {"Content-Type": stream.content_type, **await _place(request, job_id, result)}
    if result.entry is None:
        return Response(None, HTTPStatus.OK, headers)
    return Response(None, HTTPStatus.CREATED, {**headers, "Location": str(request.url)})


@router.post("/{job}", response_class=Response, responses=_NOTHING, openapi_extra=_BODY)
async def append_to_stream(
    request: Request, job_id: AppendableJob, caller: Known, keeper: Keeping
) -> Response:
    """Append values, or bytes, once; `Stream-Closed: true` ends the run.

    With `Producer-Id`, `Producer-Epoch` and `Producer-Seq` sending again is always safe.
    """
    body = await request.body()
    closes = given.closes(request)
    if not body and not closes:
        raise Problem(HTTPStatus.BAD_REQUEST, "there is nothing to append, and nothing to close")
    stream = await run_in_threadpool(keeper.find, job_id)
    if stream is None:
        raise await _no_stream(request, job_id)
    reports = given.reports(body, stream.content_type, closes=closes, is_first=False)
    writer, sequence = given.writer(request), request.headers.get("stream-seq")
    asked = Asked(reports, writer, sequence, closes=closes)
    if body and not stream.is_closed:
        given.check_media_type(request, stream.content_type)
    meters_of(request).count(caller, job_id, len(body))
    result = await _taken(request, partial(keeper.append, job_id, asked))
    if result is None:
        raise await _no_stream(request, job_id)
    headers = await _place(request, job_id, result)
    given.refuse(result, writer, headers)
    headers |= given.accepted(result)
    is_new = result.judged.verdict is Verdict.TAKEN and writer is not None and bool(body)
    return Response(None, HTTPStatus.OK if is_new else HTTPStatus.NO_CONTENT, headers)


@router.get("/{job}", response_class=Response, responses=_READ)
async def read_stream(
    request: Request,
    job_id: VisibleJob,
    caller: Asking,
    keeper: Keeping,
    hub: Following,
    offset: Annotated[
        list[str] | None, Query(description="What `Stream-Next-Offset` said; -1; or `now`.")
    ] = None,
    live: Annotated[
        str | None, Query(description="`long-poll` or `sse`: wait for what comes.")
    ] = None,
    cursor: str | None = None,
) -> Response:
    """Read behind `offset` what a stream holds; of a job that others report, its events."""
    streams = Streams(request.app.state.sources, keeper)
    after = given.offset(offset, is_live=live is not None)
    if live not in {None, "long-poll", "sse"}:
        raise Problem(HTTPStatus.BAD_REQUEST, "live is `long-poll` or `sse`, or left out")
    is_tail = request.state.is_head or after is None
    read = partial(streams.read, job_id, for_developers=caller.is_developer)
    look = partial(streams.tail, job_id) if is_tail or after is None else partial(read, after)
    page = await run_in_threadpool(look)
    if page is None:
        raise not_found(job_id)
    if request.state.is_head:
        return Response(None, 200, {**_headers(page), "Cache-Control": "no-store"})
    if live == "sse":
        following = follow(
            hub, streams, job_id, page, for_developers=caller.is_developer, cursor=cursor
        )
        stream = EventStream(following)
        stream.headers["Cache-Control"] = "private, no-cache"
        if not values.is_text(page.content_type):
            stream.headers["Stream-SSE-Data-Encoding"] = "base64"
        return stream
    if live and not page.parts and page.is_at_end and not page.is_closed:
        await wait_behind(hub, job_id, page.end, _POLL_SECONDS)
        page = await run_in_threadpool(read, page.after) or page
    return _answer(request, page, offset, is_live=live is not None, cursor=cursor)


def _answer(
    request: Request, page: Page, offset: list[str] | None, *, is_live: bool, cursor: str | None
) -> Response:
    headers = _headers(page)
    if is_live:
        headers["Stream-Cursor"] = offsets.cursor(cursor)
        if not page.parts:
            return Response(None, HTTPStatus.NO_CONTENT, headers)
    begin = "".join(offset or [offsets.FIRST])
    end = f"{headers['Stream-Next-Offset']}{'c' if page.is_closed else ''}"
    kept = "no-store" if begin == offsets.NOW else "private, no-cache"
    etag = f'"{begin}:{end}"'
    headers |= {"ETag": etag, "Cache-Control": kept, "Vary": "Authorization, Cookie"}
    if is_known(request, etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers)
    return Response(page.body, 200, headers)


def _headers(page: Page) -> dict[str, str]:
    headers = {
        "Content-Type": page.content_type,
        "Stream-Next-Offset": offsets.offset_of(page.after[:2]),
        "Cache-Control": "no-store",
    }
    if page.is_at_end:
        headers["Stream-Up-To-Date"] = "true"
    if page.is_closed:
        headers["Stream-Closed"] = "true"
    return headers


async def _taken(request: Request, change: Callable[[], Result | None]) -> Result | None:
    """Change in a thread, when it is this client's turn."""
    shares: Shares = request.app.state.shares
    async with shares.appending.place(client_of(request.scope)):
        try:
            return await run_in_threadpool(change)
        except TooLarge as error:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None


async def _place(request: Request, job_id: str, result: Result) -> dict[str, str]:
    """Return the headers that say how far the stream is, and whether it is closed."""
    headers = {"Cache-Control": "no-store"}
    if result.entry is not None:
        headers["Stream-Next-Offset"] = offsets.offset_of(result.entry)
    else:
        streams = Streams(request.app.state.sources, request.app.state.keeper)
        page = await run_in_threadpool(streams.tail, job_id)
        if page is not None:
            headers["Stream-Next-Offset"] = offsets.offset_of(page.after[:2])
    if result.stream.is_closed:
        headers["Stream-Closed"] = "true"
    return headers


async def _no_stream(request: Request, job_id: str) -> Problem:
    """Say that there is no such stream, or that it is a job which is only read here."""
    if await run_in_threadpool(request.app.state.sources.log.knows, job_id):
        detail = f"job {describe(job_id)} is reported by others, and is only read here"
        return Problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, headers={"Allow": "GET, HEAD"})
    return Problem(HTTPStatus.NOT_FOUND, f"there is no stream {describe(job_id)}; PUT makes one")
