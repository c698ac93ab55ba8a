"""The port through which operators look after projections: how far they are, what is parked.

Who has the store is found through an entry point, as with `ports.views`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synapse_stream.ports.finding import check_door, load_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.settings import Settings


class Checkpoint(Protocol):
    """Where one partition of one projection stands."""

    @property
    def partition(self) -> int:
        """Its number."""

    @property
    def position(self) -> tuple[int, int]:
        """Id of the last feed entry that was committed."""

    @property
    def owner(self) -> str | None:
        """The consumer that holds its lease."""

    @property
    def commits(self) -> int:
        """How many there were."""


class ParkedEvent(Protocol):
    """One event, or whole stream entry, that could not be folded."""

    @property
    def projection(self) -> str:
        """That could not fold it."""

    @property
    def no(self) -> int:
        """Its number within the projection."""

    @property
    def job_id(self) -> str:
        """The job it belongs to."""

    @property
    def position(self) -> Position:
        """Where it stands."""

    @property
    def producer(self) -> str | None:
        """Who wrote it; None for an entry that is no batch."""

    @property
    def number(self) -> int | None:
        """Its number among the producer's events; None for an entry that is no batch."""

    @property
    def reason(self) -> str:
        """Why the last attempt failed."""

    @property
    def raw(self) -> bytes:
        """Its line as it came."""

    @property
    def attempts(self) -> int:
        """How often it was tried."""

    @property
    def is_marked(self) -> bool:
        """True when it shall be tried again."""

    @property
    def parked_ms(self) -> int:
        """When it was parked, by the store's clock."""


class Rebuild(Protocol):
    """One job of one projection that was to be folded anew."""

    @property
    def no(self) -> int:
        """Its place among those of the projection."""

    @property
    def job_id(self) -> str:
        """The job."""

    @property
    def outcome(self) -> str | None:
        """None until it is done; begins with `not done` when it could not be."""

    @property
    def difference(self) -> str | None:
        """The first difference from what was there before; None if there is none."""


class Fault(Protocol):
    """What is wrong with the database of a projection."""

    @property
    def text(self) -> str:
        """What was found."""

    @property
    def file(self) -> str | None:
        """The file that is damaged; None when it is something else."""


class Leases(Protocol):
    """How far projections are."""

    def checkpoints(self, projection: str) -> Sequence[Checkpoint]:
        """Return where the partitions of a projection stand, by number; of none if it never ran."""

    def durable_positions(
        self, projections: Sequence[str]
    ) -> Mapping[str, Mapping[int, tuple[int, int]]]:
        """Return the checkpoints by projection and partition, after they outlive a power cut.

        What was committed before they were is as safe. A projection that never ran has none.
        """

    def skip_trimmed(self, projection: str, trimmed: Mapping[int, tuple[int, int]]) -> None:
        """Have a projection read on behind what was trimmed, after its jobs were asked for anew.

        `trimmed` has by partition up to where its feed was.
        """


class ParkedEvents(Protocol):
    """What could not be folded."""

    def list(
        self, projection: str, *, job_id: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[ParkedEvent]:
        """Return parked events of a projection, by number; `after` is the last one seen."""

    def count(self, projection: str) -> int:
        """Return how many events of a projection are parked."""

    def find(self, projection: str, no: int) -> ParkedEvent | None:
        """Return one parked event, None if there is none of that number."""

    def retry(self, projection: str, numbers: Collection[int]) -> int:
        """Have events tried again by the projector; return how many there were."""

    def drop(self, projection: str, numbers: Collection[int]) -> int:
        """Forget events for good; return how many there were."""


class Rebuilds(Protocol):
    """What is folded anew."""

    def ask(self, projection: str, job_id: str | None = None, *, is_rollback: bool = False) -> int:
        """Have a job, or all, folded anew by who projects it; return how many there were.

        With `is_rollback` what was live before the last rebuild comes back.
        """

    def asked(
        self, projection: str, *, job_id: str | None = None, after: int = 0, limit: int = 100
    ) -> Sequence[Rebuild]:
        """Return what was asked to be folded anew; `after` is the number of the last one seen."""

    def count_due(self, projection: str) -> int:
        """Return how many jobs are still to be folded anew."""


class Damage(Protocol):
    """What cannot be read of one job of one projection."""

    @property
    def job_id(self) -> str:
        """The job; empty for all of a projection that lost tables."""

    @property
    def text(self) -> str:
        """What cannot be read."""

    @property
    def outcome(self) -> str | None:
        """Why it was not folded anew; None while it is to be, or cannot be."""


class Damages(Protocol):
    """What is stored of jobs and cannot be read."""

    def count(self, projection: str) -> int:
        """Return how many jobs of a projection cannot be read in part."""

    def list(self, projection: str, *, limit: int = 100) -> Sequence[Damage]:
        """Return the findings of a projection, the oldest first."""


class Databases(Protocol):
    """Where it is kept."""

    def examine(self, projection: str) -> Fault | None:
        """Read the database of a projection through; return what is wrong with it."""

    def sweep(self, projection: str) -> str | None:
        """Leave nothing of what was deleted in the database of a projection; return why not."""


class AskedErasure(Protocol):
    """A line that is to be erased, or was."""

    @property
    def position(self) -> Position:
        """Where it stands."""

    @property
    def outcome(self) -> str | None:
        """None until the archive has looked; `erased`, or why not."""


class Erasures(Protocol):
    """Lines that are to be erased, and were."""

    def ask(self, job_id: str, positions: Iterable[Position], *, reason: str, by: str) -> None:
        """Have lines erased by who archives the job; what was asked for before stays as it is."""

    def asked(self, job_id: str) -> Sequence[AskedErasure]:
        """Return what was asked of a job, in order."""

    def streamed(self) -> Mapping[str, tuple[int, int]]:
        """Return the jobs whose streams may have lines that were erased, and up to which entry."""

    def left(self, job_id: str, until: tuple[int, int]) -> None:
        """Note that what was erased is gone from the entries of a stream up to `until`."""


class Operations(Protocol):
    """What operators ask of the store; each call is one transaction."""

    @property
    def leases(self) -> Leases:
        """How far projections are."""

    @property
    def parked(self) -> ParkedEvents:
        """What could not be folded."""

    @property
    def rebuilds(self) -> Rebuilds:
        """What is folded anew."""

    @property
    def erasures(self) -> Erasures:
        """Lines that are to be erased, and were."""

    @property
    def damage(self) -> Damages:
        """What cannot be read."""

    @property
    def databases(self) -> Databases:
        """Where it is kept."""

    def close(self) -> None:
        """Disconnect."""


def open_operations(settings: Settings) -> Operations:
    """Open the store of a deployment for its operators.

    Raises:
        ConfigError: what serves it is not installed, or the store's URL is wrong.
    """
    check_door(settings)
    store: Operations = load_entry("synapse_stream.operations")(settings)
    return store
