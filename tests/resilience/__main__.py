"""`python -m tests.resilience`: run the whole fault plan and print its report.

Exit status 1 when anything was lost, doubled, out of order or unknown, or when a planned fault did
not happen: such a run is void.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from tests.resilience.consumers.plan import CONSUMER_PLAN, DAMAGE_PLAN
from tests.resilience.live.plan import LIVE_PLAN
from tests.resilience.places.plan import GUESTS_PLAN, PLACES_PLAN
from tests.resilience.plan import PLAN, SEED, Scenario
from tests.support.scenes.report import Result, foot, head, row

if TYPE_CHECKING:
    from collections.abc import Sequence

WHOLE_PLAN = (*PLAN, *CONSUMER_PLAN, *DAMAGE_PLAN, *LIVE_PLAN, *PLACES_PLAN, *GUESTS_PLAN)


def main(plan: Sequence[Scenario] = WHOLE_PLAN, arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios of `plan` that were asked for, all by default; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.resilience", description=__doc__)
    names = [scenario.name for scenario in plan]
    parser.add_argument("scenario", nargs="*", choices=[*names, []], help="only these")
    parser.add_argument("--part", action="store_true", help="the small part that the suite runs")
    parser.add_argument("--seed", type=int, default=SEED, help=f"of all chance; {SEED}")
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}\n{head()}", flush=True)
    results = []
    for scenario in plan:
        if not given.scenario or scenario.name in given.scenario:
            results.append(
                _run(scenario, scenario.part if given.part else scenario.whole, given.seed)
            )
            print(row(results[-1]), flush=True)
    print(foot(results))
    return 1 if any(result.problems for result in results) else 0


def _run(scenario: Scenario, count: int, seed: int) -> Result:
    with tempfile.TemporaryDirectory(prefix="faults-") as home:
        try:
            return scenario.run(Path(home), count, seed)
        except Exception:  # noqa: BLE001 - the other scenarios are worth running
            result = Result(scenario.name, count)
            result.require(False, traceback.format_exc())
            return result


if __name__ == "__main__":
    logging.getLogger("synapse_stream").setLevel(logging.CRITICAL)  # outages are the plan here
    sys.exit(main())
