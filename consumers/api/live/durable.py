"""A stream as server-sent events: `data`, and behind each a `control` that says how far it is."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING

import orjson

from consumers.api.ingest.durable import offsets, values
from consumers.api.live.frames import KEEP_ALIVE
from consumers.api.live.waiting import wait_behind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from consumers.api.ingest.durable.reading import Page, Streams
    from consumers.api.live.hub import Hub

_LINES = re.compile(rb"\r\n|\r|\n")
_QUIET_SECONDS = 15.0
_LONGEST_SECONDS = 60.0
"""Then a reader asks again, so that caches may give many of them the same."""


async def follow(
    hub: Hub, streams: Streams, job_id: str, page: Page, *, for_developers: bool, cursor: str | None
) -> AsyncGenerator[bytes, None]:
    """Yield a page, and what comes behind it until the stream is closed."""
    until = time.monotonic() + _LONGEST_SECONDS
    yield _frame(page, cursor)
    while not page.is_closed and time.monotonic() < until and not hub.is_closing:
        if page.is_at_end and not await wait_behind(hub, job_id, page.end, _QUIET_SECONDS):
            return
        read = partial(streams.read, job_id, page.after, for_developers=for_developers)
        found = await hub.in_thread(read)
        if found is None:
            return
        is_news = found.parts or found.is_closed or found.is_at_end != page.is_at_end
        page = found
        yield _frame(page, cursor) if is_news else KEEP_ALIVE


def _frame(page: Page, cursor: str | None) -> bytes:
    control: dict[str, object] = {"streamNextOffset": offsets.offset_of(page.after[:2])}
    if page.is_closed:
        control["streamClosed"] = True
    else:
        control["streamCursor"] = offsets.cursor(cursor)
    if page.is_at_end:
        control["upToDate"] = True
    said = b"event: control\ndata:%b\n\n" % orjson.dumps(control)
    return _data(page) + said if page.parts else said


def _data(page: Page) -> bytes:
    body = page.body if values.is_text(page.content_type) else b64encode(page.body)
    lines = b"".join(b"data:%b\n" % line for line in _LINES.split(body))
    return b"event: data\n%b\n" % lines
