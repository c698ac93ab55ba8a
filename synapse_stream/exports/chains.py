"""What makes a run whole: every batch follows the one before, and the counts are right."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from synapse_stream.entries.batch import (
    GENESIS,
    RawEntry,
    chain,
    parse_fields,
    sealed_count,
)
from synapse_stream.entries.cuts import Cut, parse_cut
from synapse_stream.entries.tree import Tree, leaf_of
from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.entry import RecordedBatch

Joins = Mapping[str, Sequence[Sequence[Any]]]
"""By producer, the cuts of tails that were sent again, as `entries.cuts` has them."""

_MOST_ENDS = 100_000


def parse_joins(found: Any) -> Joins:
    """Return joins that were read.

    Raises:
        DecodeError: they are none.
    """
    try:
        if all(_is_join(parse_cut(join)) for joins in found.values() for join in joins):
            return found  # type: ignore[no-any-return]
    except (AttributeError, IndexError, TypeError, ValueError):
        pass
    msg = f"{found!r:.100} are no joins: lists of a first number and what came, by producer"
    raise DecodeError(msg)


def _is_join(cut: Cut) -> bool:
    ends = [end for end, _ in cut.batches]
    return 0 <= cut.first <= ends[0] and all(one < two for one, two in pairwise(ends))


@dataclass(slots=True)
class _Story:
    last: int = -1
    hash: bytes = GENESIS
    batches: int = 0
    events: int = 0
    sealed: int | None = None
    ends: OrderedDict[int, tuple[bytes, ...]] = field(
        default_factory=lambda: OrderedDict({-1: (GENESIS,)})
    )
    """Hashes at the last number of each of the newest batches."""
    recuts: list[_Recut] = field(default_factory=list)

    def note(self, number: int, link: bytes) -> None:
        known = self.ends.get(number, ())
        if link not in known:
            self.ends[number] = (*known, link)
        if len(self.ends) > _MOST_ENDS:
            self.ends.popitem(last=False)


class _Recut:
    """A tail that was sent again, hashed anew in the cuts in which it came, as its lines pass."""

    def __init__(self, job_id: str, producer: str, join: Sequence[Any]) -> None:
        cut = parse_cut(join)
        self.first, self.last, self._batches = cut.first, cut.last, list(cut.batches)
        self._job_id, self._producer = job_id, producer
        self._lines: list[bytes] = []

    def take(self, number: int, line: bytes, story: _Story) -> None:
        """Take the next line; of a `loss` in the place of several, `number` is the last."""
        if not self._batches or number < self.first:
            return
        self._lines.append(line + b"\n")
        end = self._batches[0].end
        if number >= end:
            root = self._batches.pop(0).root(b"".join(self._lines))
            for previous in story.ends.get(self.first - 1, ()):
                link = chain(previous, self._job_id, self._producer, self.first, end, root)
                story.note(number, link)
            self.first, self._lines = end + 1, []


class Summary:
    """Counts a run entry by entry, and checks its chains if it is told to."""

    def __init__(self, job_id: str, joins: Joins | None = None) -> None:
        """Begin with nothing; `joins` are needed to check a run that has any."""
        self._job_id = job_id
        self._joins = joins or {}
        self._entries = 0
        self._first: str | None = None
        self._last: str | None = None
        self._producers: dict[str, _Story] = {}
        self._tree = Tree()

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
        raw = RawEntry(entry.ms, entry.seq, entry.raw or {})
        part = parse_fields(raw.fields)
        self._tree.add(leaf_of(raw, part))
        if entry.batch is None or part is None:
            return
        story = self._story(entry.batch.producer)
        if check:
            _check(entry.batch, story)
            _recut(entry.batch, story)
        _count(entry.batch, story)

    def as_json(self) -> dict[str, Any]:
        """Return the counts, the root over all entries, and each producer's head and seal."""
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
            "root": self._tree.root().hex(),
            "producers": producers,
        }

    def _story(self, producer: str) -> _Story:
        story = self._producers.get(producer)
        if story is None:
            joins = self._joins.get(producer, ())
            recuts = [_Recut(self._job_id, producer, join) for join in joins]
            story = self._producers[producer] = _Story(recuts=recuts)
        return story


def _check(batch: Batch, story: _Story) -> None:
    previous = story.ends.get(batch.first - 1, ())
    where = f"numbers {batch.first} to {batch.last} of producer {batch.producer!r}"
    if not previous and batch.first > story.last + 1:
        msg = f"{where}: numbers {story.last + 1} to {batch.first - 1} are missing before them"
        raise DecodeError(msg)
    if not any(map(batch.is_linked_to, previous)):
        msg = f"{where} do not follow from the batch before: they, it or their hash was changed"
        raise DecodeError(msg)


def _recut(batch: Batch, story: _Story) -> None:
    """Hash the lines that are new anew, where they came again."""
    if not any(cut.first <= batch.last and batch.first <= cut.last for cut in story.recuts):
        return
    lines = batch.lines()
    for number, line in enumerate(lines, batch.last + 1 - len(lines)):
        if number > story.last:
            for cut in story.recuts:
                cut.take(number, line, story)


def _count(batch: Batch, story: _Story) -> None:
    story.batches += 1
    story.note(batch.last, batch.hash)
    if batch.last > story.last:
        story.events += batch.last - max(story.last, batch.first - 1)
        story.last, story.hash = batch.last, batch.hash
        story.sealed = sealed_count(batch)
