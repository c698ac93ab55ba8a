"""Waiting for what a job reports next, for those who then read it themselves."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends

from consumers.api.live.hub import Hub

if TYPE_CHECKING:
    from synapse_stream.entries.position import Position

Following = Annotated[Hub, Depends(Hub.of)]


async def wait_behind(hub: Hub, job_id: str, after: Position, seconds: float) -> bool:
    """Return when something stands behind `after`, or may, and after `seconds` in any case.

    False for a job that has neither a view nor a stream.

    Raises:
        LogUnavailable, StoreUnavailable: the job could not be read.
    """
    channel = await hub.channel(job_id)
    if channel is None:
        return False
    resets = channel.resets
    channel.enter()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while channel.newest <= after and channel.resets == resets:
                    if channel.is_closed:
                        break
                    await channel.wait()
    finally:
        channel.leave()
    return True
