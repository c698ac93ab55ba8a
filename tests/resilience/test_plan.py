"""A seeded part of every scenario; `python -m tests.resilience` runs the whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resilience.plan import PLAN, SEED, Scenario
from tests.support.machine import end_lacking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(300)  # many processes, and perhaps other load
@pytest.mark.parametrize("scenario", PLAN, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_doubled_or_disordered(scenario: Scenario, tmp_path: Path) -> None:
    print(f"seed {SEED}")

    result = scenario.run(tmp_path, scenario.part, SEED)

    if result.skipped:
        end_lacking(result.skipped)
    assert result.problems == []
