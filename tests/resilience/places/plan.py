"""The counts of the whole and of the suite's part."""

from __future__ import annotations

from tests.resilience.places import (
    copies,
    crowds,
    endings,
    guests,
    hosts,
    pools,
    tampering,
    teardowns,
)
from tests.resilience.plan import Scenario

PLACES_PLAN = (
    Scenario(crowds.short_runs, 2000, 40),
    Scenario(crowds.short_children, 50, 1),
    Scenario(crowds.opened_at_once, 20, 2),
    Scenario(teardowns.memory_gone, 150, 2),
    Scenario(teardowns.disk_gone, 150, 2),
    Scenario(teardowns.rebooted, 20, 1),
    Scenario(hosts.two_hosts, 40, 2),
    Scenario(hosts.three_hosts, 30, 1),
    Scenario(hosts.hosts_without_locks, 30, 2),
    Scenario(hosts.hosts_taken_for_dead, 20, 1),
    Scenario(pools.pools, 200, 6),
    Scenario(endings.all_endings, 0, 6),
    Scenario(copies.data_copied, 20, 4),
    Scenario(tampering.descriptors_closed, 21, 3),
    Scenario(tampering.threads_forbidden, 20, 2),
    Scenario(tampering.outputs_closed, 20, 1),
    Scenario(tampering.handlers_raise, 20, 1),
)
GUESTS_PLAN = (
    Scenario(guests.billiard, 20, 2),
    Scenario(guests.gunicorn, 10, 2),
    Scenario(guests.ray, 10, 1),
)
"""Needs `make pools`."""
