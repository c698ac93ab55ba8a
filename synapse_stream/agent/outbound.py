"""What many producers append, sent by few threads, each of which has one connection.

While a request is under way what comes collects, and goes together in the next one: the more
producers there are, the more batches has a request.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.producer.shipping.line import Line
from synapse_stream.remote.packing import MOST_BATCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.producer.shipping.port import Log

    Answer = Ack | LogUnavailable

SENDERS = 4
_MOST_BYTES = 1024 * 1024  # of lines in one request, or one batch more
_LAST_WAIT_SECONDS = 5.0
_IS_ENDING = LogUnavailable("the agent is ending; what is not appended stays with its producer")


class _Waiting(NamedTuple):
    batch: Batch
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Answer]


class Outbound:
    """Threads that send, from `start` to `stop`."""

    def __init__(self, open_log: Callable[[], Log]) -> None:
        self._open_log = open_log
        self._waiting: deque[_Waiting] = deque()
        self._has_more = threading.Condition()
        self._is_ending = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to send."""
        self._threads = [
            threading.Thread(target=self._run, name=f"outbound-{number}", daemon=True)
            for number in range(SENDERS)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the requests that are under way; refuse the rest."""
        with self._has_more:
            self._is_ending = True
            self._has_more.notify_all()
        for thread in self._threads:
            thread.join(_LAST_WAIT_SECONDS)
        while self._waiting:
            _answer([self._waiting.popleft()], [_IS_ENDING])

    async def append(self, batches: Sequence[Batch]) -> list[Answer]:
        """Append batches of different producers; return of each what became of it."""
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(batch, loop, loop.create_future()) for batch in batches]
        with self._has_more:
            if self._is_ending:
                return [_IS_ENDING] * len(batches)
            self._waiting.extend(waiting)
            self._has_more.notify()
        return await asyncio.gather(*(one.answer for one in waiting))

    def _run(self) -> None:
        line = Line(self._open_log)
        while some := self._take():
            answers: list[Answer]
            try:
                answers = line.connected().append_all([one.batch for one in some])
            except (LogUnavailable, ConfigError) as error:
                answers = [_unavailable(error)] * len(some)
            except Exception as error:  # noqa: BLE001 - who waits is answered, whatever it is
                answers = [_unavailable(error)] * len(some)
            _answer(some, answers)
            if any(isinstance(one, LogUnavailable) and line.is_cut_by(one) for one in answers):
                line.close()
        line.close()

    def _take(self) -> list[_Waiting]:
        """Return what waits, as much as goes in one request; nothing when it is over."""
        with self._has_more:
            self._has_more.wait_for(lambda: self._waiting or self._is_ending)
            if self._is_ending:
                return []
            some: list[_Waiting] = []
            size = 0
            while self._waiting and len(some) < MOST_BATCHES and size < _MOST_BYTES:
                some.append(self._waiting.popleft())
                size += len(some[-1].batch.data)
            if self._waiting:
                self._has_more.notify()
            return some


def _unavailable(error: Exception) -> LogUnavailable:
    if isinstance(error, LogUnavailable):
        return error
    return LogUnavailable(f"{type(error).__name__}: {error}")


def _answer(some: Sequence[_Waiting], answers: Sequence[Answer]) -> None:
    """Have those hear it who wait, in the loop where they do."""

    def tell() -> None:
        for one, answer in zip(some, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    with suppress(RuntimeError):  # nobody waits there any more
        some[0].loop.call_soon_threadsafe(tell)
