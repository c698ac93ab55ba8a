"""How a successful answer leaves: encoded once, with its freshness, and known again by its ETag."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import Response

from consumers.api import shapes

if TYPE_CHECKING:
    from fastapi import Request

    from consumers.api.sources import ServerClock
    from synapse_stream.position import Position

NEVER_STORED = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, Cookie"}


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
    headers = {**NEVER_STORED, "ETag": etag}
    if is_known(request, etag):
        return Response(None, 304, headers)
    now_ms = clock.now_ms()
    age = None if shown is None or position is None else max(0, now_ms - position.ms) / 1000
    freshness = orjson.dumps({"age_seconds": age, "now_ms": now_ms})
    return Response(freshness[:-1] + b"," + body[1:], 200, headers, "application/json")


def is_known(request: Request, etag: str) -> bool:
    """Tell whether the client has what `etag` stands for."""
    asked = request.headers.get("if-none-match", "")
    bare = etag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") in {bare, "*"} for one in asked.split(","))
