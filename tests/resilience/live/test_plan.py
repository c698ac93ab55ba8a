"""A seeded part of every scenario; `python -m tests.resilience` runs the whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resilience.live.plan import LIVE_PLAN
from tests.resilience.plan import SEED, Scenario
from tests.support.machine import end_lacking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(300)  # many processes, and perhaps other load
@pytest.mark.parametrize("scenario", LIVE_PLAN, ids=lambda scenario: scenario.name)
def test_clients_get_each_event_once_in_order(scenario: Scenario, tmp_path: Path) -> None:
    print(f"seed {SEED}")

    result = scenario.run(tmp_path, scenario.part, SEED)

    if result.skipped:
        end_lacking(result.skipped)
    assert result.problems == []
