"""The way to one server: one connection and one thread for all producers of a process.

A round takes a batch of every producer that has something to send, and sends them together. What
is wrong with the whole server makes all of them wait; what is wrong with one job's keys only its
own.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Protocol

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.producer.shipping.line import Line
from synapse_stream.producer.shipping.pace import SMALL_BYTES, Pace
from synapse_stream.producer.shipping.shipper import MAX_BATCH_BYTES
from synapse_stream.producer.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.producer.shipping.port import Log


class Member(Protocol):
    """A producer, as its lane sees it."""

    hurries: bool
    """True while somebody waits until all is sent."""

    def due(self, now: float) -> float:
        """Return when there is something to do, on the monotonic clock."""

    def take(self) -> Batch | None:
        """Return the next batch; None when there is nothing to send.

        Raises OSError when the spool cannot be read.
        """

    def settle(self, log: Log, ack: Ack | None) -> None:
        """Go on behind what the server answered to what was taken.

        Raises:
            LogUnavailable, ConfigError: the server did not take it after all.
        """

    def fail(self, error: ConfigError | LogUnavailable, now: float) -> None:
        """Note that nothing can be sent at the moment."""


class Lane(Worker[Member]):
    """Ships for its members; where it has no thread, those do who wait in `pump`."""

    def __init__(self, open_log: Callable[[], Log]) -> None:
        super().__init__("synapse-stream-shipper")
        self.line = Line(open_log)
        self.given_up_until = 0.0
        """Until then nobody waits for the end of a run: another just did, in vain."""
        self._turn = threading.Lock()  # of who ships
        self._pace = Pace()
        self._next = -inf  # when a round of small batches may begin

    @property
    def is_open(self) -> bool:
        """True while the server takes what it is sent."""
        return self.line.is_open

    def work(self) -> None:
        """Give every member that has something to send a turn."""
        with self._turn:
            now = time.monotonic()
            waiting: Sequence[Member] = [each for each in self.members if each.due(now) <= now]
            if now >= self._next or any(member.hurries for member in waiting):
                while waiting:
                    rest = self._round(waiting)
                    waiting = [member for member in rest if member.due(now) <= now]

    def due(self, now: float) -> float:
        """Return when the first of the members has something to do, and may."""
        if now < self._next and not any(member.hurries for member in self.members):
            return self._next
        return min((member.due(now) for member in self.members), default=inf)

    def listen(self, now: float) -> None:
        """Be woken by reports, unless they wait for company."""
        if now >= self._next:
            super().listen(now)

    def finish(self) -> None:
        """Close the connection."""
        if self._turn.acquire(blocking=False):
            try:
                if not self.members:
                    self.line.close()
            finally:
                self._turn.release()

    def pump(self, is_over: Callable[[], bool], deadline: float) -> None:
        """Ship in this thread while there is no other, until it `is_over` or the time is up."""
        while not self.has_thread and not is_over() and (now := time.monotonic()) < deadline:
            due = self.due(now)
            if due > now:
                time.sleep(min(due, deadline) - now)
            self.work()

    def _round(self, members: Sequence[Member]) -> Sequence[Member]:
        """Send a batch of each, up to a size; return those for whom there was no room."""
        with self._blamed(members[0]):
            self.line.connected()
        if not self.line.is_open:
            return ()
        taken: list[tuple[Member, Batch | None]] = []
        size = count = 0
        for member in members:
            if size >= MAX_BATCH_BYTES:
                break
            count += 1
            with self._blamed(member):
                batch = member.take()
                taken.append((member, batch))
                size += len(batch.data) if batch else 0
        self._send(self.line.connected(), taken)
        return members[count:]

    def _send(self, log: Log, taken: Sequence[tuple[Member, Batch | None]]) -> None:
        batches = [batch for _, batch in taken if batch]
        try:
            answers = log.append_all(batches) if batches else []
        except Exception as error:  # noqa: BLE001 - a fault of ours costs its producers a pause
            self.line.close()
            answers = [_failure(error)] * len(batches)
        self._look_at_pace(log, batches)
        failed: list[tuple[Member, LogUnavailable]] = []
        behind = iter(answers)
        for member, batch in taken:
            answer = next(behind) if batch else None
            if isinstance(answer, LogUnavailable):
                failed.append((member, answer))
                continue
            with self._blamed(member):
                member.settle(log, answer)
                self.given_up_until = 0.0
        for member, failure in failed:
            self._fail(member, failure)
            if self.line.is_cut_by(failure):
                return  # that was of all

    def _look_at_pace(self, log: Log, batches: Sequence[Batch]) -> None:
        is_small = all(len(batch.data) < SMALL_BYTES for batch in batches)
        if is_small and batches:
            self._pace.note(log.answer_seconds)
        self._next = time.monotonic() + self._pace.wait if is_small else -inf

    @contextmanager
    def _blamed(self, member: Member) -> Iterator[None]:
        """Have a member try again later when it, or the server on its behalf, raises something."""
        try:
            yield
        except ConfigError as error:
            self._fail(member, error)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs one producer a pause
            self._fail(member, _failure(error))

    def _fail(self, member: Member, error: ConfigError | LogUnavailable) -> None:
        is_cut = self.line.is_cut_by(error)
        if is_cut:
            self.line.close()
        now = time.monotonic()
        member.fail(error, now)
        if is_cut:
            of_all = LogUnavailable(error.reason) if isinstance(error, LogUnavailable) else error
            for each in self.members:
                if each is not member:
                    each.fail(of_all, now)


def _failure(error: Exception) -> LogUnavailable:
    if isinstance(error, LogUnavailable):
        return error
    if isinstance(error, OSError):
        return LogUnavailable(f"the spool cannot be read: {error}", is_refusal=True)
    return LogUnavailable(f"{type(error).__name__}: {error}", is_refusal=True)
