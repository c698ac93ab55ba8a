"""The shipper: sends what the spool holds to the log, exactly once, for as long as it takes.

It keeps no list of what is in flight. After every answer it goes on behind the number that the
server names: a lost reply, a repeated batch and a server that lost its tail are all the same case.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING, Protocol

from synapse_stream.batch import GENESIS, Batch, seal
from synapse_stream.encoding import encode
from synapse_stream.log.event_log import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.errors import ConfigError, LogUnavailable
    from synapse_stream.log.event_log import Ack, EventLog
    from synapse_stream.producer.segment import Chunk

_logger = logging.getLogger("synapse_stream")

MAX_BATCH_BYTES = 1024 * 1024  # more than one event of the largest size
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 5.0


class Source(Protocol):
    """What is to be sent: the spool of this process, or what a dead one left."""

    job_id: str

    @property
    def place(self) -> str:
        """Where the events wait, for people."""

    def read(self, number: int, max_bytes: int) -> Chunk | None:
        """Return lines from `number` on, or later ones where those are no longer kept."""

    def acknowledge(self, number: int) -> None:
        """Note that the server has everything up to `number`."""


class Shipper:
    """One producer's way into the log. `ship` is called by one thread at a time."""

    def __init__(self, source: Source, producer: str, open_log: Callable[[], EventLog]) -> None:
        self._source = source
        self._producer = producer
        self._open_log = open_log
        self._log: EventLog | None = None
        self._next = 0
        self._hash = GENESIS
        self._said: set[str] = set()
        self.failures = 0
        """Failed attempts since the last one that succeeded."""
        self.has_succeeded = False
        """True once the server took something or said that it would."""
        self.trouble: ConfigError | LogUnavailable | None = None
        """Why the last attempt failed; None after one that succeeded."""
        self.has_answered = threading.Event()
        """Set when the first attempt to reach the server is over, whatever came of it."""
        self.progress = threading.Condition()
        """Notified at every success and failure."""

    def ship(self) -> bool:
        """Send the next batch; False when there is nothing to send.

        Raises:
            LogUnavailable: the server did not take it; calling again is right.
            ConfigError: this server is not ours to write to.
        """
        log = self._connected()
        chunk = self._source.read(self._next, MAX_BATCH_BYTES)
        if chunk is not None:
            ack = log.append(self._batch(chunk))
            if ack.outcome is Outcome.GAP:
                log.check()  # a server that lost its tail may be another, or an emptied one
            self._follow(ack)
        self._succeed()
        return chunk is not None

    def ship_all(self) -> None:
        """Send all there is.

        Raises:
            LogUnavailable, ConfigError: as `ship`.
        """
        while self.ship():
            pass

    def find_place(self) -> int:
        """Ask the server for the last number that it has of this producer, and go on behind that.

        Raises:
            LogUnavailable, ConfigError: as `ship`.
        """
        self._follow(self._connected().head(self._source.job_id, self._producer))
        return self._next - 1

    def fail(self, error: ConfigError | LogUnavailable) -> float:
        """Note a failure, say a new reason once, and return the seconds to pause."""
        self.close()
        reason = getattr(error, "reason", str(error))
        if reason not in self._said:
            self._said.add(reason)
            _logger.warning(
                "job %s: events wait in %s until the server takes them: %s",
                self._source.job_id, self._source.place, error,
            )  # fmt: skip
        with self.progress:
            self.trouble = error
            self.failures += 1
            self.progress.notify_all()
        self.has_answered.set()
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(self.failures, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads the attempts of many producers

    def close(self) -> None:
        """Drop the connection; the next attempt makes a new one."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _connected(self) -> EventLog:
        if self._log is None:
            log = self._open_log()
            try:
                log.check()
            except BaseException:
                log.close()
                raise
            self._log = log
        return self._log

    def _follow(self, ack: Ack) -> None:
        self._next = ack.last + 1
        self._hash = ack.hash
        self._source.acknowledge(ack.last)

    def _succeed(self) -> None:
        if self._said:
            _logger.warning("job %s: the server takes events again", self._source.job_id)
            self._said.clear()
        with self.progress:
            self.trouble = None
            self.failures = 0
            self.has_succeeded = True
            self.progress.notify_all()
        self.has_answered.set()

    def _batch(self, chunk: Chunk) -> Batch:
        if chunk.first == self._next:
            first, last, data = chunk
        else:  # the server lost more than the spool still keeps
            first, last = self._next, chunk.first - 1
            data = _loss_line(first, last)
        return seal(self._hash, self._source.job_id, self._producer, first, last, data)


def _loss_line(first: int, last: int) -> bytes:
    fields = {
        "counts": {"unknown": last - first + 1},
        "first": first,
        "last": last,
        "reason": "the server no longer has these events and the spool does not keep them any more",
    }
    (body,) = encode("loss", None, fields)
    return b'{"seq":%d,"time":%d,%b\n' % (last, time.time_ns() // 1000, body)
