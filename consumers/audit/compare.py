"""The views of a job against fresh folds, all fed together."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from consumers.audit.refold import Refold
from consumers.store.stored import StoredView
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consumers.folding.decoding import Content
    from consumers.views.port import View
    from synapse_stream.entries.entry import RecordedBatch
    from synapse_stream.entries.position import Position


class Compared(NamedTuple):
    """What comparing views came to."""

    views: dict[str, Position | None]
    """The views that know the job, each with the position up to which it was compared."""
    findings: list[Finding]
    notes: list[str]
    """What is no difference, but must be known."""
    outdated: list[str]
    """The views that are of another version, so nothing can be said of them."""


class ViewCheck:
    """Walks what is recorded of a job, and folds of it what each view has."""

    def __init__(self, job_id: str, stored: Iterable[tuple[View, StoredView | str | None]]) -> None:
        """Take views with what is stored, why it cannot be read, or None where there is nothing."""
        self._folds: list[Refold] = []
        self._findings: list[Finding] = []
        for view, content in stored:
            if isinstance(content, StoredView):
                self._begin(view, job_id, content)
            elif content is not None:
                self._findings.append(Finding(view.name, "a view", content))

    def take(self, entry: RecordedBatch, content: Content | None) -> None:
        """Fold the next entry; `content` is what `decode` gives for its batch."""
        for fold in self._folds:
            fold.take(entry, content)

    def compare(self) -> Compared:
        """Compare the views with what was folded."""
        findings, notes = self._findings[:], []
        for fold in self._folds:
            try:
                found, said = fold.compare()
            except Exception as error:  # noqa: BLE001 - whatever stands in the store
                found, said = [_unreadable(fold.name, error)], []
            findings += found
            notes += said
        outdated = [fold.name for fold in self._folds if fold.is_outdated]
        places = {fold.name: fold.position for fold in self._folds}
        return Compared(places, findings, notes, outdated)

    def _begin(self, view: View, job_id: str, stored: StoredView) -> None:
        try:
            self._folds.append(Refold(view, job_id, stored))
        except Exception as error:  # noqa: BLE001 - whatever stands in the store
            self._findings.append(_unreadable(view.name, error))


def _unreadable(name: str, error: Exception) -> Finding:
    return Finding(name, "a view", f"what cannot be read: {error!r}")
