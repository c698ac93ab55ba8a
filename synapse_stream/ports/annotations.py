"""What people say of a run beside what it has reported: labels, a note, whether it is put away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_NOTE = 10_000
LONGEST_LABEL = 400
MOST_LABELS = 100


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is said of a run. Nothing of it changes what is recorded."""

    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Labels that were set, over those that the run has reported; None: taken away."""
    note: str | None = None
    archived: bool = False
    """Lists leave it out, unless their filter names `archived`."""
    baseline: bool = False
    """Others are compared with it."""

    def changed(self, change: Change) -> Annotation:
        """Return what is said after a change."""
        labels = {**self.labels, **(change.labels or {})}
        return replace(
            self,
            labels=labels,
            note=self.note if change.note is None else change.note or None,
            archived=self.archived if change.archived is None else change.archived,
            baseline=self.baseline if change.baseline is None else change.baseline,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be said otherwise; None: it stays."""

    labels: Mapping[str, str | None] | None = None
    """Labels to set; None as a value takes one away."""
    note: str | None = None
    """Empty: there shall be none."""
    archived: bool | None = None
    baseline: bool | None = None


NOTHING = Annotation()
