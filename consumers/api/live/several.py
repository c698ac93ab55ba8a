"""Several live streams over one connection: a browser has few, and many tabs.

Each chunk of a stream, whole frames as that stream yields them, comes behind a frame that says
whose they are. No stream is read further than its reader: each waits with one chunk.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

from consumers.api.live import frames


async def merged(streams: Sequence[AsyncGenerator[bytes, None]]) -> AsyncGenerator[bytes, None]:
    """Yield the chunks of streams as they come, until all have ended."""
    waiting = {asyncio.ensure_future(anext(each)): number for number, each in enumerate(streams)}
    try:
        yield frames.RETRY
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                number = waiting.pop(task)
                try:
                    chunk = task.result()
                except StopAsyncIteration:
                    continue
                yield frames.source(number) + chunk
                waiting[asyncio.ensure_future(anext(streams[number]))] = number
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for each in streams:
            await each.aclose()
