"""A share for every client: how many questions are worked on at once, and whose comes next.

Questions about a run's points, events and messages may take long, so they have few places; the
others have places of their own. Who asks much waits behind itself, not before others: clients take
turns. What waits costs little, and not without end.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from consumers.api.endless import STREAMS, is_endless
from consumers.api.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEAVY_PLACES, _LIGHT_PLACES, _APPENDING_PLACES, _WATCHING_PLACES = 3, 8, 8, 2
_MOST_APPENDS_WAITING = 100
_MOST_WAITING = 1_000
_MOST_LIVE = 4_096
_WAIT_SECONDS = 60.0
_RETRY = {"Retry-After": "2"}
_HEAVY = ("/metrics", "/events", "/messages", "/series")
_OTHERS = ("/session", "/append")
_WATCHING = ("/metrics", "/readyz")
_SHARED = ("/api/", STREAMS, *_WATCHING)
_HEAVY_PARAMETERS = frozenset({"at", "q"})


class Lane:
    """Places that clients take in turns."""

    def __init__(
        self, places: int, *, most_waiting: int = _MOST_WAITING, seconds: float = _WAIT_SECONDS
    ) -> None:
        """Have `places`; one client gets all but one of them, and so many of its questions wait.

        None waits longer than `seconds`.
        """
        self._seconds = seconds
        self._free = places
        self._most_of_one = max(1, places - 1)
        self._most_waiting = most_waiting
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def place(self, client: str, *, has_begun: bool = False) -> AsyncIterator[None]:
        """Hold a place; the next one for an answer that has begun is waited for in any case.

        Raises:
            Problem: too many questions of this client wait already, or none was free for long.
        """
        await self._take(client, has_begun=has_begun)
        try:
            yield
        finally:
            self._give_back(client)

    async def _take(self, client: str, *, has_begun: bool) -> None:
        queue = self._waiting.get(client)
        if not queue and self._may_run(client):
            self._run(client)
            return
        if queue and len(queue) >= self._most_waiting and not has_begun:
            detail = (
                f"{len(queue)} of your questions wait already; ask again when some are answered"
            )
            allowed = {"waiting": self._most_waiting}
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, allowed=allowed, headers=_RETRY)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            async with asyncio.timeout(None if has_begun else self._seconds):
                await turn
        except BaseException as error:
            self._leave(client, turn)
            if isinstance(error, TimeoutError):
                detail = f"this was not begun within {self._seconds:g} s: others are worked on"
                raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_RETRY) from None
            raise

    def _leave(self, client: str, turn: asyncio.Future[None]) -> None:
        """Give up waiting, or the place that has just been given."""
        if turn.done() and not turn.cancelled():
            self._give_back(client)
            return
        queue = self._waiting.get(client)
        if queue and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._waiting[client]

    def _give_back(self, client: str) -> None:
        self._free += 1
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        self._call_next()

    def _call_next(self) -> None:
        """Give free places to those whose turn it is: clients one after the other."""
        while found := next(filter(self._may_run, self._waiting), None):
            queue = self._waiting.pop(found)
            turn = queue.popleft()
            if queue:
                self._waiting[found] = queue  # behind the others
            if not turn.done():
                self._run(found)
                turn.set_result(None)

    def _may_run(self, client: str) -> bool:
        return self._free > 0 and self._running[client] < self._most_of_one

    def _run(self, client: str) -> None:
        self._free -= 1
        self._running[client] += 1


class Seats:
    """Places of those who stay; one client gets half of them."""

    def __init__(self, most: int = _MOST_LIVE) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def seat(self, client: str) -> Iterator[None]:
        """Hold one of them.

        Raises:
            Problem: there is none, or none for this client.
        """
        if self._taken[client] >= self._most // 2:
            detail = (
                f"{self._taken[client]} live streams of yours are open already; one with "
                "`?streams=` carries many jobs"
            )
            status, allowed = HTTPStatus.TOO_MANY_REQUESTS, {"open": self._most // 2}
            raise Problem(status, detail, allowed=allowed, headers=_RETRY)
        if self._taken.total() >= self._most:
            detail = f"{self._most} live streams are open, and no more are possible here"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers=_RETRY)
        self._taken[client] += 1
        try:
            yield
        finally:
            self._taken[client] -= 1
            self._taken += Counter()  # without those that hold none


class Shares:
    """The lanes of one application, and the seats of those who follow live."""

    def __init__(self) -> None:
        self.heavy = Lane(_HEAVY_PLACES)
        self.light = Lane(_LIGHT_PLACES)
        self.watching = Lane(_WATCHING_PLACES)
        """Of who looks after the deployment: its numbers take long where it is large."""
        # a shipper that hears nothing for some seconds asks again
        self.appending = Lane(_APPENDING_PLACES, most_waiting=_MOST_APPENDS_WAITING, seconds=2.0)
        self.live = Seats()

    def lane_of(self, scope: Scope) -> Lane:
        """Return where a question is worked on."""
        if scope["path"] in _WATCHING:
            return self.watching
        if scope["path"].endswith(_HEAVY) or scope["path"].startswith(STREAMS):
            return self.heavy
        caller = scope["state"]["caller"]
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        is_heavy = bool(asked.keys() & _HEAVY_PARAMETERS) or (caller and caller.jobs)
        return self.heavy if is_heavy else self.light


class Shared:
    """Has questions wait for a place, and hold it until their answer begins."""

    def __init__(self, app: ASGIApp, shares: Shares) -> None:
        self._app = app
        self._shares = shares

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on when there is a place."""
        path = scope.get("path", "")
        if not path.startswith(_SHARED) or path.endswith(_OTHERS) or _appends(scope):
            await self._app(scope, receive, send)
            return
        try:
            if is_endless(scope):
                with self._shares.live.seat(client_of(scope)):
                    await self._app(scope, receive, send)
            else:
                await self._ask(scope, receive, send)
        except Problem as problem:
            await problem.response(path)(scope, receive, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as place:
            await place.enter_async_context(self._shares.lane_of(scope).place(client_of(scope)))

            async def send_on(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await place.aclose()
                await send(message)

            await self._app(scope, receive, send_on)


def _appends(scope: Scope) -> bool:
    """Tell whether a request has a place among those that append."""
    return bool(scope["path"].startswith(STREAMS) and scope["method"] != "GET")


def client_of(scope: Scope) -> str:
    """Return who shares: a caller at an address."""
    caller = scope["state"]["caller"]
    address = (scope.get("client") or ("",))[0]
    return f"{caller.name if caller else ''}@{address}"
