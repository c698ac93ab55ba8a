"""Whatever the interleaving, the stream holds what was reported."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.resilience.append_laws import AppendLaws, BoundedLaws

quick = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)

TestAppendLaws = AppendLaws.TestCase
TestAppendLaws.settings = quick
TestBoundedLaws = BoundedLaws.TestCase
TestBoundedLaws.settings = quick
