"""Folding parked events again, which an operator has marked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumers.folding.port import Parked
from consumers.store.jobs import JobWrite
from consumers.store.parked import Retried

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from consumers.folding.port import Fold
    from consumers.store.parked import ParkedEvent
    from synapse_stream.entries.entry import EntryId

_IS_REBUILT = "its job is being rebuilt"


class Retry(NamedTuple):
    """What came of it."""

    outcomes: Sequence[Retried]
    writes: Sequence[JobWrite]


def retry(folds: Mapping[str, Fold], marked: Iterable[ParkedEvent]) -> Retry:
    """Fold events again; those of jobs without a fold stay."""
    outcomes: list[Retried] = []
    entries: dict[str, EntryId] = {}
    for event in marked:
        fold = folds.get(event.job_id)
        reason = _IS_REBUILT if fold is None else _fold(fold, event)
        outcomes.append(Retried(event.no, reason))
        if fold is not None:
            entries.setdefault(event.job_id, event.position[:2])
    changed = [(folds[job_id], entry) for job_id, entry in entries.items()]
    writes = [JobWrite.of(fold, entry) for fold, entry in changed if fold.has_changed]
    return Retry(outcomes, writes)


def _fold(fold: Fold, event: ParkedEvent) -> str | None:
    """Return why an event cannot be folded, None when it was."""
    again = Parked(
        event.job_id, event.position, event.reason, event.raw, event.producer, event.number
    )
    try:
        return fold.retry(again)
    except Exception as error:  # noqa: BLE001 - whatever stands in the store
        return f"it cannot be read any more: {error!r}"
