"""One job in one projection: ledger and view, folded together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumers.projections.base import JobView
    from synapse_stream.log.event_log import RecordedBatch


class Parked(NamedTuple):
    """An event, or a whole stream entry, that could not be folded."""

    job_id: str
    position: Position
    reason: str
    raw: bytes
    """The event's line; of an entry that is no batch, the `repr` of its fields."""
    producer: str | None
    number: int | None
    """The producer's number of the event; both None for an entry that is no batch."""


class JobFold:
    """Ledger and view of one job in one projection."""

    def __init__(self, view: type[JobView], job_id: str, document: bytes | None) -> None:
        """Go on from `document`, as `document` returned it, or begin a new job.

        A document of another version of the projection is not used: fold the job from its start.
        """
        raise NotImplementedError

    has_changed: bool
    """True when something was folded since `rows` was called."""

    def apply(self, recorded: RecordedBatch) -> list[Parked]:
        """Fold what is fresh of one stream entry; return what could not be."""
        raise NotImplementedError

    def document(self) -> bytes:
        """Return `{"v": version, "ledger": …, "view": …}` as JSON with sorted keys."""
        raise NotImplementedError

    def rows(self) -> Any:
        """Return what the writer has to add since the last call, as the view's `take_rows`."""
        raise NotImplementedError


def fold_job(view: type[JobView], job_id: str, batches: Iterable[RecordedBatch]) -> JobFold:
    """Fold a whole run."""
    raise NotImplementedError
