"""What answers may hold in memory while nobody reads them."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from consumers.api.outlet import Budget, Outlet

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

LARGE = 300 * 1024


async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer with much at once."""
    headers = [(b"content-length", str(LARGE).encode()), (b"content-type", b"text/csv")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * LARGE})


class Asked:
    """One request, and what of its answer was read."""

    def __init__(self, outlet: Outlet, address: str, *, reads: bool) -> None:
        self.messages: list[Message] = []
        self._reads = asyncio.Event()
        if reads:
            self._reads.set()
        scope = {
            "type": "http",
            "path": "/x",
            "headers": [],
            "client": (address, 1),
            "state": {"caller": None},
        }
        self.task = asyncio.create_task(outlet(scope, self._receive, self._send))

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    def read(self) -> None:
        self._reads.set()

    async def _send(self, message: Message) -> None:
        self.messages.append(message)
        await self._reads.wait()

    async def _receive(self) -> Any:
        raise AssertionError


def test_who_reads_nothing_is_refused_more_and_others_are_not() -> None:
    async def story() -> None:
        outlet = Outlet(answer)
        outlet._budget = Budget(4 * LARGE)
        stalled = [Asked(outlet, "1.1.1.1", reads=False) for _ in range(2)]
        await asyncio.sleep(0)
        third, other = Asked(outlet, "1.1.1.1", reads=True), Asked(outlet, "2.2.2.2", reads=True)
        await asyncio.gather(third.task, other.task)

        problem = json.loads(third.body)
        assert (third.status, problem["status"], problem["instance"]) == (503, 503, "/x")
        assert (b"retry-after", b"2") in third.messages[0]["headers"]
        assert (other.status, len(other.body)) == (200, LARGE)
        for reader in stalled:
            reader.read()
        await asyncio.gather(*(reader.task for reader in stalled))
        assert [len(reader.body) for reader in stalled] == [LARGE, LARGE]
        again = Asked(outlet, "1.1.1.1", reads=True)
        await again.task
        assert again.status == 200

    asyncio.run(story())


def test_who_leaves_holds_nothing() -> None:
    async def story() -> None:
        outlet = Outlet(answer)
        outlet._budget = Budget(2 * LARGE)
        for _ in range(5):
            gone = Asked(outlet, "1.1.1.1", reads=False)
            await asyncio.sleep(0)
            assert gone.status == 200
            gone.task.cancel()
            with suppress(asyncio.CancelledError):
                await gone.task

    asyncio.run(story())
