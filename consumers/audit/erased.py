"""Lines that were erased: each by an act that is written down, and none that is not erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.audit.findings import Findings
from synapse_stream.entries.erasing import erased_numbers
from synapse_stream.entries.leaves import SEED_BYTES
from synapse_stream.entries.position import Position
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.erasing import Erasure

_STREAMED = "the stream has lines that were erased, until every projection has read up to them"


class Erased:
    """Compares what stands in place of lines with what is written down of their erasure."""

    def __init__(self, erasures: Sequence[Erasure]) -> None:
        self.erasures = erasures
        self.findings = Findings()
        self.is_streamed = False
        """True when a stream still has a line that was erased in the archive."""
        self._met: set[Erasure] = set()

    def take_archived(self, entry: RecordedBatch) -> None:
        """Look at the next entry of the archive."""
        batch = entry.batch
        if batch is None or len(batch.salts) == SEED_BYTES:
            return
        for first, last, digest in erased_numbers(batch):
            acts = [one for one in self.erasures if one.covers(batch.producer, first, last)]
            if not acts:
                self._find("an act that erased them", "none", entry, (first, last))
            fitting = [one for one in acts if one.digest == digest]
            self._met.update(fitting or acts)
            if acts and not fitting and (acts[0].first, acts[0].last) == (first, last):
                self._find(f"lines of digest {acts[0].digest}", digest, entry, (first, last))

    def take_streamed(self, entry: RecordedBatch) -> None:
        """Look at the next entry of the stream, after all of the archive."""
        batch = entry.batch
        if batch is None:
            return
        here = (batch.producer, batch.first, batch.last)
        gone = [one for one in self.erasures if one.overlaps(*here)]
        self.is_streamed |= bool(gone) and len(batch.salts) == SEED_BYTES
        if len(batch.salts) != SEED_BYTES:
            self.take_archived(entry)

    def notes(self) -> list[str]:
        """Return what must be known, though it is no difference."""
        return [_STREAMED] if self.is_streamed else []

    def judge(self) -> None:
        """Note the acts of which no line was erased."""
        for one in self.erasures:
            if one not in self._met:
                found = "they are there, or nowhere"
                place, numbers = Position.parse(one.position), (one.first, one.last)
                expected = "erased lines, as is written down"
                finding = Finding("erasure", expected, found, place, one.producer, numbers)
                self.findings.append(finding)

    def _find(
        self, expected: str, found: str, entry: RecordedBatch, numbers: tuple[int, int]
    ) -> None:
        assert entry.batch is not None  # noqa: S101 - who asks has one
        place, producer = Position(entry.ms, entry.seq), entry.batch.producer
        self.findings.append(Finding("erasure", expected, found, place, producer, numbers))
