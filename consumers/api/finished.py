"""Tokens of one run: they are none any more a minute after it has ended."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from consumers.errors import StoreUnavailable
from consumers.outages import Outage

if TYPE_CHECKING:
    from consumers.api.sources import Sources
    from consumers.api.tokens import Caller

_GRACE_MS = 60_000
_SECONDS = 1.0
_MOST_KEPT = 10_000
_logger = logging.getLogger(__name__)


class Finished:
    """Knows when runs ended, from their views; looks anew after a second.

    While the store is away nothing is known to have ended. Belongs to the event loop.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._known: OrderedDict[str, tuple[float, int | None]] = OrderedDict()
        what = "whether runs have ended"
        self._outage = Outage(_logger, f"{what} cannot be read", f"{what} is read again")

    async def why_over(self, caller: Caller) -> str | None:
        """Return why the token of a caller is over, if its run is."""
        claims = caller.claims
        if claims is None or claims.run is None:
            return None
        ended_ms = await self._ended_ms(claims.run)
        if ended_ms is None or claims.issued * 1000 > ended_ms:  # it is for the next attempt
            return None
        if self._sources.clock.now_ms() - ended_ms <= _GRACE_MS:
            return None
        return f"the token {claims.name} ({claims.id}) was for job {claims.run}, which has ended"

    async def _ended_ms(self, job_id: str) -> int | None:
        now = time.monotonic()
        looked_at, ended_ms = self._known.get(job_id, (-_SECONDS, None))
        if now - looked_at >= _SECONDS:
            ended_ms = await run_in_threadpool(self._look, job_id, ended_ms)
            self._known[job_id] = (now, ended_ms)
            self._known.move_to_end(job_id)
            if len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        return ended_ms

    def _look(self, job_id: str, before: int | None) -> int | None:
        try:
            state = self._sources.views.listed([job_id]).get(job_id)
        except StoreUnavailable as error:
            self._outage.tell(error)
            return before
        self._outage.end()
        return state.latest.last_sign_ms if state is not None and state.is_over else None
