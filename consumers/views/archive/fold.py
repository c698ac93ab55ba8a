"""The archive's fold: which entries of a job are new, and its manifest.

Unlike a view's fold it unpacks nothing. The manifest is the job's document: `entries`, `strays`
(entries that are no batch), `events`, `bytes` of payloads, entry ids: the `first`, the `last` and
the highest (`top`: another one when a server's clock went back), `tree` (hex: the full parts of the
Merkle tree over all entries, null if some could not be read), and by producer `last` number, `hash`
there (hex), `batches`, `events` and `at`, the entry id of its newest batch.

What comes again after a server lost its tail is known and left out. But it comes in other cuts,
hence with other hashes, and the first batch that is new again follows the last of these. So where
this is so the producer has `joins`, too: what came again, as `entries.cuts` has it, up to where a
new batch joined on. With the lines the hashes can be made anew.
`again` is such a list that nothing has joined yet.

`erased` lists the lines that were erased, as `entries.erasing` has them. Should they come again,
they are erased as they come, and `NewEntries` tells that the stream has them.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import orjson

from consumers.errors import OutdatedFold
from consumers.folding.document import read_document
from consumers.folding.fold import show_fields
from consumers.folding.port import Parked
from synapse_stream.entries.batch import RawEntry, parse_fields, written_fields
from synapse_stream.entries.cuts import parse_cut
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import erase, parse_erasures
from synapse_stream.entries.leaves import SEED_BYTES, root_of
from synapse_stream.entries.position import Position
from synapse_stream.entries.tree import Tree, leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from synapse_stream.entries.batch import Parts
    from synapse_stream.entries.cuts import Cut
    from synapse_stream.entries.erasing import Erasure


_EMPTY: dict[str, Any] = {"tree": ""}


class NewEntries(NamedTuple):
    """What a commit adds to a job."""

    start: int
    """How many entries stand before them."""
    entries: list[RawEntry]
    parts: list[Parts | None]
    """Of each entry, as `parse_fields` returns them."""
    erased_again: tuple[int, int] | None = None
    """Id of the last entry of the stream that had lines again that were erased."""


@dataclass(slots=True)
class _Mark:
    """What is known of a producer; `at` is the entry id of its newest batch."""

    last: int = -1
    batches: int = 0
    events: int = 0
    hash: bytes = b""
    at: Sequence[int] = ()
    again: list[Any] = field(default_factory=list)
    joins: list[list[Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        content = {
            "last": self.last,
            "batches": self.batches,
            "events": self.events,
            "hash": self.hash.hex(),
            "at": self.at,
        }
        lists = {"again": self.again, "joins": self.joins}
        return content | {name: found for name, found in lists.items() if found}

    def repeat(self, part: Parts) -> bool:
        """Note a batch that came again; return False when it was noted already."""
        batch = [part.last, _kept_salts(part).hex()]
        before = self._until(part.first) or [part.first]
        if self.again[: len(before) + 1] == [*before, batch]:
            return False
        self.again = [*before, batch]
        return True

    def join(self, first: int) -> None:
        """Note that a new batch has come: what it follows may have been lost behind that again."""
        if found := self._until(first):
            self.joins.append(found)
        self.again = []

    def _until(self, first: int) -> list[Any]:
        """Return what came again up to the number before `first`; nothing if none ends there."""
        ends = [end for end, _ in self.again[1:]]
        return self.again[: ends.index(first - 1) + 2] if first - 1 in ends else []


def _kept_salts(part: Parts) -> bytes:
    """Return the seed of a batch; of one without lines that were erased, the root."""
    is_seed = len(part.salts) == SEED_BYTES
    return part.salts if is_seed else root_of(part.salts, part.payload)


class ArchiveFold:
    """The manifest of one job."""

    name: ClassVar[str] = "archive"
    version: ClassVar[int] = 1
    """Raised when the same entries give another manifest."""

    def __init__(
        self,
        job_id: str,
        document: bytes | None,
        *,
        has_stray: Callable[[RawEntry], bool] = lambda _: False,
    ) -> None:
        """Go on from `document`, as `document` returned it, or begin a new job.

        A batch is known by its producer's number. `has_stray` tells whether an entry that is no
        batch is archived already; it is asked only for places before the last one.

        Raises:
            OutdatedFold: another version wrote the document.
            DecodeError: it is no manifest of this job. A damaged one may raise anything.
        """
        self.job_id = job_id
        self._has_stray = has_stray
        self._new: list[RawEntry] = []
        self._parts: list[Parts | None] = []
        self._has_repeats = False
        self._erased_again: tuple[int, int] | None = None
        content = _EMPTY if document is None else read_document(job_id, document)
        if content.get("v", self.version) != self.version:
            msg = f"the manifest of job {job_id!r} is of version {content['v']}"
            raise OutdatedFold(msg)
        counts = (content.get(name, 0) for name in ("entries", "strays", "bytes"))
        self._entries, self._strays, self._bytes = map(operator.index, counts)
        self._first: list[int] | None = content.get("first")
        self._last: list[int] | None = content.get("last")
        self._top = tuple(content.get("top", (0, 0)))
        parts = content["tree"]
        self._tree = None if parts is None else Tree(self._entries, bytes.fromhex(parts))
        self.erasures = parse_erasures(content.get("erased", ()))
        """The lines that were erased."""
        self._marks = {
            name.encode(): _Mark(
                operator.index(mark["last"]),
                operator.index(mark["batches"]),
                operator.index(mark["events"]),
                bytes.fromhex(mark["hash"]),
                [operator.index(number) for number in mark["at"]],
                list(mark.get("again", ())),
                list(mark.get("joins", ())),
            )
            for name, mark in content.get("producers", {}).items()
        }

    @property
    def has_changed(self) -> bool:
        """True when entries came since `rows` was called last."""
        return bool(self._new or self._erased_again) or self._has_repeats

    def apply(self, entry: RawEntry, *, refused: str | None = None) -> list[Parked]:
        """Take an entry that is not archived yet; nothing is parked, but what is `refused`.

        A batch of which some events are known is taken as a whole: readers drop what they know.
        """
        if refused is not None:
            place = Position(entry.ms, entry.seq, 0)
            raw = show_fields(entry.fields)
            return [Parked(self.job_id, place, refused, raw, None, None)]
        part = parse_fields(entry.fields)
        if part is None:
            if not self._is_known_stray(entry):
                self._strays += 1
                self._take(entry, None)
            return []
        entry, part = self._without_erased(entry, part)
        mark = self._marks.setdefault(part.producer, _Mark())
        if part.last <= mark.last:
            if entry[:2] > tuple(mark.at):
                self._has_repeats |= mark.repeat(part)
        else:
            if mark.again:
                mark.join(part.first)
            mark.events += part.last - max(mark.last, part.first - 1)
            mark.last, mark.hash, mark.at = part.last, part.hash, entry[:2]
            mark.batches += 1
            self._take(entry, part)
        return []

    def reach(self, entries: int) -> None:
        """Count so many entries as archived, some of which cannot be read."""
        if entries > self._entries:
            self._entries = entries
            self._tree = None  # nobody knows the leaves of what cannot be read

    def erase(self, erasures: Iterable[Erasure], roots: Mapping[str, Mapping[int, bytes]]) -> None:
        """Note that lines were erased, and forget the seeds with which they came again.

        `roots` has the root of every batch in which they did, by producer and last number.
        """
        self.erasures += erasures
        for name, ends in roots.items():
            mark = self._marks[name.encode()]
            for _, *batches in (mark.again or [0], *mark.joins):
                for batch in batches:
                    batch[1] = ends[batch[0]].hex() if batch[0] in ends else batch[1]

    def cuts(self) -> Iterator[tuple[str, Cut]]:
        """Yield what came again, with its producer."""
        for name, mark in self._marks.items():
            found = [*mark.joins, *([mark.again] if mark.again else [])]
            yield from ((name.decode(), parse_cut(one)) for one in found)

    def take_over(
        self, joins: Mapping[str, Sequence[Sequence[Any]]], erasures: Iterable[Erasure] = ()
    ) -> None:
        """Take over the joins, by producer, and the erasures of a job archived elsewhere."""
        self.erasures += erasures
        for name, mark in self._marks.items():
            mark.joins = [list(join) for join in joins.get(name.decode(), mark.joins)]

    def retry(self, _parked: Parked) -> str | None:
        """Return why not: only what the store refused is parked, and what was never there."""
        return "the archive takes it only from the stream"

    def document(self) -> bytes:
        """Return the manifest as JSON with sorted keys."""
        content = {
            "job": self.job_id,
            "v": self.version,
            "entries": self._entries + len(self._new),
            "strays": self._strays,
            "events": sum(mark.events for mark in self._marks.values()),
            "bytes": self._bytes,
            "first": self._first or (self._new[0][:2] if self._new else None),
            "last": self._new[-1][:2] if self._new else self._last,
            "top": self._top,
            "tree": None if self._tree is None else self._tree.parts.hex(),
            "producers": {name.decode(): mark.as_json() for name, mark in self._marks.items()},
        }
        if self.erasures:
            content["erased"] = [one._asdict() for one in self.erasures]
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    def rows(self) -> NewEntries:
        """Return what came since the last call."""
        new = NewEntries(self._entries, self._new, self._parts, self._erased_again)
        self._has_repeats, self._erased_again = False, None
        if self._new:
            self._entries += len(self._new)
            self._first = self._first or list(self._new[0][:2])
            self._last = list(self._new[-1][:2])
            self._new, self._parts = [], []
        return new

    def marks(self) -> tuple[()]:
        """Return none: what is recorded is its own past."""
        return ()

    def _take(self, entry: RawEntry, part: Parts | None) -> None:
        self._new.append(entry)
        self._parts.append(part)
        if self._tree is not None:
            self._tree.add(leaf_of(entry, part))
        self._bytes += len(part.payload) if part else sum(map(len, entry.fields.values()))
        self._top = max(self._top, entry[:2])

    def _without_erased(self, entry: RawEntry, part: Parts) -> tuple[RawEntry, Parts]:
        """Return an entry without lines that were erased before it came, again or in other cuts."""
        producer, numbers = part.producer.decode(), (part.first, part.last)
        mine = [one for one in self.erasures if one.overlaps(producer, *numbers)]
        batch = recorded_batch(self.job_id, entry).batch if mine else None
        if batch is None:
            return entry, part
        less = batch
        for one in mine:
            less = erase(less, one.first, one.last)
        if less is batch:
            return entry, part
        self._erased_again = max(self._erased_again or (0, 0), entry[:2])
        erased = part._replace(salts=less.salts, is_compressed=False, payload=less.data)
        return RawEntry(*entry[:2], written_fields(erased)), erased

    def _is_known_stray(self, entry: RawEntry) -> bool:
        if entry[:2] > self._top:
            return False
        return entry in self._new or self._has_stray(entry)
