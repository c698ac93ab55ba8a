"""How much of a job views show: known to those who make them, and to those who report.

All of it is recorded. A job that reports a metric or a step of its own for each number would
make its views slow for everybody, and nobody reads a million names.
"""

from __future__ import annotations

MOST_METRICS = 50_000
"""Names of metrics of a job, under each step anew."""
MOST_STEPS = 1_000
"""Steps of an attempt that report progress."""
MOST_ACTIONS = 1_000
"""Actions of a rank."""
NEARLY = 0.8
"""Share of a quota from which on it is told."""
