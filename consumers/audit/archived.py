"""The archive by itself: are its blocks whole and in order, and is its manifest theirs?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers.audit.erased import Erased
from consumers.audit.findings import Findings
from consumers.folding.differing import Difference, first_difference
from consumers.views.archive.fold import ArchiveFold
from synapse_stream.entries.batch import RawEntry
from synapse_stream.entries.entry import recorded_batch
from synapse_stream.entries.erasing import parse_erasures
from synapse_stream.entries.position import Position
from synapse_stream.exports.chains import parse_joins
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from consumers.audit.growth import Growth
    from consumers.views.archive.raw import StoredBlock
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.exports.chains import Joins

_AS_RECEIVED = frozenset({"job", "bytes", "joins", "again", "tree", "erased"})
"""What entries alone do not tell; and the tree, which is compared with what stands there."""


class ArchiveCheck:
    """Walks the blocks of one job; `findings` holds what is wrong with them and the manifest."""

    def __init__(self, job_id: str, manifest: bytes | None, growth: Growth) -> None:
        """Begin; `growth` gets every entry."""
        self.job_id = job_id
        self._growth = growth
        self._archived = b"{}"
        self._strays: set[tuple[int, int]] = set()
        self.findings = Findings()
        self.joins: Joins = {}
        """By producer, how tails that were sent again were cut, as the manifest says."""
        self.repeats: Joins = {}
        """By producer, all that came again, as the manifest says."""
        self.erased = Erased(())
        """Judges what was erased, as the manifest says."""
        self.events = 0
        """How many events the archive has, as the manifest says."""
        self._manifest: Any = None
        self._fault: Difference | None = None
        self._fold = ArchiveFold(job_id, None, has_stray=lambda one: one[:2] in self._strays)
        self._note()
        if manifest is not None:
            self._read(manifest)

    def entries(self, blocks: Iterable[StoredBlock]) -> Iterator[RecordedBatch]:
        """Yield the entries of all blocks; the blocks are judged on the way."""
        start = 0
        for block in blocks:
            position = Position(*block.first)
            if block.start != start:
                self._find(f"a block that begins at entry {start}", f"{block.start}", position)
            start = block.start + block.entries
            if isinstance(block.content, str):
                self._find("as it was archived", block.content, position)
                continue
            found = block.content
            ids = [(entry.ms, entry.seq) for entry in found]
            if (len(ids), ids[:1], ids[-1:]) != (block.entries, [block.first], [block.last]):
                expected = f"{block.entries} entries, {position} to {Position(*block.last)}"
                self._find(expected, f"{len(ids)} others", position)
            for entry in found:
                self._growth.add(entry)
                self._apply(entry)
                recorded = recorded_batch(self.job_id, entry)
                self.erased.take_archived(recorded)
                yield recorded
        self._note()

    def take_streamed(self, entry: RecordedBatch) -> None:
        """Take the next entry of the stream: one that the archive has not read makes it grow."""
        self.erased.take_streamed(entry)
        raw = RawEntry(entry.ms, entry.seq, entry.raw or {})
        if self._apply(raw):
            self._growth.add(raw)

    def judge_manifest(self) -> None:
        """Compare the manifest with the archive's entries."""
        fresh = _comparable(orjson.loads(self._archived))
        if self._manifest is None:
            if fresh["entries"]:
                finding = Finding("manifest", f"{fresh['entries']} entries", "no manifest")
                self.findings.append(finding)
            return
        found = first_difference(fresh, _comparable(self._manifest)) or self._fault
        if found is None and self._manifest["tree"] != self._tree:
            found = Difference(f"tree {self._tree}", f"{self._manifest['tree']}")
        if found:
            self.findings.append(Finding("manifest", found.expected, found.found))

    def _read(self, manifest: bytes) -> None:
        """Read a manifest, whatever it holds; `judge_manifest` says what is wrong with it."""
        self._manifest = "what cannot be read"
        try:
            self._manifest = orjson.loads(manifest)
            producers = self._manifest["producers"].items()
            self.events = int(self._manifest["events"])
            self._manifest["tree"]
            self.erased = Erased(parse_erasures(self._manifest.get("erased", ())))
            self.joins = parse_joins(
                {name: mark["joins"] for name, mark in producers if "joins" in mark}
            )
            last = {name: [mark["again"]] for name, mark in producers if "again" in mark}
            self.repeats = {
                name: [*self.joins.get(name, ()), *parse_joins(last).get(name, ())]
                for name in {*self.joins, *last}
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._fault = Difference("a manifest", f"{type(error).__name__}: {error}")

    def _apply(self, entry: RawEntry) -> bool:
        """Tell whether the archive takes an entry as a new one."""
        self._fold.apply(entry)
        new = self._fold.rows()
        self._strays.update(
            one[:2] for one, part in zip(new.entries, new.parts, strict=True) if part is None
        )
        return bool(new.entries)

    def _note(self) -> None:
        """Remember what the archive's entries come to."""
        self._archived, self._tree = self._fold.document(), self._growth.tree.parts.hex()

    def _find(self, expected: str, found: str, position: Position) -> None:
        self.findings.append(Finding("block", expected, found, position))


def recorded(job_id: str, blocks: Iterable[StoredBlock]) -> Iterator[RecordedBatch]:
    """Yield the entries of all blocks that can be read, without judging them."""
    for block in blocks:
        for entry in () if isinstance(block.content, str) else block.content:
            yield recorded_batch(job_id, entry)


def _comparable(manifest: Any) -> Any:
    if not isinstance(manifest, dict):
        return manifest
    return {
        name: _comparable(value) for name, value in manifest.items() if name not in _AS_RECEIVED
    }
