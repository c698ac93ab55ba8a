"""The wire of Kubeflow's trainers: a Trainer of Transformers reports by three variables."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from consumers.api.ingest.trainer import status_in
from consumers.api.permissions import AppendableJob, Known
from consumers.api.problems import Problem
from consumers.api.routes.ingesting import Recording, host_of, in_turn, meters_of, taken

PREFIX = "/ingest/trainer"

router = APIRouter(prefix=PREFIX, tags=["ingest"])

_METRIC = {
    "type": "object",
    "required": ["name", "value"],
    "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
}
_STATUS = {
    "lastUpdatedTime": {"type": "string"},
    "progressPercentage": {"type": "number", "minimum": 0, "maximum": 100},
    "estimatedRemainingSeconds": {"type": "number", "minimum": 0},
    "metrics": {"type": "array", "items": _METRIC},
}
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["trainerStatus"],
    "properties": {"trainerStatus": {"type": "object", "properties": _STATUS}},
}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": _SCHEMA}}}}
_DONE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {"schema": {"type": "object"}}}}
}


@router.post("/jobs/{job}", response_class=Response, responses=_DONE, openapi_extra=_BODY)
async def take_status(
    request: Request, job_id: AppendableJob, caller: Known, recorder: Recording
) -> Response:
    """Take how far a training is and what it measured; what is new is recorded, once."""
    body = await request.body()
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no JSON: {error}"[:300]) from None
    try:
        status = status_in(content)
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)[:300]) from None
    meters_of(request).count(caller, job_id, len(body))
    await in_turn(request, partial(recorder.add_status, job_id, status, body, host_of(request)))
    return taken()
