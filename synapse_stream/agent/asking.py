"""What the agent asks for others: few threads, one connection each at most."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from synapse_stream.errors import LogUnavailable
from synapse_stream.producer.shipping.line import Line
from synapse_stream.remote.passing import Passing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.agent.relay import Request
    from synapse_stream.entries.answers import Ack
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.settings import Settings

ASKERS = 4
Found = TypeVar("Found")
_KNOWN_SECONDS = 5.0
_PAGE = 1_000
_NO_API = (
    "this agent sends to a server, and only an API takes what other programs send; "
    "give the agent SYNAPSE_STREAM_URL"
)


class Asking:
    """Asks the log, and passes on to the API behind it."""

    def __init__(self, open_log: Callable[[], Log], api: Settings | None) -> None:
        """Ask what `open_log` opens, and the API that `api` reaches, if there is one."""
        self._line = Line(open_log)
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(ASKERS, thread_name_prefix="asking")
        self._passing = Passing(api) if api else None
        self._known: tuple[float, str | None] = (-_KNOWN_SECONDS, None)

    async def deployment(self) -> dict[str, Any]:
        """Return which deployment it is, asked a few seconds ago at most, and the time."""
        asked, found = self._known
        if time.monotonic() - asked > _KNOWN_SECONDS:
            found = await self._ask(lambda log: log.check())
            self._known = (time.monotonic(), found)
        return {"id": found, "now_ms": time.time_ns() // 1_000_000}

    async def heads(self, producers: Sequence[tuple[str, str]]) -> list[Ack]:
        """Return how far producers have come."""
        return await self._ask(lambda log: log.heads(producers))

    async def written(self, job_id: str, producer: str, begin: int) -> dict[str, Any]:
        """Return a page of the batches that a job's stream has of a producer."""

        def look(log: Log) -> dict[str, Any]:
            found = list(islice(log.written(job_id, producer), begin, begin + _PAGE + 1))
            shown = [{**one._asdict(), "hash": one.hash.hex()} for one in found[:_PAGE]]
            return {"batches": shown, "next": begin + _PAGE if len(found) > _PAGE else None}

        return await self._ask(look)

    async def passed_on(self, request: Request) -> tuple[int, bytes, dict[str, str]]:
        """Pass a request on to the API, with our token; return its answer."""
        if self._passing is None:
            raise LogUnavailable(_NO_API, is_refusal=True)
        target = f"{request.path}?{request.query}" if request.query else request.path
        ask = partial(self._passing.pass_on, request.method, target, request.headers, request.body)
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def close(self) -> None:
        """Disconnect, when what is asked is answered."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._line.close()

    async def _ask(self, question: Callable[[Log], Found]) -> Found:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(self._ask_now, question)
        )

    def _ask_now(self, question: Callable[[Log], Any]) -> Any:
        with self._lock:
            log = self._line.connected()
        try:
            return question(log)
        except LogUnavailable as error:
            if self._line.is_cut_by(error):
                with self._lock:
                    self._line.close()
            raise
