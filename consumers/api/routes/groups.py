"""Runs in groups by a field, each group in numbers."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from consumers.api import job_schemas, parameters
from consumers.api.answers import fresh
from consumers.api.asked import NOTHING, Asked
from consumers.api.description import answer
from consumers.api.permissions import Asking
from consumers.api.problems import Problem
from consumers.api.sources import Opened
from synapse_stream.ports.filters.fields import FilterError, field_of
from synapse_stream.ports.filters.search import Group

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/groups", response_class=Response, responses=answer(job_schemas.GroupsAnswer))
def group_jobs(
    request: Request,
    sources: Opened,
    caller: Asking,
    by: Annotated[parameters.Text, Query(description="The field that a group has in common.")],
    asked: Annotated[Asked, Depends(Asked.of)] = NOTHING,
    limit: parameters.Limit = 100,
) -> Response:
    """Group the runs that `filter` finds by what they have in a field, those of most runs first.

    Of each of `columns` that is a number: the lowest, highest and mean value in the group. Runs
    that lack the field are in no group.
    """
    if caller.jobs is not None and "[" in caller.jobs:
        detail = f"the token {caller.name} is for {caller.jobs!r}: groups need one without ["
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    try:
        field = field_of(by)
    except FilterError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    wanted = asked.read(sources)
    found = sources.views.groups(wanted, field, limit=limit, pattern=caller.jobs)
    return fresh(request, {"groups": list(map(_shown, found))}, None, sources.clock)


def _shown(group: Group) -> dict[str, Any]:
    spans = {
        name: {"low": one.low, "high": one.high, "mean": one.mean, "runs": one.runs}
        for name, one in group.spans.items()
    }
    return {
        "value": group.value,
        "runs": group.runs,
        "statuses": group.statuses,
        "spans": spans,
    }
