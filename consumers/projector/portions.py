"""What pointers of a feed point to, in portions that one commit should hold.

Pointers are judged here, and only here: one that points to nothing, or to what cannot be read, is
parked with its reason, and those behind it go on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from consumers.folding.port import Parked
from synapse_stream.entries.position import Position
from synapse_stream.log.feeds import MOST_BYTES
from synapse_stream.log.mending import LARGEST_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.entry import EntryId, FeedPointer
    from synapse_stream.log.feeds import FeedLog, Pointed

    Take = Callable[[str, RawEntry], tuple[Any, int]]

_POINTERS_A_READ = 100


class Portion(NamedTuple):
    """What one commit should hold."""

    upto: EntryId
    """Id of the last feed entry that points to it."""
    entries: list[tuple[str, Any]]
    """In feed order, as the folds take them, with their jobs."""
    faults: list[Parked]
    """Of the pointers."""


def read_portions(
    log: FeedLog, partition: int, after: EntryId, pointers: Sequence[FeedPointer], take: Take
) -> Iterator[Portion]:
    """Read what `pointers` of a partition, which stand behind `after`, point to.

    Args:
        log: to read from.
        partition: whose feed it is.
        after: up to where all is known.
        pointers: in the order of the feed.
        take: returns an entry of a job as its fold takes it, and how many bytes it holds.

    Raises:
        LogUnavailable: the server did not answer.
    """
    upto, size, place = after, 0, 0
    entries: list[tuple[str, Any]] = []
    faults: list[Parked] = []
    while place < len(pointers):
        found = log.read_pointed(partition, pointers[place : place + _POINTERS_A_READ])
        place += len(found)
        for one in found:
            if one.entry is not None:
                job_id = one.pointer.job_id
                entry, entry_bytes = take(job_id, one.entry)
                entries.append((job_id, entry))
                size += entry_bytes
            elif one.fault is not None:
                faults.append(_park(one))
            if not one.is_ahead:
                upto = one.pointer.entry
            if size >= MOST_BYTES:
                yield Portion(upto, entries, faults)
                entries, faults, size = [], [], 0
    if entries or faults or upto != after:
        yield Portion(upto, entries, faults)


def first_events(pointers: Sequence[FeedPointer], most: int) -> Sequence[FeedPointer]:
    """Return the first pointers, to about so many events, but at least one."""
    events = 0
    for index, pointer in enumerate(pointers):
        events += pointer.count
        if events >= most:
            return pointers[: index + 1]
    return pointers


def halves(portion: Portion, after: EntryId) -> tuple[Portion, Portion]:
    """Split a portion that begins behind `after`; the first part moves no position."""
    middle = len(portion.entries) // 2
    first = Portion(after, portion.entries[:middle], [])
    return first, portion._replace(entries=portion.entries[middle:])


def _park(one: Pointed) -> Parked:
    """Return the fault of a pointer: of its job, or of the partition, with an empty job id."""
    ms, seq = (min(number, LARGEST_NUMBER) for number in one.pointer.entry)
    job_id = "" if one.is_ahead else one.pointer.job_id
    return Parked(job_id, Position(ms, seq, 0), one.fault or "", one.pointer.raw, None, None)
