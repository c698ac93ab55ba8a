"""What the routes of annotations answer."""

from __future__ import annotations

from consumers.api.schemas import Answer


class AnnotationAnswer(Answer):
    """What people say of a run."""

    labels: dict[str, str | None]
    """Labels that were set, over those that the run has reported; null: taken away."""
    note: str | None
    archived: bool
    """Lists leave it out, unless their filter names `archived`."""
    baseline: bool
