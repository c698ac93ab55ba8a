"""What operators did."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response

from consumers.api import parameters
from consumers.api.answers import fresh
from consumers.api.description import answer
from consumers.api.permissions import Operating
from consumers.api.routes.trail_schemas import TrailAnswer
from consumers.api.sources import Opened

if TYPE_CHECKING:
    from synapse_stream.operating.acts import TrailReader

router = APIRouter(prefix="/api", tags=["trail"])


@router.get("/trail", response_class=Response, responses=answer(TrailAnswer))
def show_trail(
    request: Request,
    sources: Opened,
    _caller: Operating,
    act: Annotated[
        parameters.Text | None, Query(description="Only such acts: a name, or its first word.")
    ] = None,
    job: Annotated[parameters.Text | None, Query(description="Only what names this job.")] = None,
    since: Annotated[
        parameters.Text | None, Query(description=f"Only from {parameters.A_MOMENT} on.")
    ] = None,
    limit: parameters.Limit = 100,
) -> Response:
    """List what was done that changes what is recorded or shown: the newest acts, oldest first."""
    reader: TrailReader = request.app.state.trail_reader
    begin = parameters.moment("since", since)
    found = (one for one in reader.acts() if one.is_of(act, job, begin))
    page = deque(found, maxlen=limit)
    newest = page[-1].position if page else None
    return fresh(request, {"acts": [one.as_json() for one in page]}, newest, sources.clock)
