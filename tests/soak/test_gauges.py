"""What the soak takes for growth."""

from __future__ import annotations

import pytest

from tests.soak.gauges import Gauge


def gauge(*values: float) -> Gauge:
    return Gauge("memory", "MiB", slack=1.0, values=list(values))


@pytest.mark.parametrize(
    ("values", "grows"),
    [
        ([0, 50, *[100] * 14], False),  # warms up
        ([100, 100, 100, 100, *[111] * 12], False),  # within its slack
        ([10.0 * number for number in range(16)], True),
        ([100] * 7, True),  # too few to tell
        ([100] * 12 + [500] + [100] * 3, False),  # one peak
    ],
)
def test_only_what_stays_higher_has_grown(values: list[float], grows: bool) -> None:
    assert gauge(*values).grows is grows
    assert ("GROWS" in str(gauge(*values))) is (grows and len(values) > 8)
