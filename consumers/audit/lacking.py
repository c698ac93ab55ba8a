"""Views that have nothing of a job, though their projections have come past what is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers import views
from synapse_stream.ports.audit import Finding

if TYPE_CHECKING:
    from consumers.audit.compare import Compared
    from consumers.audit.record import Record
    from consumers.audit.refolding import Sources
    from synapse_stream.entries.entry import EntryId


class Lacking:
    """Finds them; begin before the views are read, so that what is told as read is in them."""

    def __init__(self, sources: Sources, job_id: str) -> None:
        store = sources.store
        partition = store.databases.partition(job_id)
        self._reached: dict[str, EntryId] = {}
        """How far they have come, of those of which the job is not to be folded anew."""
        for name in views.folded():
            asked = store.rebuilds.asked(name, job_id=job_id)
            if all(one.outcome is not None for one in asked):
                self._reached[name] = sources.reached(name, partition)

    def add(self, compared: Compared, record: Record) -> Compared:
        """Return what was compared, with a finding for each."""
        known = {*compared.views, *(finding.what for finding in compared.findings)}
        lacking = [
            Finding(name, f"a view of {record.events} events", "nothing")
            for name, place in self._reached.items()
            if name not in known and place >= record.end > (0, 0)
        ]
        return compared._replace(findings=[*compared.findings, *lacking])
