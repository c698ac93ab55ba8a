"""The wire of the Synapse SDK: what its loggers send to a backend is recorded here.

Everything else that is asked below this path goes on to the real backend, if there is one.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from consumers.api.ingest import synapse
from consumers.api.permissions import (
    AppendableJob,
    Known,
    check_appendable,
    check_may_append,
    refuse_foreign_pages,
)
from consumers.api.problems import Problem
from consumers.api.routes.ingesting import Recording, host_of, in_turn, meters_of, taken
from consumers.api.tokens import Caller
from synapse_stream.remote.backend import Backend

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "/ingest/synapse"
CREDENTIALS = ("authorization", "synapse-access-token", "synapse-agent", "synapse-tenant")

router = APIRouter(prefix=PREFIX, tags=["ingest"])

_PART_BYTES = 64 * 1024
_OF_A_CONNECTION = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "trailers", "transfer-encoding", "upgrade", "host", "content-length"),
    }
)
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_ENTRY = {"type": "object", "required": ["event", "data", "job"]}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def _done(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"schema": schema}}}}


@router.patch(
    "/jobs/{job}/",
    response_class=Response,
    responses=_done({"type": "object"}),
    openapi_extra=_body({"type": "object"}),
)
@router.patch("/jobs/{job}", include_in_schema=False)
async def change_job(
    request: Request, job_id: AppendableJob, caller: Known, recorder: Recording
) -> Response:
    """Take a snapshot of a job's progress and metrics, and its status; what is new is recorded."""
    body = await request.body()
    content = _parsed(body)
    if not isinstance(content, dict):
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "the body must be an object")
    meters_of(request).count(caller, job_id, len(body))
    host = host_of(request)
    await in_turn(request, partial(recorder.change, job_id, content, body, host))
    return taken()


@router.post(
    "/logs/",
    response_class=Response,
    responses=_done({"type": "object"}),
    openapi_extra=_body({"oneOf": [{"type": "array", "items": _ENTRY}, _ENTRY]}),
)
@router.post("/logs", include_in_schema=False)
async def add_logs(request: Request, caller: Known, recorder: Recording) -> Response:
    """Take log entries, a list or one alone; those that are there already are not taken again."""
    check_may_append(caller)
    refuse_foreign_pages(request)
    body = await request.body()
    try:
        entries = synapse.entries_in(_parsed(body))
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    by_job: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_job.setdefault(str(entry["job"]), []).append(entry)
    for job_id in by_job:
        check_appendable(caller, job_id)
        meters_of(request).count(caller, job_id, len(body) // len(by_job))
    host = host_of(request)
    for job_id, of_job in by_job.items():
        await in_turn(request, partial(recorder.add_entries, job_id, of_job, host))
    return taken()


@router.api_route("/{path:path}", methods=_METHODS, include_in_schema=False)
async def pass_on(request: Request, caller: Known) -> Response:
    """Pass a request on to the backend, and its answer back."""
    refuse_foreign_pages(request)
    backend: Backend | None = request.app.state.backend
    path = request.scope["path"].removeprefix(f"{PREFIX}/")
    if backend is None or {".", ".."} & set(path.split("/")):
        detail = (
            "there is nothing at this path; SYNAPSE_STREAM_SYNAPSE_BACKEND of the API names the "
            "backend that has what plugins ask for besides"
        )
        raise Problem(HTTPStatus.NOT_FOUND, detail)
    query = request.scope["query_string"].decode("latin-1")
    method = "HEAD" if request.state.is_head else request.method
    target = f"{path}?{query}" if query else path
    opened = backend.passed_on(method, target, _headers(request, caller), await request.body())
    answer = await run_in_threadpool(opened.__enter__)

    def parts() -> Iterator[bytes]:
        try:
            yield from answer.stream(_PART_BYTES, decode_content=False)
        finally:
            opened.__exit__(None, None, None)

    headers = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in _OF_A_CONNECTION
    }
    return StreamingResponse(parts(), answer.status, headers)


def _headers(request: Request, caller: Caller) -> dict[str, str]:
    """Return what goes on: a token that is ours is none of the backend's."""
    left_out = {*_OF_A_CONNECTION, *(CREDENTIALS if caller.claims else ())}
    return {name: value for name, value in request.headers.items() if name not in left_out}


def _parsed(body: bytes) -> Any:
    try:
        return synapse.parse(body)
    except (ValueError, RecursionError) as error:
        detail = f"the body is no JSON: {error}"[:300]
        raise Problem(HTTPStatus.BAD_REQUEST, detail) from None
