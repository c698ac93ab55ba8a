"""Jobs: the list, and the state of one, now or as it was."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from consumers.api import job_schemas, parameters, shapes, viewers
from consumers.api.answers import fresh
from consumers.api.asked import NOTHING, Asked
from consumers.api.description import answer
from consumers.api.permissions import Asking, VisibleJob
from consumers.api.problems import Problem, not_found, unprocessable
from consumers.api.sources import Opened, Sources
from consumers.api.tokens import Caller
from synapse_stream.events.plain import describe
from synapse_stream.models import RunStatus
from synapse_stream.ports.views.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.ports.filters.search import Hits
    from synapse_stream.ports.views import RunState, ServedViews

router = APIRouter(prefix="/api/jobs", tags=["jobs"])


@router.get("", response_class=Response, responses=answer(job_schemas.JobsAnswer))
def list_jobs(
    request: Request,
    sources: Opened,
    caller: Asking,
    status: RunStatus | None = None,
    action: parameters.Text | None = None,
    q: Annotated[
        parameters.Text | None, Query(description="Only jobs whose id or action contains it.")
    ] = None,
    after: Annotated[
        parameters.Text | None, Query(description="Go on behind this job: `next` of a page before.")
    ] = None,
    limit: parameters.Limit = 100,
    asked: Annotated[Asked, Depends(Asked.of)] = NOTHING,
    whole: Annotated[bool, Query(description="Of each its condition, as one job has it.")] = False,
) -> Response:
    """List jobs, the newest first, or in the order of `sort`."""
    wanted = {"status": status, "action": action, "text": q, "pattern": caller.jobs}
    if asked:
        hits = asked.search(sources, caller, {**wanted, "after": after, "limit": limit})
        return _found(request, sources, caller, hits, whole=whole)
    try:
        found = list(islice(_listed(sources.views, caller, after, limit, wanted), limit + 1))
    except ValueError:
        raise unprocessable("after", after or "", "a job's id") from None
    page = found[:limit]
    content = {
        "jobs": _whole(sources, caller, page) if whole else _summaries(sources, page),
        "next": page[-1].job_id if len(found) > limit else None,
    }
    newest = max((state.position for state in page), default=None)
    return fresh(request, content, newest, sources.clock)


@router.get("/{job}", response_class=Response, responses=answer(job_schemas.JobAnswer))
def show_job(
    request: Request,
    sources: Opened,
    caller: Asking,
    job_id: VisibleJob,
    at: Annotated[
        parameters.Text | None,
        Query(description=f"Show it as it was at {parameters.A_MOMENT}."),
    ] = None,
) -> Response:
    """Show where a job stands: every attempt, its steps, processes, and what is missing.

    With `at` it is as it was: up to and with that position, or before the first event that was
    reported later than that time; health is that of then.
    """
    moment = parameters.moment("at", at)
    state = sources.state(job_id, moment)
    if state is None:
        if moment is not None and sources.views.state(job_id) is not None:
            raise Problem(HTTPStatus.NOT_FOUND, f"job {describe(job_id)} had no events at {at}")
        raise not_found(job_id)
    now_ms = sources.clock.judging_ms() if moment is None else state.position.ms
    shown = shapes.job(state, now_ms)
    if not caller.is_developer:
        shown = viewers.job(shown)
    return fresh(request, shown, state.position, sources.clock)


def _found(
    request: Request, sources: Sources, caller: Caller, hits: Hits, *, whole: bool
) -> Response:
    """Answer with what was found, and what each run has in the fields that were named."""
    page = [hit.state for hit in hits.found]
    shown = _whole(sources, caller, page) if whole else _summaries(sources, page)
    values = [jsonable(hit.values) for hit in hits.found]
    content = {
        "jobs": [{**one, "values": its} for one, its in zip(shown, values, strict=True)],
        "next": hits.next,
    }
    newest = max((state.position for state in page), default=None)
    return fresh(request, content, newest, sources.clock)


def _summaries(sources: Sources, page: Sequence[RunState]) -> list[dict[str, Any]]:
    now_ms = sources.clock.judging_ms()
    arrivals = sources.views.arrivals([state.job_id for state in page])
    return [shapes.summary(one, now_ms, arrivals.get(one.job_id)) for one in page]


def _whole(sources: Sources, caller: Caller, page: Sequence[RunState]) -> list[dict[str, Any]]:
    now_ms = sources.clock.judging_ms()
    shown = [{**shapes.job(one, now_ms), "position": shapes.position(one.position)} for one in page]
    return shown if caller.is_developer else list(map(viewers.job, shown))


def _listed(
    views: ServedViews, caller: Caller, after: str | None, limit: int, wanted: dict[str, Any]
) -> Iterator[RunState]:
    """Yield the jobs that the caller may see.

    Raises:
        ValueError: it knows no job `after`.
    """
    if after is not None and not caller.sees(after):
        msg = f"there is no job {after!r} for {caller.name}"
        raise ValueError(msg)
    size = limit + 1
    while True:
        found = views.jobs(after=after, limit=size, **wanted)
        yield from (state for state in found if caller.sees(state.job_id))
        if len(found) < size:
            return
        after = found[-1].job_id
