"""Answers under way: each ends within a second when who asked may have it no more.

So whatever takes long, a live stream, a long poll, an upload, a download or what goes on to another
backend, ends when the token or session is revoked, expired or signed out, or its run is long over.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

from anyio import CancelScope
from starlette.datastructures import Headers

from consumers.api.faults import TEAR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consumers.api.access import Access
    from consumers.api.finished import Finished
    from consumers.api.problems import Problem
    from consumers.api.tokens import Caller

_SECONDS = 0.2
_LAST_SECONDS = 0.3
"""For a reader that does not take what came before the end of its stream."""
_LIVE = "text/event-stream"


class Proof(NamedTuple):
    """What a caller has proved itself by."""

    caller: Caller
    token: str | None
    session: str | None


class Answer:
    """One of them, for who gives it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._work = CancelScope()
        self._end: asyncio.Task[None] | None = None
        self._kind: str | None = None
        """Media type of what has begun."""

    async def give(self, app: ASGIApp, receive: Receive) -> None:
        """Have `app` answer, until it has or the answer is ended."""
        with self._work:
            await app(self._scope, receive, self._pass)
        if self._end is not None:
            await self._end

    def end(self, why: Problem) -> None:
        """End it now, and say why if nothing of it went out yet."""
        if self._end is None:
            self._end = asyncio.create_task(self._refuse(why))
            self._work.cancel()

    async def _pass(self, message: Message) -> None:
        if self._end is not None:  # a thread has finished what is not wanted any more
            return
        if message["type"] == "http.response.start":
            self._kind = Headers(raw=message["headers"]).get("content-type", "")
        await self._send(message)

    async def _refuse(self, why: Problem) -> None:
        """Answer, end a live stream as every one ends, or tear what would else look whole."""
        if self._kind is None:
            answer = why.response(self._scope["path"])
            answer.headers["Connection"] = "close"  # of an upload nothing more is taken
            await answer(self._scope, self._receive, self._send)
            return
        if self._kind.startswith(_LIVE):
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._send({"type": "http.response.body", "body": b""})
                    return
        if tear := self._scope["state"].get(TEAR):
            tear()


class Underway:
    """All of them, looked through several times a second from `start` to `stop`.

    Belongs to the event loop.
    """

    def __init__(self, access: Access, finished: Finished) -> None:
        self._access = access
        self._finished = finished
        self._answers: dict[Proof, set[Answer]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def proofs(self) -> list[Proof]:
        """By what those are known who are being answered."""
        return list(self._answers)

    def start(self) -> None:
        """Begin to look."""
        self._tasks = [asyncio.create_task(each()) for each in (self._judge, self._judge_runs)]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @contextmanager
    def having(self, proof: Proof, answer: Answer) -> Iterator[None]:
        """Watch over an answer while it is given."""
        same = self._answers.setdefault(proof, set())
        same.add(answer)
        try:
            yield
        finally:
            same.discard(answer)
            if not same:
                self._answers.pop(proof, None)

    async def _judge(self) -> None:
        while True:
            await asyncio.sleep(_SECONDS)
            for proof in self.proofs:
                self._end(proof, self._access.why_no_more(proof.token, proof.session))

    async def _judge_runs(self) -> None:
        """End those whose run has ended; apart from the others, since views are asked for it."""
        while True:
            await asyncio.sleep(_SECONDS)
            for proof in self.proofs:
                self._end(proof, await self._finished.why_over(proof.caller))

    def _end(self, proof: Proof, why: str | None) -> None:
        for answer in self._answers.get(proof, ()) if why else ():
            answer.end(self._access.refusal(why))
