"""The logger that reports to the job's stream."""

from __future__ import annotations

import atexit
import threading
import weakref
from typing import TYPE_CHECKING, Any

from synapse_stream.encoding import encode, encode_plainest_metrics
from synapse_stream.errors import RunEnded
from synapse_stream.loggers.base import BaseLogger
from synapse_stream.producer.producer import Producer
from synapse_stream.redaction.body import compiled, redact_body
from synapse_stream.settings import Settings
from synapse_stream.signals import is_plugins_own

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_stream.log.event_log import EventLog

_loggers: weakref.WeakSet[StreamLogger] = weakref.WeakSet()


class StreamLogger(BaseLogger):
    """Turns each report into an event of the job's stream, exactly once and in order.

    A report call encodes the event and copies it to the spool; it waits neither for the server nor
    for a disk. Thread-safe. A forked child goes on as a producer of its own; its `end_log` ends
    only its own part.

    Args:
        rank: number of this process among those that report; the run ends when rank 0 ends.
        open_log: makes the connection to the log; by default from `settings`.
    """

    def __init__(
        self,
        job_id: str,
        settings: Settings | None = None,
        *,
        rank: int = 0,
        open_log: Callable[[], EventLog] | None = None,
    ) -> None:
        super().__init__(job_id)
        self._job_id = job_id
        self._settings = settings or Settings.load()
        self.strict = self._settings.strict
        self._rules = compiled(self._settings.redact_rules)
        self._rank = rank
        self._open_log = open_log
        self._is_child = False
        self._reopening = threading.RLock()
        self._last_word: dict[str, Any] | None = None
        self._producer: Producer | None = Producer(
            job_id, self._settings, self._open_log, rank=rank
        )
        _loggers.add(self)

    def record(self, kind: str, step: str | None, fields: dict[str, Any]) -> None:
        """Encode one event and hand it to the spool.

        Raises:
            RunEnded: the run has ended.
        """
        if kind == "end":
            self._last_word = fields
            return
        producer = self._producer or self._reopen()
        for body in encode(kind, step, fields):
            producer.append(kind, body if kind == "metrics" else redact_body(body, self._rules))

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, x: float | None = None
    ) -> None:
        """Record numbers by name; what nearly every call passes takes a shorter way."""
        at = self.current_step if step is None else step
        body = encode_plainest_metrics(value, at) if x is None else None
        if body is None or self.has_ended or self._producer is None:
            super().set_metrics(value, step, x=x)
        else:
            try:
                self._producer.append("metrics", body)
            except RunEnded:
                raise
            except BaseException as failure:
                if is_plugins_own(failure):
                    raise
                self.complain(failure)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything accepted so far is in the stream; False after `timeout` seconds."""
        return self._producer is None or self._producer.flush(timeout)

    def close(self) -> None:
        """Record the last event and wait a bounded time until the server has everything.

        Without an `end` before, the producer leaves and the run goes on, and where nothing was
        reported, nothing is left. Calling it again does nothing.
        """
        producer = self._producer
        if producer is None or (self._last_word is None and producer.discard()):
            return
        last_word = {"error": None, "result": None, **(self._last_word or {}), "rank": self._rank}
        if self._is_child or self._last_word is None:
            last_word["status"] = None
        (body,) = encode("end", None, last_word)
        producer.close("end", redact_body(body, self._rules))

    def wait_ready(self, timeout: float) -> None:
        """Wait until the server was reached.

        Raises:
            ConfigError: the server holds a deployment that is not the one of our settings.
            LogUnavailable: it did not answer within `timeout` seconds.
        """
        if self._producer is not None:
            self._producer.wait_ready(timeout)

    @property
    def spool_path(self) -> str:
        """Where events wait until the server has them."""
        return self._producer.place if self._producer else str(self._settings.spool_root)

    def leave_to_parent(self) -> None:
        """Start anew in a forked child at the next report: spool and threads are the parent's."""
        super().leave_to_parent()
        self._reopening = threading.RLock()
        self._is_child = True
        self._producer = None

    def _reopen(self) -> Producer:
        with self._reopening:
            if self._producer is None:
                producer = Producer(self._job_id, self._settings, self._open_log, rank=None)
                if self._producer is not None:  # a signal handler's report was faster
                    producer.discard()  # type: ignore[unreachable]
                    return self._producer
                self._producer = producer
                _close_with_multiprocessing(self)
            return self._producer


def _close_with_multiprocessing(logger: StreamLogger) -> None:
    """See that a `multiprocessing` child, which runs no atexit hooks, closes its logger."""
    from multiprocessing.util import Finalize  # noqa: PLC0415 - needed in forked children only

    Finalize(logger, logger.close, exitpriority=100)


@atexit.register
def _close_all() -> None:
    for logger in list(_loggers):
        logger.close()
