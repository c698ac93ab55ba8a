"""Requests begin in turns: some each time the loop goes round, clients one after the other.

Who sends a thousand at once then keeps nobody else waiting.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AT_ONCE = 4
"""Each takes up to a millisecond."""


class Turns:
    """Belongs to the event loop."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[Callable[[], None]]] = OrderedDict()
        self._is_at_work = False

    def take(self, client: str, begin: Callable[[], None]) -> None:
        """Call `begin` when it is the client's turn: now, if nothing else is to be begun."""
        if not self._is_at_work:
            self._is_at_work = True
            asyncio.get_running_loop().call_soon(self._go_on)
            begin()
            return
        self._waiting.setdefault(client, deque()).append(begin)

    def _go_on(self) -> None:
        self._is_at_work = bool(self._waiting)
        if self._is_at_work:
            asyncio.get_running_loop().call_soon(self._go_on)
        for _ in range(AT_ONCE):
            if not self._waiting:
                return
            client, queue = self._waiting.popitem(last=False)
            begin = queue.popleft()
            if queue:
                self._waiting[client] = queue  # behind the others
            begin()
