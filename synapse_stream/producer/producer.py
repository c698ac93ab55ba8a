"""A producer: one logger in one process, with its spool and its three threads.

The shipper thread waits for the server, the keeper thread waits for the disk, the adopter thread
for both, and the plugin waits for none of them.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from synapse_stream.encoding import encode
from synapse_stream.errors import ConfigError, LogUnavailable, RunEnded
from synapse_stream.producer.adopt import Adopter
from synapse_stream.producer.doorbell import Doorbell
from synapse_stream.producer.heir import Origin
from synapse_stream.producer.home import Home, ProducerInfo, hot_root
from synapse_stream.producer.shelf import Shelf
from synapse_stream.producer.shipper import Shipper
from synapse_stream.producer.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream")

_TIDY_SECONDS = 0.5
_ADOPT_SECONDS = 5.0
(_HEARTBEAT,) = encode("heartbeat", None, {})


class Producer:
    """Accepts encoded events of one job and gets them into its stream.

    `append` is the report call's way in: thread-safe, it waits neither for the server nor for a
    disk.
    """

    def __init__(
        self, job_id: str, settings: Settings, open_log: Callable[[], EventLog], *, rank: int | None
    ) -> None:
        self.id = secrets.token_hex(8)
        self._settings = settings
        info = ProducerInfo(
            producer=self.id,
            job_id=job_id,
            rank=rank,
            host=socket.gethostname(),
            pid=os.getpid(),
            namespace=settings.namespace,
            server=settings.server,
        )
        self._doorbell = Doorbell()
        self._spool = _open_spool(info, settings, self._doorbell)
        origin = Origin(info.host, info.pid, rank)
        self._shipper = Shipper(self._spool, self.id, open_log, origin=origin)
        self._adopter = Adopter(settings, open_log)
        self._stop = threading.Event()
        self._hurry = threading.Event()
        self._is_parking = False
        self.append = self._spool.append
        self._threads = [
            threading.Thread(target=self._ship, name="synapse-stream-shipper", daemon=True),
            threading.Thread(target=self._keep, name="synapse-stream-keeper", daemon=True),
            threading.Thread(target=self._adopt, name="synapse-stream-adopter", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

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
        answered = self._shipper.has_answered.wait(timeout)
        trouble = self._shipper.trouble
        if trouble is not None:
            raise trouble
        if not answered:
            msg = f"{self._settings.server} did not answer within {timeout:g} s"
            raise LogUnavailable(msg)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything accepted so far is in the stream; False after `timeout` seconds."""
        target = self._spool.next - 1
        self._hurry.set()
        with self._shipper.progress:
            self._shipper.progress.wait_for(
                lambda: self._spool.acknowledged >= target or self._stop.is_set(), timeout
            )
        return self._spool.acknowledged >= target

    def close(self, kind: str, body: bytes) -> None:
        """Accept the last event, wait a bounded time, and leave what is unsent to the spool.

        Afterwards `append` raises RunEnded. Calling it again does nothing.
        """
        if self._stop.is_set():
            return
        self._spool.seal(kind, body)
        is_sent = self._wait_for_the_end()
        self._is_parking = True
        self._halt()
        if not is_sent:
            waiting = self._spool.next - 1 - self._spool.acknowledged
            _logger.warning(
                "job %s: %d events wait in %s; the next run on this host sends them, "
                "or `synapse-stream drain`",
                self._spool.job_id,
                waiting,
                self._spool.place,
            )

    def discard(self) -> bool:
        """Leave no trace, if nothing was accepted; False when something was."""
        if not self._spool.seal_unused():
            return False
        self._halt()
        self._spool.remove()
        return True

    def _halt(self) -> None:
        self._stop.set()
        self._hurry.set()
        with self._shipper.progress:
            self._shipper.progress.notify_all()
        self._doorbell.ring()
        self._spool.crowding.ring()
        for thread in self._threads[:2]:  # the adopter may be in the middle of a long piece of work
            thread.join(self._settings.connect_seconds)

    def _wait_for_the_end(self) -> bool:
        """Wait for the last acknowledgement; not long for a server that never answered."""
        last = self._spool.next - 1
        shipper = self._shipper
        failed_before = shipper.failures

        def is_over() -> bool:
            hopeless = not shipper.has_succeeded and shipper.failures > failed_before
            return self._spool.acknowledged >= last or hopeless

        self._hurry.set()
        with shipper.progress:
            shipper.progress.wait_for(is_over, self._settings.exit_wait_seconds)
        return self._spool.acknowledged >= last

    def _ship(self) -> None:
        while not self._stop.is_set():
            try:
                is_busy = self._shipper.ship()
                self._spool.prepare()
            except (LogUnavailable, ConfigError) as error:
                self._back_off(error)
            except OSError as error:
                self._back_off(LogUnavailable(f"the spool cannot be read: {error}"))
            except Exception as error:  # the thread must outlive a fault of ours
                if self._shipper.failures == 0:
                    _logger.exception("job %s: the shipper failed", self._spool.job_id)
                self._back_off(LogUnavailable(f"{type(error).__name__}: {error}"))
            else:
                if not is_busy:
                    self._rest()
        self._shipper.close()

    def _rest(self) -> None:
        self._doorbell.arm()
        if self._spool.has_news or self._stop.is_set():
            return
        if not self._doorbell.wait(self._settings.heartbeat_seconds) and not self._spool.is_sealed:
            self._spool.append("heartbeat", _HEARTBEAT)

    def _back_off(self, error: ConfigError | LogUnavailable) -> None:
        pause = self._shipper.fail(error)
        self._spool.prepare()
        self._hurry.wait(pause)
        self._hurry.clear()

    def _keep(self) -> None:
        said = None
        while not self._stop.is_set():
            self._spool.crowding.wait(_TIDY_SECONDS)
            try:
                self._spool.report_loss()
                self._spool.tidy(time.monotonic())
                said = self._say_trouble(said)
            except RunEnded:
                continue  # sealed between our look and our call
            except Exception:
                _logger.exception(
                    "job %s: the spool's keeper failed and tries again", self._spool.job_id
                )
        if self._is_parking:  # here and not in `close`, which must not wait for a disk that hangs
            self._spool.park()

    def _adopt(self) -> None:
        self._stop.wait(_TIDY_SECONDS)  # what is our own goes first
        while not self._stop.is_set():
            try:
                if self._shipper.has_succeeded and self._shipper.trouble is None:
                    self._adopter.adopt()  # else the server would not take theirs either
            except Exception:
                _logger.exception("job %s: looking after other spools failed", self._spool.job_id)
            self._stop.wait(_ADOPT_SECONDS)

    def _say_trouble(self, said: str | None) -> str | None:
        trouble = self._spool.trouble
        if trouble is None or str(trouble) == said:
            return said
        _logger.warning(
            "job %s: the spool %s has no room: %s; free some, or set SYNAPSE_STREAM_SPOOL_DIR",
            self._spool.job_id, self._spool.place, trouble,
        )  # fmt: skip
        return str(trouble)


def _open_spool(info: ProducerInfo, settings: Settings, doorbell: Doorbell) -> Spool:
    """Open the spool where there is room; without any, events wait in memory and that is said."""
    root = hot_root(settings.spool_root) if settings.spool_memory_bytes else None
    hot = _create_home(root, replace(info, has_memory=True)) if root else None
    cold = _create_home(settings.spool_root, replace(info, has_memory=hot is not None))
    return Spool(info.job_id, Shelf(settings, hot=hot, cold=cold), doorbell)


def _create_home(root: Path, info: ProducerInfo) -> Home | None:
    try:
        return Home.create(root, info)
    except OSError as error:
        _logger.warning(
            "job %s: no spool in %s: %s; set SYNAPSE_STREAM_SPOOL_DIR to a directory with room",
            info.job_id,
            root,
            error,
        )
        return None
