"""What the findings of a run come to: the verdict over its record, and that over its views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.ports.audit import Verdict

if TYPE_CHECKING:
    from consumers.audit.compare import Compared
    from consumers.audit.record import Record
    from synapse_stream.ports.audit import Finding


def judged_views(compared: Compared) -> Verdict:
    """Return the verdict over the views of a run."""
    if compared.findings:
        return Verdict.BROKEN
    if compared.outdated:
        return Verdict.UNVERIFIED
    return Verdict.INTACT if compared.views else Verdict.UNKNOWN


def worse(record: Verdict, view: Verdict) -> Verdict:
    """Return the verdict over both: that of the record, unless views are worse."""
    worst = (Verdict.BROKEN, Verdict.UNVERIFIED)
    return next((one for one in worst if one in {record, view}), record)


def judged_removal(findings: list[Finding], doubts: list[str]) -> Verdict:
    """Return the verdict over a run that is said to be removed."""
    if findings:
        return Verdict.BROKEN
    return Verdict.UNVERIFIED if doubts else Verdict.REMOVED


def judged_record(
    record: Record, findings: list[Finding], *, is_known: bool, is_doubtful: bool
) -> Verdict:
    """Return the verdict over streams, archive and anchors of a run.

    `is_known` says that a view or an anchor knows it, `is_doubtful` that anchors cannot be checked.
    """
    if findings:
        return Verdict.BROKEN
    if not record.tracks and not is_known:
        return Verdict.UNKNOWN
    if is_doubtful:
        return Verdict.UNVERIFIED
    if not record.tracks:
        return Verdict.OPEN
    return Verdict.INTACT if record.is_sealed() else Verdict.OPEN
