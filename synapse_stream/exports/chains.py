"""What makes a run whole: every batch follows the one before, and the counts are right."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from synapse_stream.batch import GENESIS, parse_fields, sealed_count
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from synapse_stream.batch import Batch
    from synapse_stream.log.event_log import RecordedBatch

_MOST_ENDS = 100_000


@dataclass(slots=True)
class _Story:
    last: int = -1
    hash: bytes = GENESIS
    batches: int = 0
    events: int = 0
    sealed: int | None = None
    ends: OrderedDict[int, bytes] = field(default_factory=lambda: OrderedDict({-1: GENESIS}))
    """Hash at the last number of each of the newest batches."""


class Summary:
    """Counts a run entry by entry, and checks its chains if it is told to."""

    def __init__(self) -> None:
        self._entries = 0
        self._first: str | None = None
        self._last: str | None = None
        self._producers: dict[str, _Story] = {}

    def add(self, entry: RecordedBatch, *, check: bool = False) -> None:
        """Count an entry.

        A batch may begin before the highest number: a server lost its tail, and the producer sent
        it again in other cuts. Then it follows the batch that ended just before.

        Raises:
            DecodeError: `check` is set, and the batch does not follow.
        """
        self._entries += 1
        self._last = f"{entry.ms}-{entry.seq}"
        self._first = self._first or self._last
        if entry.batch is None or parse_fields(entry.raw or {}) is None:
            return
        story = self._producers.setdefault(entry.batch.producer, _Story())
        if check:
            _check(entry.batch, story)
        _count(entry.batch, story)

    def as_json(self) -> dict[str, Any]:
        """Return the counts, and each producer's head and seal."""
        producers = {
            name: {
                "last": story.last,
                "hash": story.hash.hex(),
                "batches": story.batches,
                "events": story.events,
                "sealed": story.sealed,
            }
            for name, story in sorted(self._producers.items())
        }
        events = sum(story.events for story in self._producers.values())
        return {
            "entries": self._entries,
            "events": events,
            "first": self._first,
            "last": self._last,
            "producers": producers,
        }


def _check(batch: Batch, story: _Story) -> None:
    previous = story.ends.get(batch.first - 1)
    where = f"numbers {batch.first} to {batch.last} of producer {batch.producer!r}"
    if previous is None and batch.first > story.last + 1:
        msg = f"{where}: numbers {story.last + 1} to {batch.first - 1} are missing before them"
        raise DecodeError(msg)
    if previous is None or not batch.is_linked_to(previous):
        msg = f"{where} do not follow from the batch before: they, it or their hash was changed"
        raise DecodeError(msg)


def _count(batch: Batch, story: _Story) -> None:
    story.batches += 1
    story.ends[batch.last] = batch.hash
    if len(story.ends) > _MOST_ENDS:
        story.ends.popitem(last=False)
    if batch.last > story.last:
        story.events += batch.last - max(story.last, batch.first - 1)
        story.last, story.hash = batch.last, batch.hash
        story.sealed = sealed_count(batch)
