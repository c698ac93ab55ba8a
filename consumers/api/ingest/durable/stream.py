"""What is known of a stream, and what a request to append makes of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, Self

import orjson

from synapse_stream.entries.batch import GENESIS

PRODUCER = "durable"
"""Name of the one producer that all writers of a stream share."""
MOST_WRITERS = 1_000
"""Writers of a stream that are known again: those that wrote last."""


class Writer(NamedTuple):
    """A writer that numbers its requests: `Producer-Id`, `-Epoch` and `-Seq`."""

    id: str
    epoch: int
    seq: int


class Verdict(StrEnum):
    """What becomes of a request."""

    TAKEN = "taken"
    KNOWN = "known"
    CLOSED = "closed"
    STALE = "stale epoch"
    NEW_EPOCH = "an epoch begins at 0"
    GAP = "gap"
    BEHIND = "Stream-Seq does not rise"


class Judged(NamedTuple):
    """A verdict, and the numbers that it is told with."""

    verdict: Verdict
    epoch: int | None = None
    seq: int | None = None
    """The highest that was accepted; of a gap, the one that is expected."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream that was made here; it changes in one step with what is appended."""

    content_type: str
    last: int = -1
    """Last number of its producer."""
    hash: bytes = GENESIS
    is_closed: bool = False
    sequence: str | None = None
    """The highest `Stream-Seq`."""
    writers: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Epoch and number of each, who wrote last at the end."""

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Return what `written` returned."""
        found = orjson.loads(text)
        writers = {name: (epoch, seq) for name, epoch, seq in found.pop("writers")}
        return cls(**{**found, "writers": writers, "hash": bytes.fromhex(found["hash"])})

    def written(self) -> bytes:
        """Return it as bytes."""
        names = ("content_type", "last", "is_closed", "sequence")
        kept = {name: getattr(self, name) for name in names}
        writers = [(name, *numbers) for name, numbers in self.writers.items()]
        return orjson.dumps({**kept, "hash": self.hash.hex(), "writers": writers})

    def judge(self, writer: Writer | None, sequence: str | None, *, is_empty: bool) -> Judged:
        """Tell what becomes of a request to append, or to close if it `is_empty`."""
        of_writer = self._of_writer(writer)
        if of_writer is not None and of_writer.verdict is not Verdict.GAP:
            return of_writer
        if self.is_closed:
            is_again = is_empty and writer is None
            return Judged(Verdict.KNOWN if is_again else Verdict.CLOSED)
        if of_writer is not None:
            return of_writer
        if sequence is not None and self.sequence is not None and sequence <= self.sequence:
            return Judged(Verdict.BEHIND)
        return Judged(Verdict.TAKEN, *(writer[1:] if writer else ()))

    def after(
        self,
        writer: Writer | None,
        sequence: str | None,
        *,
        closes: bool,
        last: int,
        hash: bytes,  # noqa: A002
    ) -> Stream:
        """Return it as it is when a request was taken, whose events end at `last`."""
        writers = dict(self.writers)
        if writer is not None:
            writers.pop(writer.id, None)
            writers[writer.id] = (writer.epoch, writer.seq)
            while len(writers) > MOST_WRITERS:
                del writers[next(iter(writers))]
        return replace(
            self,
            last=last,
            hash=hash,
            is_closed=closes,
            sequence=sequence or self.sequence,
            writers=writers,
        )

    def _of_writer(self, writer: Writer | None) -> Judged | None:
        """Judge a writer's numbers; None if they are the next ones, or there are none."""
        if writer is None:
            return None
        epoch, seq = self.writers.get(writer.id, (-1, -1))
        if writer.epoch < epoch:
            return Judged(Verdict.STALE, epoch)
        if writer.epoch == epoch and writer.seq <= seq:
            return Judged(Verdict.KNOWN, epoch, seq)
        if writer.epoch > epoch >= 0 and writer.seq:
            return Judged(Verdict.NEW_EPOCH, epoch)
        expected = seq + 1 if writer.epoch == epoch else 0
        return Judged(Verdict.GAP, epoch, expected) if writer.seq > expected else None
