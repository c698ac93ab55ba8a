"""A producer: one logger in one process, with its spool, served by the threads of the crew.

The lane waits for the server, the keeper for the disk, and the plugin for neither.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError, LogUnavailable, RunEnded
from synapse_stream.events.encoding import encode
from synapse_stream.producer.adoption.adopt import Adopter
from synapse_stream.producer.beats import Beats
from synapse_stream.producer.crew import CREW
from synapse_stream.producer.remarks import Remarks
from synapse_stream.producer.shipping.heir import Origin
from synapse_stream.producer.shipping.journal import Journal
from synapse_stream.producer.shipping.port import opener
from synapse_stream.producer.shipping.shipper import Shipper
from synapse_stream.producer.spool.ended import Ended, note_ended
from synapse_stream.producer.spool.info import ProducerInfo
from synapse_stream.producer.spool.opening import move_in, open_spool, say_what_waits, server_of
from synapse_stream.saying import voice
from synapse_stream.system.descriptors import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.settings import Settings

_SIGN_SECONDS = 60.0
_HOLD_SECONDS = 2.0
(_HEARTBEAT,) = encode("heartbeat", None, {})


class Producer:
    """Accepts encoded events of one job and gets them into its stream.

    `append` is the report call's way in: thread-safe, it waits neither for the server nor for a
    disk. `due`, `take`, `settle` and `fail` are for its lane, `keep` is for the keeper.

    Args:
        parent: the producer that opened the run, if another one did.
        open_log: makes the connection to the log; None: as the settings say.
    """

    def __init__(
        self,
        job_id: str,
        settings: Settings,
        open_log: Callable[[], Log] | None = None,
        *,
        rank: int | None,
        parent: str | None = None,
    ) -> None:
        self.id = secrets.token_hex(8)
        self._settings = settings
        self._info = info = ProducerInfo.of(settings, self.id, job_id, rank, parent)
        server = server_of(settings) if open_log is None else open_log
        self._open_log = open_log = open_log or opener(settings)
        self._lane = CREW.lane(server, open_log)
        self._spool = open_spool(info, settings, self._lane.bell, CREW.keeper.bell)
        try:
            self.journal = Journal([home.path for home in self._spool.homes()])
            origin = Origin(info.owner.host, info.owner.pid, rank)
            self._shipper = Shipper(
                self._spool, self.id, self._lane.line, origin=origin, notes=self.journal
            )
        except BaseException:  # Ctrl-C, or no memory is left
            self._spool.remove()
            raise
        self._beats = Beats(settings.heartbeat_seconds)
        self.hurries = self._is_closed = self._is_parting = False
        self._has_parted = threading.Event()
        self._remarks = Remarks(self._spool, settings.quota_bytes_a_second)
        self._retry_at = self._sign_at = self._hold_at = self._settle_at = 0.0
        self.append = self._spool.append
        self._lane.join(self)
        CREW.keeper.join(self)
        CREW.adopt(settings, open_log, self._lane)

    @property
    def last(self) -> int:
        """Number of the last event that was accepted; -1: none was."""
        return self._spool.next - 1

    @property
    def place(self) -> str:
        """Where events wait until the server has them, for people."""
        return self._spool.place

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server was reached.

        Raises:
            ConfigError: the server holds a deployment that is not the one of our settings.
            LogUnavailable: it did not answer within `timeout` seconds.
        """
        has_answered = self._shipper.has_answered
        deadline = time.monotonic() + timeout
        self._lane.pump(has_answered.is_set, deadline)
        answered = has_answered.wait(max(0.0, deadline - time.monotonic()))
        trouble = self._shipper.trouble
        if trouble is not None:
            raise trouble
        if not answered:
            msg = f"{self._settings.server} did not answer within {timeout:g} s"
            raise LogUnavailable(msg)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything accepted so far is in the stream; False after `timeout` seconds."""
        target = self._spool.next - 1
        self._wait(lambda: self._spool.acknowledged >= target or self._is_closed, timeout)
        return self._spool.acknowledged >= target

    def adopt_children(self, timeout: float) -> None:
        """Send what dead children left, in at most `timeout` seconds, if there is a server."""
        deadline = time.monotonic() + timeout
        with suppress(ConfigError, LogUnavailable):
            self.wait_ready(timeout)
            names = [child.producer for child in self.journal.children() if child.producer]
            Adopter(self._settings, self._open_log).adopt_children(names, deadline)

    def close(self, kind: str, body: bytes, timeout: float | None = None) -> None:
        """Accept the last event, wait a bounded time, and leave what is unsent to the spool.

        Afterwards `append` raises RunEnded. Calling it again does nothing.
        """
        if self._is_closed:
            return
        with suppress(RunEnded):
            self._remarks.make(time.monotonic())  # a short run may end before the keeper looks
        self._spool.seal(kind, body)
        seconds = self._settings.exit_wait_seconds if timeout is None else timeout
        is_sent = self._wait_for_the_end(seconds)
        self._is_parting = True  # first, or the keeper would let go of it
        self._leave()
        self._park()
        self._lane.wait_finished(self._settings.connect_seconds)
        if not is_sent:
            say_what_waits(self._spool)

    def discard(self) -> bool:
        """Leave no trace, if nothing was accepted; False when something was."""
        if not self._spool.seal_unused():
            return False
        self._leave()
        CREW.keeper.leave(self)
        self._spool.remove()
        self._lane.wait_finished(self._settings.connect_seconds)
        return True

    def due(self, now: float) -> float:
        """Return when there is something to send."""
        if self._retry_at:
            return now if self.hurries else self._retry_at
        if self._spool.has_news or not self._shipper.has_answered.is_set():
            return now
        return inf if self._spool.is_sealed else self._beats.due(self._spool.next, now)

    def take(self) -> Batch | None:
        """Return the next batch; if there is none, one with a sign of life, or None."""
        if self._shipper.has_answered.is_set() and not self._spool.has_news and not self._retry_at:
            self._beat()
        return self._shipper.take()

    def settle(self, log: Log, ack: Ack | None) -> None:
        """Go on behind what the server answered to what was taken; raises as `Shipper.ship`."""
        self._shipper.settle(log, ack)
        self._retry_at = 0.0
        self.hurries = self.hurries and self._spool.has_news
        self._spool.prepare()

    def fail(self, error: ConfigError | LogUnavailable, now: float) -> None:
        """Try again after a pause, longer each time."""
        self.hurries = False
        self._retry_at = now + self._shipper.fail(error)
        self._spool.prepare()

    def keep(self, now: float) -> bool:
        """Do what may wait for a disk; False when nothing is left to do."""
        try:
            if not self._is_closed and self._spool.needs_care:
                self._settle_in(now)
                self._spool.report_loss()
                self._spool.tidy(now)
                self._remarks.make(now)
        except RunEnded:
            pass  # sealed between our look and our call
        except Exception:  # noqa: BLE001 - the keeper looks after others, too
            voice.fault("job %s: the spool's keeper failed and tries again", self._spool.job_id)
        self._sign(now)
        if self._is_parting and self._is_closed:
            self._part()
        return not self._is_closed

    @SET_ASIDE.lent()
    def _part(self) -> None:
        try:
            self._settle_in(inf)
            self.journal.settle()
            self._spool.park()
            self._note_ended()
        except Exception:  # noqa: BLE001 - what is left is still a spool
            voice.fault("job %s: the spool stays where it is", self._spool.job_id)
            self._spool.release()
        self._has_parted.set()

    def _settle_in(self, now: float) -> None:
        """Have homes that could not be made before, for want of a file to open or of room."""
        if self._spool.home is None and now >= self._settle_at:
            self._settle_at = now + _HOLD_SECONDS
            homes = move_in(self._spool, self._info, self._settings)
            if homes:
                self.journal.move_in(homes)

    def _sign(self, now: float) -> None:
        """Leave signs of life and ownership for other hosts."""
        if now >= self._hold_at:
            self._hold_at = now + _HOLD_SECONDS
            for home in self._spool.homes():
                home.hold()
        if now >= self._sign_at:
            self._sign_at = now + _SIGN_SECONDS
            self.journal.spread()
            for home in self._spool.homes():
                home.sign()

    def _note_ended(self) -> None:
        """Spare those who look after dead processes' spools a look into this one."""
        number, link = self.journal.progress.acknowledged
        deployment, job = self._lane.line.deployment, self._spool.job_id
        is_sent = self._spool.acknowledged == self._spool.next - 1
        has_strays = any(child.is_far for child in self.journal.children())  # to be looked for
        if is_sent and deployment is not None and not has_strays:
            name, now = self._shipper.producer, time.time()
            ended = Ended(self.id, job, name, number, link.hex(), deployment, now)
            note_ended(self._settings.spool_root, ended)

    def _beat(self) -> None:
        with suppress(RunEnded):  # sealed meanwhile
            self._spool.append("heartbeat", _HEARTBEAT)

    def _wait(self, is_over: Callable[[], bool], timeout: float | None) -> None:
        """Have everything sent at once, and wait until it `is_over` or the time is up."""
        deadline = inf if timeout is None else time.monotonic() + timeout
        self.hurries = True
        self._lane.bell.ring()
        self._lane.pump(is_over, deadline)
        with self._shipper.progress:
            rest = None if timeout is None else max(0.0, deadline - time.monotonic())
            self._shipper.progress.wait_for(is_over, rest)

    def _wait_for_the_end(self, seconds: float) -> bool:
        """Wait for the last acknowledgement; not for a server that let others wait in vain."""
        last = self._spool.next - 1
        shipper, lane = self._shipper, self._lane
        failed_before = shipper.failures

        def is_over() -> bool:
            never = not shipper.has_succeeded and shipper.failures > failed_before
            is_hopeless = never or time.monotonic() < lane.given_up_until
            return self._spool.acknowledged >= last or is_hopeless

        self._wait(is_over, seconds)
        is_sent = self._spool.acknowledged >= last
        if not is_sent and not getattr(shipper.trouble, "is_refusal", False):
            lane.given_up_until = time.monotonic() + self._settings.exit_wait_seconds
        return is_sent

    def _leave(self) -> None:
        self._is_closed = True
        self._lane.leave(self)
        with self._shipper.progress:
            self._shipper.progress.notify_all()

    def _park(self) -> None:
        """Have the keeper leave the spool to whoever comes next; it may have to wait for the disk.

        Where there is no keeper, what is unsent stays where it is.
        """
        CREW.keeper.bell.ring()
        if CREW.keeper.has_thread:
            self._has_parted.wait(self._settings.connect_seconds)
            return
        CREW.keeper.leave(self)
        if self._spool.has_news:
            self._spool.release()
        else:
            self._part()
