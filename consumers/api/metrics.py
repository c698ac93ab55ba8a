"""Metrics: which series a job has, their courses, and every point as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from consumers.api import parameters, shapes
from consumers.api.access import VisibleJob
from consumers.api.answers import fresh
from consumers.api.problems import not_found, unprocessable
from consumers.api.sources import Opened, Sources
from synapse_stream.views import Axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.position import Position
    from synapse_stream.views import SeriesSummary

router = APIRouter(prefix="/api/jobs/{job}", tags=["metrics"])

MOST_SERIES = 100

Number = Annotated[int, Query(ge=0, le=parameters.LARGEST_INT)]
Place = Annotated[float, Query(allow_inf_nan=False)]


@router.get("/series", response_class=Response)
def list_series(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    name: parameters.Text | None = None,
    step: parameters.Text | None = None,
    rank: Number | None = None,
    attempt: Number | None = None,
    limit: parameters.Limit = 1000,
) -> Response:
    """List the series of a job, by attempt, rank, step and name."""
    place = _position(sources, job_id)
    found = sources.views.series(job_id, name=name, step=step, rank=rank, attempt=attempt)
    content = {"series": [shapes.series_summary(one) for one in found[:limit]], "next": None}
    return fresh(request, content, place, sources.clock)


@router.get("/metrics", response_class=Response)
def show_metrics(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    name: parameters.Text | None = None,
    step: parameters.Text | None = None,
    rank: Number | None = None,
    attempt: str | None = None,
    points: Annotated[int, Query(ge=0, le=100_000)] = 2_000,
    x: Axis = Axis.X,
    start: Place | None = None,
    stop: Place | None = None,
) -> Response:
    """Show the courses of series, in buckets that lose no extreme, or with every point."""
    place = _position(sources, job_id)
    found = _chosen(sources, job_id, name, step, rank, attempt)
    shown = [_course(sources, job_id, one, points, x, start, stop) for one in found[:MOST_SERIES]]
    return fresh(request, {"x": x, "series": shown, "next": None}, place, sources.clock)


def _position(sources: Sources, job_id: str) -> Position:
    state = sources.views.state(job_id)
    if state is None:
        raise not_found(job_id)
    return state.position


def _chosen(
    sources: Sources,
    job_id: str,
    name: str | None,
    step: str | None,
    rank: int | None,
    attempt: str | None,
) -> Sequence[SeriesSummary]:
    number = int(attempt) if attempt and attempt.isdecimal() else None
    if attempt not in {None, "all"} and number is None:
        raise unprocessable("attempt", attempt or "", "a number, or all")
    found = sources.views.series(job_id, name=name, step=step, rank=rank, attempt=number)
    if attempt is not None:
        return found
    latest = {one.key[1:]: one for one in found}  # by attempt: the latest stays
    return [one for one in found if latest[one.key[1:]] is one]


def _course(
    sources: Sources,
    job_id: str,
    found: SeriesSummary,
    points: int,
    axis: Axis,
    start: float | None,
    stop: float | None,
) -> dict[str, Any]:
    summary = shapes.series_summary(found)
    if points == 0:
        return {**summary, **shapes.points(sources.views.points(job_id, found.key))}
    overview = sources.views.overview(
        job_id, found.key, buckets=max(1, points // 2), axis=axis, start=start, stop=stop
    )
    return {**summary, "in_view": overview.count, "buckets": shapes.buckets(overview)}
