"""What stands beside the run states of jobs: what projections have parked, and what is damaged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from consumers.errors import StoreUnavailable, Unreadable
from consumers.store import damage, parked
from consumers.views.run_state import brief, reading
from consumers.views.run_state import query as runs
from consumers.views.run_state.unread import unread
from synapse_stream.ports.views import Beside
from synapse_stream.ports.views.quotas import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from consumers.store.damage import Damages
    from consumers.store.databases import Databases
    from synapse_stream.ports.views import RunState


def known_beside(databases: Databases, job_ids: Sequence[str]) -> dict[str, Beside]:
    """Return by job what all projections have parked, and which of them cannot be read.

    A database that cannot be read makes its projections damaged, and costs the others nothing.
    """
    parked_of: Counter[str] = Counter()
    damaged: dict[str, list[str]] = {}
    for names in databases.together():
        try:
            with databases.reading(names[0], "looking what is parked") as connection:
                parked_of.update(parked.count(connection, job_ids, names))
                found = damage.of_jobs(connection, job_ids, names)
        except StoreUnavailable:
            found = {job_id: list(names) for job_id in job_ids}
        for job_id, those in found.items():
            damaged.setdefault(job_id, []).extend(those)
    return {
        job_id: Beside(parked_of[job_id], damaged=tuple(damaged.get(job_id, ())))
        for job_id in job_ids
    }


def shown(
    databases: Databases, damages: Damages, found: Iterable[runs.Listed]
) -> dict[str, RunState]:
    """Return what a list shows of jobs; of one that cannot be read what stands beside it."""
    states: dict[str, RunState] = {}
    for job_id, document, told, status, action, ms in found:
        try:
            with damages.found(runs.PROJECTION, job_id):
                state = (
                    reading.stored(job_id, document, NOTHING)
                    if told is None
                    else brief.read(job_id, told)
                )
        except Unreadable:
            state = unread(job_id, status, action, ms)
        if state is not None:
            states[job_id] = state
    beside = known_beside(databases, list(states))
    return {
        job_id: replace(state, parked=beside[job_id].parked, damaged=beside[job_id].damaged)
        for job_id, state in states.items()
    }
