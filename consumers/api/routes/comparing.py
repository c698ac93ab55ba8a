"""Runs compared: only what differs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from consumers.api import job_schemas, parameters
from consumers.api.answers import fresh
from consumers.api.description import answer
from consumers.api.permissions import Asking
from consumers.api.problems import not_found
from consumers.api.sources import Opened
from synapse_stream.ports import comparing
from synapse_stream.ports.views.jsonable import jsonable

router = APIRouter(prefix="/api", tags=["jobs"])


@router.get("/compare", response_class=Response, responses=answer(job_schemas.CompareAnswer))
def compare_jobs(
    request: Request,
    sources: Opened,
    caller: Asking,
    named: Annotated[
        list[parameters.Text],
        Query(alias="job", min_length=2, max_length=comparing.MOST_RUNS, description="Their ids."),
    ],
) -> Response:
    """Compare the latest attempts of runs: params, labels, environment and metrics that differ.

    Of a metric the best value is compared, where its name says whether low or high is good, else
    the last one.
    """
    jobs = list(dict.fromkeys(named))
    for one in jobs:
        if not caller.sees(one):
            raise not_found(one)
    found = comparing.compare(sources.views, jobs)
    if isinstance(found, str):
        raise not_found(found)
    return fresh(request, jsonable(found), None, sources.clock)
