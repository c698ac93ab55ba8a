"""The append laws as one scenario of the plan: many more stories than the suite has time for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.resilience.append_laws import AppendLaws, BoundedLaws
from tests.support.scenes.report import Result

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random


def append_laws(home: Path, count: int, random: Random) -> Result:
    """Tell `count` random stories of faults to the real producer and a server in memory."""
    result = Result("append laws, stories", count)
    options = settings(
        max_examples=count // 2,
        stateful_step_count=40,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    stories = AppendLaws.stories + BoundedLaws.stories
    events = AppendLaws.events + BoundedLaws.events
    for laws in (AppendLaws, BoundedLaws):
        run_state_machine_as_test(seeded(random.getrandbits(32))(laws), settings=options)
    told = AppendLaws.stories + BoundedLaws.stories - stories  # some are told more than once
    result.happened = min(told, count)
    result.tally.events = AppendLaws.events + BoundedLaws.events - events
    return result
