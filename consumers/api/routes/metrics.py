"""Metrics: which series a job has, their courses, and every point as CSV."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import TypeAdapter, ValidationError

from consumers.api import parameters, schemas, shapes
from consumers.api.answers import CSV, JSON, PARQUET, choose, fresh, streamed
from consumers.api.description import answer
from consumers.api.permissions import VisibleJob
from consumers.api.problems import not_found, unprocessable
from consumers.api.routes import tables
from consumers.api.routes.courses import View, course, size_of
from consumers.api.routes.courses import answer as answer_of
from consumers.api.sources import Opened, Sources
from synapse_stream.ports.views import Axis, SeriesKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.entries.position import Position
    from synapse_stream.ports.views import SeriesSummary, ServedViews

router = APIRouter(prefix="/api/jobs/{job}", tags=["metrics"])

VIEW = "metric-history"
MOST_SERIES = 100

_MOST_POINTS = 100_000
_POINTS_AT_ONCE = 20_000
_MOST_BUCKETS = 1_000_000
_KINDS = (JSON, CSV, PARQUET) if tables.HAS_PARQUET else (JSON, CSV)
_KEY = TypeAdapter(SeriesKey)
_A_KEY = "`next` of the page before"

Number = Annotated[int, Query(ge=0, le=parameters.LARGEST_INT)]
Edge = Annotated[float, Query(allow_inf_nan=False)]
After = Annotated[parameters.Text, Query(description=f"Go on behind this series: {_A_KEY}.")]


class Filter(NamedTuple):
    """Which series are asked for; None means all."""

    name: str | None
    step: str | None
    rank: int | None


def filter_of(
    name: parameters.Text | None = None,
    step: parameters.Text | None = None,
    rank: Number | None = None,
) -> Filter:
    """Read the parameters that choose series."""
    return Filter(name, step, rank)


Wanted = Annotated[Filter, Depends(filter_of)]


def view_of(
    points: Annotated[
        int,
        Query(
            ge=0,
            le=_MOST_POINTS,
            description="Most points to draw; a bucket takes two. 0: every point, unbucketed.",
        ),
    ] = 2_000,
    x: Annotated[Axis, Query(description="What runs along the horizontal axis.")] = Axis.X,
    start: Edge | None = None,
    stop: Edge | None = None,
    until: Annotated[
        parameters.PositionText | None, Query(description="As it was at this position.")
    ] = None,
) -> View:
    """Read the parameters of what is in view."""
    if start is not None and stop is not None and start > stop:
        raise unprocessable("start", str(start), f"at most stop={stop}")
    return View(points, x, start, stop, parameters.stored("until", until))


@router.get("/series", response_class=Response, responses=answer(schemas.SeriesAnswer))
def list_series(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    wanted: Wanted,
    attempt: Number | None = None,
    after: After | None = None,
    limit: parameters.Limit = 100,
) -> Response:
    """List the series of a job, by attempt, rank, step and name."""
    place = _position(sources.views, job_id)
    found = sources.views.series(
        job_id, **wanted._asdict(), attempt=attempt, after=_key("after", after), limit=limit + 1
    )
    content = {
        "series": [shapes.series_summary(one) for one in found[:limit]],
        "next": _next(found, limit),
    }
    return fresh(request, content, place, sources.clock)


@router.get(
    "/metrics",
    response_class=Response,
    responses=answer(
        schemas.MetricsAnswer,
        text_csv="Every point, one a line",
        **{"application_vnd.apache.parquet": "The same, with the extra `parquet`"},
    ),
)
def show_metrics(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    wanted: Wanted,
    view: Annotated[View, Depends(view_of)],
    attempt: Annotated[
        parameters.Text | None,
        Query(
            pattern=r"^(all|\d{1,9})$",
            description="A number, or `all`; else of each series the latest attempt that has it.",
        ),
    ] = None,
    after: After | None = None,
) -> Response:
    """Show the courses of series, in buckets that lose no extreme, or with every point.

    At most 100 series come in one answer, fewer with very many points; `next` names where to go
    on. As CSV or Parquet all of
    them come, with every point up to `until`.
    """
    kind = choose(request, _KINDS)
    place = _position(sources.views, job_id)
    found = _chosen(sources.views, job_id, wanted, attempt, _key("after", after))
    if kind != JSON:
        pieces = tables.pieces(sources.views, job_id, (one.key for one in found), view.until)
        if kind == CSV:
            return streamed(request, tables.as_csv(pieces), CSV, "metrics.csv")
        return streamed(request, tables.as_parquet(pieces), PARQUET, "metrics.parquet")
    return _answer(request, sources, job_id, list(islice(found, MOST_SERIES + 1)), view, place)


def _answer(
    request: Request,
    sources: Sources,
    job_id: str,
    found: Sequence[SeriesSummary],
    view: View,
    place: Position,
) -> Response:
    """Answer at once, or, with many points, bit by bit and without an ETag."""
    page = _page(found, view)
    following = _next(found, len(page))
    if sum(size_of(one, view) for one in page) > _POINTS_AT_ONCE:
        head = {**shapes.freshness(place, sources.clock), "position": shapes.position(place)}
        # what comes meanwhile would make one column longer than another
        fixed = view if view.until else view._replace(until=place)
        parts = answer_of(head, sources.views, job_id, page, fixed, following)
        return streamed(request, parts, JSON)
    content = {
        "x": view.axis,
        "series": [course(sources.views, job_id, one, view) for one in page],
        "next": following,
    }
    return fresh(request, content, place, sources.clock)


def _page(found: Sequence[SeriesSummary], view: View) -> Sequence[SeriesSummary]:
    """Return the first series: 100, or fewer with so many buckets that they would be too much."""
    page, size = found[:MOST_SERIES], 0
    for number, one in enumerate(page):
        size += size_of(one, view) if view.points else 0
        if size > _MOST_BUCKETS and number:
            return page[:number]
    return page


def _position(views: ServedViews, job_id: str) -> Position:
    place = views.position(VIEW, job_id)
    if place is None:
        raise not_found(job_id)
    return place


def _key(name: str, text: str | None) -> SeriesKey | None:
    """Return the series that a page before ended with."""
    if text is None:
        return None
    try:
        key = _KEY.validate_json(text, strict=True)
    except ValidationError:
        raise unprocessable(name, text, _A_KEY) from None
    attempt, rank, step, metric = key
    if not all(0 <= number <= parameters.LARGEST_INT for number in (attempt, rank)) or (
        "\0" in metric or "\0" in (step or "")
    ):
        raise unprocessable(name, text, _A_KEY)
    return key


def _next(found: Sequence[SeriesSummary], limit: int) -> str | None:
    return orjson.dumps(list(found[limit - 1].key)).decode() if len(found) > limit else None


def _chosen(
    views: ServedViews, job_id: str, wanted: Filter, attempt: str | None, after: SeriesKey | None
) -> Iterator[SeriesSummary]:
    """Yield the series behind `after`; of each its latest attempt, unless one is named."""
    number = None if attempt in {None, "all"} else int(attempt or 0)
    limit = MOST_SERIES + 1
    while True:
        found = views.series(
            job_id,
            **wanted._asdict(),
            attempt=number,
            only_latest=attempt is None,
            after=after,
            limit=limit,
        )
        yield from found
        if len(found) < limit:
            return
        after = found[-1].key
