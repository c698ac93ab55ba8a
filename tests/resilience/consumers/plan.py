"""The consumers' part of the fault plan, with the counts of the whole and of the suite's part."""

from __future__ import annotations

from tests.resilience.consumers import (
    damage,
    forking,
    fuzz,
    kills,
    neighbours,
    outages,
    pooled,
    readers,
    rebuilds,
    stories,
    tampering,
    trims,
    values,
)
from tests.resilience.plan import Scenario

CONSUMER_PLAN = (
    Scenario(kills.kill_consumers, 100, 2),
    Scenario(kills.kill_consumers_on_postgres, 100, 2),
    Scenario(kills.kill_consumers_at_points, 10, 1),
    Scenario(kills.kill_consumers_at_points_on_postgres, 10, 1),
    Scenario(kills.stop_an_owner, 20, 1),
    Scenario(outages.put_back_under_consumers, 20, 2),
    Scenario(outages.restart_server_under_consumers, 10, 1),
    Scenario(outages.restart_database, 10, 1),
    Scenario(pooled.cut_connections_of_a_pooler, 50, 2),
    Scenario(outages.lock_the_database, 10, 1),
    Scenario(outages.fill_the_database_disk, 5, 1),
    Scenario(fuzz.fuzz_streams, 100_000, 2_000),
    Scenario(fuzz.fuzz_streams_on_postgres, 100_000, 1_000),
    Scenario(neighbours.write_anything, 50_000, 600),
    Scenario(neighbours.write_anything_on_postgres, 50_000, 300),
    Scenario(stories.project_random_runs, 1_000, 40),
    Scenario(trims.race_trimming, 100, 3),
    Scenario(readers.read_during_writes, 60, 2),
    Scenario(rebuilds.rebuild_under_load, 20, 2),
    Scenario(rebuilds.kill_while_rebuilding, 50, 2),
    Scenario(tampering.tamper_with_runs, 700, 14),
    Scenario(forking.roll_back_and_fork, 100, 4),
)

DAMAGE_PLAN = (
    Scenario(values.replace_any_value, 400, 40),
    Scenario(values.replace_any_value_on_postgres, 400, 40),
    Scenario(damage.damage_stores, 260, 26),
    Scenario(damage.damage_stores_on_postgres, 260, 26),
)
"""What is stored is damaged; in the suite `tests/consumers/test_damage.py` does that."""
