"""Jobs with metrics for the page's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.page.deployment import Deployment


def report(
    deployment: Deployment,
    job_id: str,
    points: Iterable[Mapping[str, float]],
    *,
    step: str | None = "training",
    **run: Any,
) -> None:
    """Run a job that reports so many points, with x from 0; return when the views have them."""
    with deployment.open_run(job_id, **run) as ctx:
        for x, values in enumerate(points):
            ctx.set_metrics(values, step=step, x=x)
    deployment.wait_for_views(job_id)
