"""A run state that cannot be read: what is still known of it."""

from __future__ import annotations

from consumers.views.run_state.completing import Marked
from synapse_stream.entries.position import Position
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import Attempt, RunState


def unread(job_id: str, status: str | None, action: str | None, ms: int | None) -> RunState:
    """Return what a list still shows of a job whose document cannot be read."""
    born = ms if isinstance(ms, int) else 0
    known = RunStatus(status) if status in set(RunStatus) else RunStatus.PENDING
    attempt = Attempt(
        number=1,
        status=known,
        error=None,
        result=None,
        action=action,
        plugin=None,
        params=None,
        labels={},
        started=born * 1000,
        ended=None,
        first_time=born * 1000,
        last_time=born * 1000,
        first_sign_ms=born,
        last_sign_ms=born,
        overall_percent=None,
        overall_is_at_least=False,
        eta_seconds=None,
        eta_is_at_least=False,
        eta_time=None,
        steps=[],
        actions=[],
        ranks=[],
        lost=[],
        resumed=[],
        rejected=0,
        is_ending=False,
        signal=None,
        counts={},
        levels={},
        completeness=Marked({}).completeness(1),
        quotas=(),
    )
    return RunState(job_id, Position(born, 0), [attempt], attempt, attempt_count=1)
