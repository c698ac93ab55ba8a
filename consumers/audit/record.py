"""What is recorded of a job, walked batch by batch: first the archive's entries, then the stream's.

Within either the numbers of a producer follow each other, and every batch follows a head at the
number before its first. After a server lost its tail, producers send again what it lost, as a rule
in other cuts, hence with other hashes. So the archive may have a batch that overlaps the one before
(it is judged at its own first number), and the stream one whose head the archive lacks (its lines
are compared then). A batch in the archive that follows what was sent again and is gone from the
stream too is proved by the manifest's `joins`: the cuts, from which the hashes are computed anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from consumers.audit.findings import Findings
from consumers.audit.heads import Heads
from consumers.audit.overlaps import Overlaps, Placed, is_in, merged, numbered
from consumers.audit.said import Said
from consumers.audit.seals import is_loss, sealed
from consumers.folding.decoding import decode
from consumers.folding.differing import shown_json
from synapse_stream.entries.batch import chain, parse_fields
from synapse_stream.entries.cuts import parse_cut
from synapse_stream.entries.position import Position
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumers.audit.overlaps import Ranges
    from consumers.folding.decoding import Content
    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.cuts import Cut
    from synapse_stream.entries.entry import EntryId, RecordedBatch
    from synapse_stream.exports.chains import Joins


_MOST_LEFT = 64 * 1024 * 1024  # bytes


class Track:
    """What was walked of one producer."""

    def __init__(self) -> None:
        self.last = -1
        self.heads = Heads()
        self.lost: list[tuple[int, int]] = []
        self.sealed: int | None = None


class Record:
    """Walks a job's entries; `findings` holds what is wrong, in no order."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.tracks: dict[str, Track] = {}
        self.findings = Findings()
        self.said = Said()
        self.entries = 0
        self._unlinked: list[Placed] = []
        self._left = 0
        self.overlaps = Overlaps()
        self.has_turned_back = False
        """True when an entry id is not above the one before: the server's clock went back."""
        self._newest = Position(0, 0)
        self.end: EntryId = (0, 0)
        """The highest id of an entry that is a batch."""
        self._archived: dict[str, int] = {}
        self._streamed: dict[str, int] = {}

    @property
    def events(self) -> int:
        """How many numbers there are of all producers."""
        return sum(track.last + 1 for track in self.tracks.values())

    def take_archived(self, entry: RecordedBatch, content: Content | None = None) -> None:
        """Walk the next entry of the archive; `content` is what `decode` gives for its batch."""
        self.entries += 1
        placed = self._placed(entry, content)
        if placed is None:
            return
        batch, track = placed.batch, self._track(placed.batch.producer)
        if batch.last <= track.last:
            self._find("numbers", f"number {track.last + 1} next", "an entry too many", placed)
        elif self._follows(placed, track.last):
            if not track.heads.links(batch):
                self._leave(placed)
            if batch.first <= track.last:
                self._hold("numbers", placed)
        self._note(track, placed)
        self._archived[batch.producer] = track.last

    def take_streamed(self, entry: RecordedBatch, content: Content | None = None) -> None:
        """Walk the next entry of the stream, after all of the archive."""
        placed = self._placed(entry, content)
        if placed is None:
            return
        batch, track = placed.batch, self._track(placed.batch.producer)
        self.entries += batch.last > track.last
        before = self._streamed.get(batch.producer)
        self._streamed[batch.producer] = batch.last
        if before is not None and batch.first <= before:
            self._find("numbers", f"number {before + 1} next", "numbers again", placed)
            return
        archived = self._archived.get(batch.producer, -1)
        is_known = batch.hash in track.heads.at(batch.last)
        place = track.heads.place_of(batch.last, batch.hash) if is_known else None
        if place and batch.first <= archived and place != placed.position[:2]:
            self.overlaps.move(placed, Position(*place))
        if self._follows(placed, track.last if before is None else before):
            if is_known and not track.heads.links(batch):
                self._leave(placed)  # what it follows came again, and was trimmed since
            elif not track.heads.links(batch):
                self._find("chain", track.heads.following(batch), _hash(batch), placed)
            elif batch.first <= archived and not is_known:
                self._hold("stream", placed)
        self._note(track, placed)

    def needs_lines(self, joins: Joins) -> dict[str, Ranges]:
        """Return which archived lines, as ranges of numbers, `close` wants to see."""
        wanted = self.overlaps.ranges()
        for producer in {batch.producer for _, batch in self._unlinked}:
            ranges = [(cut.first, cut.last) for cut in map(parse_cut, joins.get(producer, ()))]
            wanted.setdefault(producer, []).extend(ranges)
        return {producer: merged(ranges) for producer, ranges in wanted.items()}

    def close(self, lines: Mapping[tuple[str, int], bytes], joins: Joins) -> None:
        """Judge what could not be judged in passing.

        Args:
            lines: archived lines by producer and number, those that `needs_lines` wants.
            joins: by producer, as the manifest has them.
        """
        for finding in self.overlaps.compare(lines):
            self.findings.append(finding)
        for producer in {batch.producer for _, batch in self._unlinked}:
            numbers = sorted(number for name, number in lines if name == producer)
            mine = {number: lines[producer, number] for number in numbers}
            for cut in map(parse_cut, joins.get(producer, ())):
                self._cut_again(producer, cut, mine)
        for placed in self._unlinked:
            heads = self._track(placed.batch.producer).heads
            if not heads.links(placed.batch):
                expected = heads.following(placed.batch)
                self._find("chain", expected, _hash(placed.batch), placed)

    def judge_seals(self) -> None:
        """Compare every count that was sealed with what is there."""
        for producer, track in self.tracks.items():
            if track.sealed is not None and track.sealed != track.last + 1:
                self._miscounted(producer, track.sealed, track.last + 1)
        for producer, (_, last) in self.said.left.items():
            track = self.tracks.get(producer, Track())
            if track.last < last:
                self._miscounted(producer, last + 1, track.last + 1)

    def sealed(self) -> list[str]:
        """Return the producers of which nothing more is to come."""
        return [
            producer
            for producer, track in self.tracks.items()
            if track.sealed is not None or producer in self.said.left
        ]

    def is_sealed(self) -> bool:
        """Tell whether nothing is to come any more, of child processes neither."""
        sealed = self.sealed()
        return len(sealed) == len(self.tracks) and self.said.waiting(sealed)[1] == 0

    def _miscounted(self, producer: str, sealed: int, count: int) -> None:
        first, last = sorted((sealed, count - 1))
        found = Finding("seal", f"{sealed} events", f"{count}", None, producer, (first, last))
        self.findings.append(found)

    def _placed(self, entry: RecordedBatch, content: Content | None) -> Placed | None:
        """Return a batch that is what the append script writes; note what is not."""
        position = Position(entry.ms, entry.seq)
        batch = entry.batch
        if batch is None or parse_fields(entry.raw or {}) is None:
            found = entry.error or f"fields {b', '.join(entry.raw or ())!r}"
            self.findings.append(Finding("entry", "a batch", found, position))
            return None
        placed = Placed(position, batch)
        self.end = max(self.end, entry[:2])
        count, lines = batch.last - batch.first + 1, batch.data.count(b"\n")
        if not batch.data.endswith(b"\n") or (lines != count and not is_loss(batch)):
            self._find("entry", f"{count} lines", f"{lines}, or the last not ended", placed)
        self._check_numbers(placed, content or decode(batch))
        return placed

    def _check_numbers(self, placed: Placed, content: Content) -> None:
        """Note the first line that gives itself another number than it has."""
        batch, found = placed.batch, [event.get("seq") for event in content[0]]
        numbers = range(batch.last + 1 - len(found), batch.last + 1)
        if found == list(numbers):
            return
        for number, seq in zip(numbers, found, strict=True):
            if seq is not None and seq != number:
                place = (placed.position, batch.producer, (number, number))
                self.findings.append(
                    Finding("numbers", f"seq {number}", f"seq {shown_json(seq)}", *place)
                )
                return

    def _leave(self, placed: Placed) -> None:
        """Judge later whether a batch follows what came again; few do, so few are kept."""
        self._left += len(placed.batch.data)
        if self._left <= _MOST_LEFT:
            self._unlinked.append(placed)
        else:
            self._find("chain", "a batch that follows", _hash(placed.batch), placed)

    def _hold(self, what: str, placed: Placed) -> None:
        if finding := self.overlaps.hold(what, placed):
            self.findings.append(finding)

    def _follows(self, placed: Placed, last: int) -> bool:
        """Return False, and note it, when numbers are missing between `last` and a batch."""
        first = placed.batch.first
        if first <= last + 1:
            return True
        numbers = (last + 1, first - 1)
        producer = placed.batch.producer
        finding = Finding(
            "numbers", f"number {last + 1} next", f"{first}", placed.position, producer, numbers
        )
        self.findings.append(finding)
        return False

    def _track(self, producer: str) -> Track:
        track = self.tracks.get(producer)
        if track is None:
            track = self.tracks[producer] = Track()
        return track

    def _note(self, track: Track, placed: Placed) -> None:
        position, batch = placed
        track.heads.add(batch.last, batch.hash, position[:2])
        if batch.last > track.last:
            self.has_turned_back |= position <= self._newest
            self._newest = position
            track.last = batch.last
            self.said.take(batch)
            if is_loss(batch):
                track.lost.append((batch.first, batch.last))
            count = sealed(batch)
            track.sealed = count if count is not None else track.sealed

    def _cut_again(self, producer: str, cut: Cut, lines: Mapping[int, bytes]) -> None:
        """Note the heads of a tail that was sent again, from its cuts and its lines.

        Of a `loss` in the place of several numbers there is a line for the last one only.
        """
        heads, numbers, first = self._track(producer).heads, list(lines), cut.first
        found = set(heads.at(first - 1))
        for batch in cut.batches:
            end = batch.end
            part = numbers[bisect_left(numbers, first) : bisect_right(numbers, end)]
            root = batch.root(b"".join(lines[number] + b"\n" for number in part))
            found = {chain(head, self.job_id, producer, first, end, root) for head in found}
            for head in found:
                heads.add(end, head)
            first = end + 1

    def _find(self, what: str, expected: str, found: str, placed: Placed) -> None:
        batch = placed.batch
        numbers = (batch.first, batch.last)
        self.findings.append(
            Finding(what, expected, found, placed.position, batch.producer, numbers)
        )


def lines_of(
    entries: Iterable[RecordedBatch], wanted: Mapping[str, Sequence[tuple[int, int]]]
) -> dict[tuple[str, int], bytes]:
    """Return the lines of the producers' numbers that are wanted; of a number, the first."""
    ranges = {producer: merged(some) for producer, some in wanted.items()}
    found: dict[tuple[str, int], bytes] = {}
    for batch in (entry.batch for entry in entries):
        some = ranges.get(batch.producer) if batch else None
        if batch and some and is_in(some, batch.first, batch.last):
            for number, line in numbered(batch):
                if is_in(some, number, number):
                    found.setdefault((batch.producer, number), line)
    return found


def _hash(batch: Batch) -> str:
    return f"hash {batch.hash.hex()}"
