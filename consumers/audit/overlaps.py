"""Batches with numbers that are there already: their lines must be the same, and so their place.

After a server lost its tail, producers send again what it lost, as a rule in other cuts. What came
again is told by the archive's manifest; else a batch stands where it stood when it was archived.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from consumers.folding.decoding import event_of
from consumers.folding.differing import shown
from synapse_stream.entries.cuts import parse_cut
from synapse_stream.entries.erasing import ERASED
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from synapse_stream.entries.batch import Batch
    from synapse_stream.entries.position import Position
    from synapse_stream.exports.chains import Joins

Ranges = list[tuple[int, int]]
"""First and last numbers, in order, apart from each other."""

_MOST_HELD = 192 * 1024 * 1024  # bytes: a server that lost its tail loses some seconds
_A_LINE = 256  # bytes that holding one takes beside its own


class Placed(NamedTuple):
    """A batch where it stands."""

    position: Position
    batch: Batch


class _Again(NamedTuple):
    what: str
    """Where it stands: `stream`, or `numbers` for the archive itself."""
    placed: Placed


class Moved(NamedTuple):
    """A batch of the stream that the archive has with another entry id."""

    placed: Placed
    archived: Position


class Overlaps:
    """Holds what is to be compared when all of a job was walked."""

    def __init__(self) -> None:
        self._again: list[_Again] = []
        self._moved: list[Moved] = []
        self._held = 0

    def hold(self, what: str, placed: Placed) -> Finding | None:
        """Keep a batch to compare its lines; return a finding if no more can be kept."""
        data = placed.batch.data
        self._held += len(data) + _A_LINE * data.count(b"\n")
        if self._held <= _MOST_HELD:
            self._again.append(_Again(what, placed))
            return None
        numbers = placed.batch.first, placed.batch.last
        found = f"more than {_MOST_HELD >> 20} MiB of them"
        return Finding(what, "few numbers again", found, placed.position, None, numbers)

    def move(self, placed: Placed, archived: Position) -> None:
        """Note a batch that has another id than in the archive."""
        self._moved.append(Moved(placed, archived))

    def ranges(self) -> dict[str, Ranges]:
        """Return the numbers of which the archived lines are wanted, by producer."""
        found: dict[str, Ranges] = {}
        for _, (_, batch) in self._again:
            found.setdefault(batch.producer, []).append((batch.first, batch.last))
        return found

    def compare(self, lines: Mapping[tuple[str, int], bytes]) -> Iterator[Finding]:
        """Yield of each batch the first line that is not as it was archived first."""
        for what, placed in self._again:
            batch = placed.batch
            for number, line in numbered(batch):
                archived = lines.get((batch.producer, number), line)
                if archived != line and not is_erased(archived):
                    expected = f"as archived, {shown(archived)}"
                    place = (placed.position, batch.producer, (number, number))
                    yield Finding(what, expected, shown(line), *place)
                    break

    def unexplained(
        self,
        joins: Joins,
        is_awaited: Callable[[Position], bool],
    ) -> Iterator[Finding]:
        """Yield what stands in the stream with another id, though it has not come again.

        Args:
            joins: by producer, what came again as the manifest says.
            is_awaited: tells of an entry id whether the archive has not read it yet.
        """
        for placed, archived in self._moved:
            position, batch = placed
            cuts = map(parse_cut, joins.get(batch.producer, ()))
            has_come_again = any(c.first <= batch.first and batch.last <= c.last for c in cuts)
            if not has_come_again and not is_awaited(position):
                expected = f"the id {archived}, as archived"
                numbers = batch.first, batch.last
                place = (position, batch.producer, numbers)
                yield Finding("stream", expected, f"{position}", *place)


def merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return ranges that may overlap as ranges that do not."""
    found: Ranges = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    return found


def is_erased(line: bytes) -> bool:
    """Tell whether a line stands in place of one that was erased; what erased it is judged."""
    event = event_of(line) if b'"erased"' in line else {}
    return event.get("type") == ERASED or event.get(ERASED) is True


def numbered(batch: Batch) -> Iterable[tuple[int, bytes]]:
    """Return the lines of a batch with their numbers, counted from the back, as a loss has one."""
    lines = batch.lines()
    return enumerate(lines, batch.last + 1 - len(lines))


def is_in(ranges: Ranges, first: int, last: int) -> bool:
    """Tell whether any of these numbers is in a range."""
    place = bisect_right(ranges, last, key=lambda one: one[0])
    return place > 0 and ranges[place - 1][1] >= first
