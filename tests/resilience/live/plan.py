"""The live streams' part of the fault plan: the counts of the whole and of the suite's part."""

from __future__ import annotations

from tests.resilience.live import clients, outages, throng
from tests.resilience.plan import Scenario

LIVE_PLAN = (
    Scenario(clients.disconnect_clients, 100, 12),
    Scenario(clients.stop_reading, 8, 2),
    Scenario(outages.restart_the_api, 10, 2),
    Scenario(outages.restart_server_under_clients, 10, 2),
    Scenario(outages.put_back_under_clients, 10, 2),
    Scenario(throng.throng, throng.WHOLE, 40),
)
