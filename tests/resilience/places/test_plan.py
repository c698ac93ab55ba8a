"""A seeded part of every scenario; `python -m tests.resilience` runs the whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.resilience.places.plan import GUESTS_PLAN, PLACES_PLAN
from tests.resilience.plan import SEED, Scenario
from tests.support.machine import end_lacking

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(300)  # many processes, and perhaps other load
@pytest.mark.parametrize("scenario", PLACES_PLAN, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_doubled_or_untrue(scenario: Scenario, tmp_path: Path) -> None:
    print(f"seed {SEED}")

    result = scenario.run(tmp_path, scenario.part, SEED)

    if result.skipped:
        end_lacking(result.skipped)
    assert result.problems == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scenario", GUESTS_PLAN, ids=lambda scenario: scenario.name)
def test_nothing_is_lost_in_the_pools_of_others(scenario: Scenario, tmp_path: Path) -> None:
    result = scenario.run(tmp_path, scenario.part, SEED)

    if result.skipped:  # also in CI: a registry may not have them
        pytest.skip(result.skipped)
    assert result.problems == []
