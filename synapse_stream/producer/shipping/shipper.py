"""The shipper: sends what the spool holds to the log, exactly once, for as long as it takes.

It keeps no list of what is in flight. After every answer it goes on behind the number that the
server names: a lost reply, a repeated batch and a server that lost its tail are all the same case.
But only if the hash that comes with the number is one of ours: else somebody else writes under our
name, and what is not surely there goes out again, under a new one.
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
from typing import TYPE_CHECKING

from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.batch import GENESIS, Batch, seal
from synapse_stream.events.encoding import encode, representable
from synapse_stream.log.pauses import pause_after
from synapse_stream.producer.shipping.heads import Heads
from synapse_stream.producer.shipping.heir import Origin, Renumbered
from synapse_stream.producer.shipping.line import Line
from synapse_stream.producer.spool.notes import Name
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from synapse_stream.entries.answers import Ack
    from synapse_stream.errors import ConfigError, LogUnavailable
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.producer.spool.segment import Chunk, Source

MAX_BATCH_BYTES = 1024 * 1024  # more than one event of the largest size
_LONGEST_PAUSE_SECONDS = 5.0
_USUAL_WAITS = 5  # in a row, of an API that asks to send less: that it does so is not said
_NOBODY = Origin("", 0, None)


class Notes:
    """What outlives the process of how far its shipper came; this one keeps nothing."""

    def rename(self, heir: Name) -> None:
        """Note under which name the events go on, before they do."""

    def send(self, number: int, link: bytes) -> None:
        """Note the head of a batch that is about to be sent."""

    def take(self, number: int, link: bytes) -> None:
        """Note the head that the server has."""

    def claim(self, deployment: str) -> None:
        """Note that a deployment accepted something."""


class Shipper:
    """One producer's way into the log. `ship` is called by one thread at a time.

    Args:
        source: the events.
        producer: name of who made them.
        line: the connection, or what makes one.
        origin: the process that made them, told to readers if another name goes on for it.
        heirs: names under which they went on already.
        notes: for whoever adopts them.
    """

    def __init__(
        self,
        source: Source,
        producer: str,
        line: Line | Callable[[], Log],
        *,
        origin: Origin = _NOBODY,
        heirs: Iterable[Name] = (),
        notes: Notes | None = None,
    ) -> None:
        self.producer = producer
        """The name that they are sent under now."""
        self.heads = Heads()
        """What the server may name as its newest."""
        self._events = self._source = source
        self._line = line if isinstance(line, Line) else Line(line)
        self._origin = origin
        self._notes = notes or Notes()
        self._shift = 0  # from numbers of `_source` to those of `_events`
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
        for heir in heirs:
            self._become(heir)

    def take(self) -> Batch | None:
        """Make the next batch; None when there is nothing to send.

        Raises:
            OSError: the spool cannot be read.
        """
        chunk = self._source.read(self._next, MAX_BATCH_BYTES)
        if chunk is None:
            return None
        batch = self._batch(chunk)
        self.heads.add(batch.last, batch.hash)
        self._notes.send(batch.last, batch.hash)
        return batch

    def settle(self, log: Log, ack: Ack | None) -> None:
        """Go on behind what the server answered to the batch; None: there was none to send.

        Raises:
            LogUnavailable, ConfigError: as `ship`.
        """
        if ack is not None:
            if ack.outcome is Outcome.GAP:
                log.check()  # a server that lost its tail may be another, or an emptied one
            self._follow(log, ack)
        self._succeed()

    def ship(self) -> bool:
        """Send the next batch; False when there is nothing to send.

        Raises:
            LogUnavailable: the server did not take it; calling again is right.
            ConfigError: this server is not ours to write to.
        """
        log = self._line.connected()
        batch = self.take()
        self.settle(log, log.append(batch) if batch else None)
        return batch is not None

    def ship_all(self) -> None:
        """Send all there is.

        Raises:
            LogUnavailable, ConfigError: as `ship`.
        """
        while self.ship():
            pass

    def trust(self, *heads: tuple[int, bytes]) -> None:
        """Believe a server that names one of these heads, or a lower number than the first of them.

        For an adopter: the head that its dead producer was last told, and that of the batch which
        it was sending. Without any, the server is believed whatever it says.
        """
        for head in heads:
            self.heads.add(*head)
        self.heads.forgotten = heads[0][0] - 1 if heads else sys.maxsize
        self._next = heads[0][0] + 1 if heads else 0

    def find_place(self) -> int:
        """Ask the server for the last number that it has of this producer, and go on behind that.

        Raises:
            LogUnavailable, ConfigError: as `ship`.
        """
        log = self._line.connected()
        (head,) = log.heads([(self._source.job_id, self.producer)])
        self._follow(log, head)
        return self._next - 1 + self._shift

    def fail(self, error: ConfigError | LogUnavailable) -> float:
        """Note a failure, say a new reason once, and return the seconds to pause."""
        reason, asked = getattr(error, "reason", str(error)), getattr(error, "retry_after", 0.0)
        is_usual = asked > 0 and self.failures < _USUAL_WAITS
        if reason not in self._said and not is_usual:
            self._said.add(reason)
            voice.warn(
                "job %s: events wait in %s until the server takes them: %s",
                self._source.job_id, self._source.place, error,
            )  # fmt: skip
        with self.progress:
            self.trouble = error
            self.failures += 1
            self.progress.notify_all()
        self.has_answered.set()
        return asked + pause_after(self.failures, _LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """Drop the connection; the next attempt makes a new one."""
        self._line.close()

    def _follow(self, log: Log, ack: Ack) -> None:
        if ack.outcome is not Outcome.APPENDED and not self.heads.has(ack.last, ack.hash):
            self._go_on_as_another(log)
            return
        self._next = ack.last + 1
        self._hash = ack.hash
        self._notes.take(ack.last, ack.hash)
        if ack.outcome is Outcome.APPENDED and self._line.deployment is not None:
            self._notes.claim(self._line.deployment)
        self._source.acknowledge(ack.last)

    def _go_on_as_another(self, log: Log) -> None:
        """Leave the name to whoever took it, and send what is not surely there again."""
        last, foreign = self._next - 1, None
        for batch in log.written(self._source.job_id, self.producer):
            if self.heads.has(batch.last, batch.hash):
                last = max(last, batch.last)
            elif foreign is None or batch.first < foreign:
                foreign = batch.first
        if foreign is not None:
            last = min(last, foreign - 1)
        if self._source is not self._events:
            last = max(last, 0)  # its event 0 is no event of the spool
        heir = Name(
            secrets.token_hex(8), last + 1 + self._shift, representable(time.time_ns() // 1000)
        )
        self._notes.rename(heir)
        voice.warn(
            "job %s: another sender uses the name of producer %s; its events go on as producer %s",
            self._source.job_id, self.producer, heir.producer,
        )  # fmt: skip
        self._become(heir)

    def _become(self, heir: Name) -> None:
        last = heir.start - 1 - self._shift
        self._source = Renumbered(self._events, heir, self.producer, last, self._origin)
        self._shift = heir.start - 1
        self.producer = heir.producer
        self.heads = Heads()
        self._next, self._hash = 0, GENESIS

    def _succeed(self) -> None:
        if self._said:
            voice.warn("job %s: the server takes events again", self._source.job_id)
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
        return seal(self._hash, self._source.job_id, self.producer, first, last, data)


def _loss_line(first: int, last: int) -> bytes:
    fields = {
        "counts": {"unknown": last - first + 1},
        "first": first,
        "last": last,
        "reason": "the server no longer has these events and the spool does not keep them any more",
    }
    (body,) = encode("loss", None, fields)
    return b'{"seq":%d,"time":%d,%b\n' % (last, representable(time.time_ns() // 1000), body)
