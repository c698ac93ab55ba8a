"""Who is connected, and who has to go when it is too much: those that cost us and do nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Protocol

_MOST_STALLED = 256
_LEAST_STALL_SECONDS = 5.0


class Connection(Protocol):
    """What a crowd is made of."""

    def leave(self) -> None:
        """Close: its client has sent nothing."""

    def cut(self) -> None:
        """Close: its client reads nothing."""


class Crowd:
    """The connections of one server.

    When there are too many, the one goes that waits longest for a request. Of those whose clients
    do not read, each of which holds a part of its answer, it is the one that did not for longest.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all: set[Connection] = set()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()
        self._stalled: OrderedDict[Connection, float] = OrderedDict()
        """With the time since when."""

    def enter(self, connection: Connection) -> bool:
        """Make room for a connection; False when all others are being answered."""
        self._all.add(connection)
        if len(self._all) > self._most:
            if not self._waiting:
                return False
            oldest, _ = self._waiting.popitem(last=False)
            oldest.leave()
        self.wait(connection)
        return True

    def wait(self, connection: Connection) -> None:
        """Note that a connection waits for its client."""
        self._waiting[connection] = None

    def work(self, connection: Connection) -> None:
        """Note that a connection waits for us."""
        self._waiting.pop(connection, None)

    def stall(self, connection: Connection) -> None:
        """Note that a client reads nothing just now."""
        now = time.monotonic()
        self._stalled[connection] = now
        while len(self._stalled) > _MOST_STALLED:
            oldest, since = next(iter(self._stalled.items()))
            if now - since < _LEAST_STALL_SECONDS:
                return
            del self._stalled[oldest]
            oldest.cut()

    def flow(self, connection: Connection) -> None:
        """Note that a client reads."""
        self._stalled.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """Note that a connection is gone."""
        self._all.discard(connection)
        self._waiting.pop(connection, None)
        self._stalled.pop(connection, None)
