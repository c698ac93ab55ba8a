"""What `jobs` and `watch` say of a job as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synapse_stream.ports.views import RunState


def summary(state: RunState) -> dict[str, Any]:
    """Return what tells one job from another in a list."""
    run = state.latest
    return {
        "job_id": state.job_id,
        "status": state.status,
        "percent": run.overall_percent,
        "percent_is_at_least": run.overall_is_at_least,
        "eta_seconds": None if run.is_over else run.eta_seconds,
        "eta_is_at_least": run.eta_is_at_least,
        "action": run.action,
        "attempt": run.number,
        "started": run.started,
        "ended": run.ended,
        "duration_seconds": run.duration_seconds,
        "events": run.events,
        "completeness": run.completeness.status,
        "waiting": run.completeness.waiting_count,
        "notes": [*run.notes, *state.notes],
        "parked": state.parked,
        "damaged": state.damaged,
        "error": run.error,
        "position": state.position,
    }
