"""Waking those who wait for a change: some at a time, so that others are served between them."""

from __future__ import annotations

import asyncio
from collections import deque

AT_ONCE = 16
"""Each that is woken writes to its client, which takes some 0.2 ms."""


class Bell:
    """Belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._due = 0
        """How many of them, the first ones, have still to be woken."""

    async def wait(self) -> None:
        """Return at the next change."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        await turn

    def ring(self) -> None:
        """Have all return that wait now."""
        is_at_work = self._due > 0
        self._due = len(self._waiting)
        if not is_at_work:
            self._wake_some()

    def _wake_some(self) -> None:
        some = min(AT_ONCE, self._due)
        self._due -= some
        for _ in range(some):
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
        if self._due:
            asyncio.get_running_loop().call_soon(self._wake_some)
