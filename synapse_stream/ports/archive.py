"""The port through which what was archived of a job is read.

Who has the archive is found through an entry point, as with `ports.views`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from synapse_stream.ports.finding import check_door, load_entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from synapse_stream.entries.batch import RawEntry
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.erasing import Erasure
    from synapse_stream.entries.position import Position
    from synapse_stream.settings import Settings


@dataclass(frozen=True, slots=True)
class ProducerMark:
    """What the archive has of one producer."""

    last: int
    """Its highest number."""
    hash: bytes
    """The chain hash there, as received."""
    batches: int
    events: int
    """How many numbers; fewer than `last` + 1 when some are missing."""
    place: Position
    """Where its newest batch stands."""
    sealed: int | None
    """How many events it says it made; None when its newest batch has no `end`."""
    joins: Sequence[Sequence[Any]] = ()
    """Where a batch follows what was sent again after a lost tail: in which cuts that came, as
    `entries.cuts` has it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the archive has of one job."""

    job_id: str
    entries: int
    """Stream entries, batches and others."""
    strays: int
    """Entries that are no batch as the append script writes them."""
    events: int
    payload_bytes: int
    """Size of the payloads as they were received, most of them compressed."""
    stored_bytes: int
    """Size of what is stored for them now."""
    blocks: int
    first: Position | None
    last: Position | None
    producers: Mapping[str, ProducerMark]
    erasures: Sequence[Erasure] = ()
    """Lines that were erased."""


class Archive(Protocol):
    """What was committed of every job, exactly as it was received.

    An entry keeps its place. A batch that came again after a server lost its tail, with another
    id, is there once, where it stood first.
    """

    def find(self, job_id: str, position: Position) -> int:
        """Return the index of the entry of `position`; without one, of the first behind it.

        Of several that have its id the newest is meant. An index stays what it is for good.
        """

    def read(
        self, job_id: str, index: int = 0, *, limit: int = 100, until: Position | None = None
    ) -> list[RecordedBatch]:
        """Read entries from that of `index` on, up to and with that of `until`.

        They come in the order in which they were archived: that of their ids, unless a server
        lost its tail and its clock went back; then two may even have the same id. So who goes on
        reading does it by index. Payloads are not compressed.
        """

    def manifest(self, job_id: str) -> Manifest | None:
        """Return what the archive has of a job; None for a job that it does not know."""

    def last_numbers(self, job_id: str) -> Mapping[str, int]:
        """Return the highest number of every producer; a job that it does not know has none."""

    def jobs(self, *, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Return ids of archived jobs in their order; `after` is the last one seen."""

    def add(
        self,
        job_id: str,
        entries: Iterable[RawEntry],
        joins: Mapping[str, Sequence[Sequence[Any]]],
        erasures: Sequence[Erasure] = (),
    ) -> None:
        """Archive a whole job that was read elsewhere; all of it or, if `entries` fails, nothing.

        Args:
            job_id: of the job.
            entries: all of them.
            joins: by producer, as its ProducerMark had them there.
            erasures: as its manifest had them there.

        Raises:
            JobExists: the archive has such a job.
        """

    def close(self) -> None:
        """Disconnect."""


def open_archive(settings: Settings) -> Archive:
    """Open the archive of a deployment.

    Raises:
        ConfigError: what serves it is not installed, or the store's URL is wrong.
    """
    check_door(settings)
    archive: Archive = load_entry("synapse_stream.archive")(settings)
    return archive
