"""Tokens that were revoked: every API process of a deployment hears of it within a second."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from consumers.outages import Outage
from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from synapse_stream.log.revoking import RevokingLog

_SECONDS = 0.5
_logger = logging.getLogger(__name__)


class Revoked:
    """Their ids, looked up twice a second from `start` to `stop`.

    While the server is away the ids of before hold; nothing can be appended then, either.
    """

    def __init__(self, log: RevokingLog) -> None:
        self.ids: frozenset[str] = frozenset()
        self._log = log
        self._task: asyncio.Task[None] | None = None
        what = "what tokens were revoked"
        self._outage = Outage(_logger, f"{what} cannot be read", f"{what} is read again")

    async def start(self) -> None:
        """Look for the first time, and go on."""
        await run_in_threadpool(self._look)
        self._task = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def add(self, token_id: str) -> None:
        """Revoke a token, everywhere.

        Raises:
            LogUnavailable: the server did not take it.
        """
        self._log.revoke(token_id)
        self.ids |= {token_id}

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            await run_in_threadpool(self._look)

    def _look(self) -> None:
        try:
            self.ids = frozenset(self._log.revoked())
        except LogUnavailable as error:
            self._outage.tell(error)
        else:
            self._outage.end()
