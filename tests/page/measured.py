"""Jobs with metrics for the page's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from tests.servers import wait_until

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
        count = 0
        for count, values in enumerate(points, 1):
            ctx.set_metrics(values, step=step, x=count - 1)
    deployment.wait_for_views(job_id)
    wait_for_points(deployment, job_id, count)


def wait_for_points(deployment: Deployment, job_id: str, count: int) -> None:
    """Return when some series has so many points."""
    url = f"{deployment.url}/api/jobs/{quote(job_id, safe='')}/series"

    def has_them() -> bool:
        return any(one["count"] >= count for one in httpx.get(url).json().get("series", ()))

    wait_until(has_them)
