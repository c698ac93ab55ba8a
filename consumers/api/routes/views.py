"""What views of other packages have of jobs."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from consumers import views
from consumers.api import parameters, schemas, shapes
from consumers.api.answers import fresh
from consumers.api.description import answer
from consumers.api.permissions import Asking, VisibleJob
from consumers.api.problems import Problem
from consumers.api.sources import Opened
from consumers.api.view_access import VisibleView, may_see
from synapse_stream.events.plain import describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.api.sources import Sources
    from consumers.api.tokens import Caller
    from synapse_stream.ports.views import ViewState

router = APIRouter(prefix="/api", tags=["views"])


@router.get("/views", response_class=Response, responses=answer(schemas.ViewsAnswer))
def list_views(request: Request, sources: Opened, caller: Asking) -> Response:
    """List the views of other packages that are installed here, and those that cannot be had."""
    found = [_listed(name) for name in views.installed() if may_see(name, caller)]
    left_out = [
        {"name": name, "version": None, "is_public": False, "fault": fault}
        for name, fault in views.faults().items()
        if caller.is_developer
    ]
    return fresh(request, {"views": found + left_out}, None, sources.clock)


@router.get("/views/{view}", response_class=Response, responses=answer(schemas.ViewOfJobsAnswer))
def list_jobs_of_view(
    request: Request,
    sources: Opened,
    caller: Asking,
    name: VisibleView,
    after: Annotated[
        parameters.Text, Query(description="Go on behind this job: `next` of a page before.")
    ] = "",
    limit: parameters.Limit = 100,
) -> Response:
    """List what a view has of jobs, in the order of their ids."""
    found = _of_caller(sources, caller, name, after, limit + 1)
    page = found[:limit]
    content = {
        "view": name,
        "jobs": [shapes.view_state(one) for one in page],
        "next": page[-1].job_id if len(found) > limit else None,
    }
    newest = max((one.position for one in page), default=None)
    return fresh(request, content, newest, sources.clock)


@router.get(
    "/jobs/{job}/views/{view}", response_class=Response, responses=answer(schemas.ViewAnswer)
)
def show_view(
    request: Request,
    sources: Opened,
    job_id: VisibleJob,
    name: VisibleView,
    after: Annotated[
        int, Query(ge=-1, le=2**63 - 1, description="Rows behind this: `next` of a page before.")
    ] = -1,
    limit: parameters.Limit = 100,
    at: Annotated[
        parameters.Text | None,
        Query(description=f"Its state as it was at {parameters.A_MOMENT}."),
    ] = None,
) -> Response:
    """Show what a view has of a job: its state, and a page of its rows.

    With `at` it is the state as it was: up to and with that position, or before the first event
    that was reported later than that time.
    """
    moment = parameters.moment("at", at)
    if moment is None:
        found = sources.views.view(name, job_id, after=after, limit=limit)
    else:
        found = sources.history.view(name, job_id, moment)
    if found is None:
        detail = f"{name} has nothing of job {describe(job_id)}, or nothing yet"
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    content = {**shapes.view_state(found), "rows": list(found.rows), "next": found.next}
    return fresh(request, content, found.position, sources.clock)


def _of_caller(
    sources: Sources, caller: Caller, name: str, after: str, limit: int
) -> Sequence[ViewState]:
    """Return what a view has of the first jobs behind `after` that the caller may see."""
    found: list[ViewState] = []
    while len(found) < limit:
        page = sources.views.view_of_jobs(name, after=after, limit=limit)
        found += [one for one in page if caller.sees(one.job_id)]
        if len(page) < limit:
            break
        after = page[-1].job_id
    return found[:limit]


def _listed(name: str) -> dict[str, Any]:
    view = views.find(name)
    return {"name": name, "version": view.version, "is_public": view.is_public, "fault": None}
