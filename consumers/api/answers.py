"""How a success leaves: in a form the client takes, encoded once, known again by its ETag."""

from __future__ import annotations

import re
from collections.abc import Generator
from hashlib import blake2b
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from consumers.api import shapes
from consumers.api.problems import Problem
from consumers.api.shares import client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from fastapi import Request

    from consumers.api.shares import Lane
    from synapse_stream.entries.position import Position
    from synapse_stream.log.server_clock import ServerClock

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

_WEIGHT = re.compile(r"[01](\.\d{0,3})?")

_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}


def fresh(
    request: Request, content: dict[str, Any], position: Position | None, clock: ServerClock
) -> Response:
    """Answer with `content` and how fresh it is, or by 304 when the client has that content.

    The ETag is that of the content alone: age and clock are other ones at every request.

    Args:
        request: whose `If-None-Match` is looked at.
        content: a JSON object.
        position: of the last event in it.
        clock: the server's.
    """
    shown = shapes.position(position)
    body = orjson.dumps({"position": shown, **content})
    etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {**_HEADERS, "ETag": etag}
    if is_known(request, etag):
        return Response(None, 304, headers)
    freshness = orjson.dumps(shapes.freshness(position, clock))
    return Response(freshness[:-1] + b"," + body[1:], 200, headers, JSON)


def streamed(
    request: Request, parts: Iterator[bytes], media_type: str, file: str | None = None
) -> Response:
    """Answer with `parts` as they are made; a browser saves them as `file`, if there is one.

    A part is made when the client has taken the one before, and it waits for its turn: a slow
    client holds one part, and no place that others wait for.
    """
    headers = dict(_HEADERS)
    if file is not None:
        headers["Content-Disposition"] = f'attachment; filename="{file}"'
    if request.state.is_head:
        response = Response(None, 200, headers, media_type)
        del response.headers["content-length"]
        return response
    return StreamingResponse(_in_turns(request, parts), 200, headers, media_type)


async def _in_turns(request: Request, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    lane: Lane = request.app.state.shares.heavy
    client = client_of(request.scope)
    try:
        while True:
            async with lane.place(client, has_begun=True):
                part = await run_in_threadpool(next, parts, None)
            if part is None:
                return
            yield part
    finally:
        if isinstance(parts, Generator):
            await run_in_threadpool(parts.close)


def is_known(request: Request, etag: str) -> bool:
    """Tell whether the client has what `etag` stands for."""
    asked = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in {bare, "*"} for one in asked.split(","))


def choose(request: Request, offered: Sequence[str]) -> str:
    """Return the media type that the client likes best; of equals the first that is offered.

    Raises:
        Problem: it takes none of them.
    """
    accepted = list(_accepted(request.headers.get("accept") or "*/*"))
    liked = {kind: max(_liking(kind, one) for one in accepted)[1] for kind in offered}
    best = max(offered, key=lambda kind: liked[kind])
    if liked[best] <= 0:
        detail = f"this can be given as {' or '.join(offered)}, and as nothing else"
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, detail, allowed={"accept": list(offered)})
    return best


def _accepted(header: str) -> Iterator[tuple[str, float]]:
    """Yield media ranges with how much they are liked."""
    for part in header.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        yield kind, float(weight) if _WEIGHT.fullmatch(weight) else 0.0


def _liking(kind: str, accepted: tuple[str, float]) -> tuple[int, float]:
    """Return how closely a media range names `kind`, 0 not at all, and how much it is liked."""
    named, weight = accepted
    ranges = ("*/*", f"{kind.partition('/')[0]}/*", kind)
    return (ranges.index(named) + 1, weight) if named in ranges else (0, 0.0)
