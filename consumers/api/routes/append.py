"""Appending over HTTP: sealed batches as their producers made them, and what there is of those."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from consumers.api import schemas
from consumers.api.access import Access
from consumers.api.answers import JSON
from consumers.api.meters import Meters
from consumers.api.permissions import (
    AppendableJob,
    Known,
    check_appendable,
    check_may_append,
    refuse_foreign_pages,
)
from consumers.api.problems import Problem
from consumers.api.shares import Shares, client_of
from consumers.api.sources import Opened, Sources
from consumers.api.tokens import Caller
from synapse_stream.entries.answers import Ack
from synapse_stream.entries.batch import Batch, decode_fields, parse_fields
from synapse_stream.errors import DecodeError, LogUnavailable
from synapse_stream.remote.connection import RENEWED
from synapse_stream.remote.packing import PACKED, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/api", tags=["append"])

_PAGE = 1_000
_MOST_HEADS = 1_000
_LONGEST_PRODUCER = 64
_KINDS = {"identity": b"d", "zstd": b"z"}
_HEADERS = {"Cache-Control": "no-store"}
_BODY = {
    "requestBody": {
        "required": True,
        "description": "JSON Lines, one event a line; with `Content-Encoding: zstd` one frame.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    }
}

Answer = Ack | LogUnavailable | Problem | Batch
"""Of one batch of several; at first that batch, if it may be appended."""
_BODIES = {
    "requestBody": {
        "required": True,
        "description": "Batches, each a line of JSON that says whose it is, and its bytes.",
        "content": {PACKED: {"schema": {"type": "string"}}},
    }
}

Producer = Annotated[
    str,
    Query(pattern=rf"^[A-Za-z0-9_.:-]{{1,{_LONGEST_PRODUCER}}}$", description="Its name."),
]
Number = Annotated[int, Query(ge=0, le=2**53 - 1)]


class NotAppended(schemas.Shape):
    """Why one batch of several was not appended."""

    status: int
    detail: str
    retry_after: int = 0
    """Seconds to wait before it is sent again; 0: as usual."""


class AppendedAll(schemas.Shape):
    """What became of several batches, in their order."""

    answers: list[schemas.Appended | NotAppended]


class Pairs(BaseModel):
    """Pairs of job and producer."""

    producers: Annotated[list[tuple[str, str]], Field(max_length=_MOST_HEADS)]


@router.get("/deployment", response_class=Response, responses={200: {"model": schemas.Deployment}})
def show_deployment(sources: Opened, _caller: Known) -> Response:
    """Tell which deployment this is, and the server's clock."""
    return _json({"id": sources.log.check(), "now_ms": sources.clock.now_ms()})


@router.post(
    "/jobs/{job}/append",
    response_class=Response,
    responses={200: {"model": schemas.Appended}},
    openapi_extra=_BODY,
)
async def append(
    request: Request,
    job_id: AppendableJob,
    caller: Known,
    sources: Opened,
    producer: Producer,
    first: Number,
    last: Number,
    hash: Annotated[  # noqa: A002 - the parameter's name
        str, Query(pattern="^[0-9a-f]{64}$", description="Chain hash of the batch.")
    ],
    salts: Annotated[str, Query(pattern="^([0-9a-f]{2})+$", description="Its seed.")],
) -> Response:
    """Append a batch if it follows the last number of its producer; else say what there is.

    Sending one again is always safe. `appended`: it was taken. `known`: go on behind `last`. `gap`:
    events before it are lacking, go back to behind `last`.
    """
    coding = request.headers.get("content-encoding", "identity")
    if coding not in _KINDS:
        detail = f"a body with Content-Encoding: {coding} cannot be read"
        status, allowed = HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"content-encoding": list(_KINDS)}
        raise Problem(status, detail, allowed=allowed)
    body = await request.body()
    meters: Meters = request.app.state.meters
    meters.count(caller, job_id, len(body))
    fields = {
        b"p": producer.encode(),
        b"n": b"%d" % first,
        b"m": b"%d" % last,
        b"h": bytes.fromhex(hash),
        b"s": bytes.fromhex(salts),
        _KINDS[coding]: body,
    }
    shares: Shares = request.app.state.shares
    async with shares.appending.place(client_of(request.scope)):
        ack = await run_in_threadpool(_append, sources, job_id, fields)
    return _json(_shown(ack), renewed(request, caller))


@router.post(
    "/append",
    response_class=Response,
    responses={200: {"model": AppendedAll}},
    openapi_extra=_BODIES,
)
async def append_all(request: Request, caller: Known, sources: Opened) -> Response:
    """Append batches of several jobs, each as `append` does; each is answered for itself.

    A body holds of each a line of JSON (`job`, `producer`, `first`, `last`, `hash`, `coding`,
    `size`) and so many bytes. What is refused or could not be appended has a `status`.
    """
    check_may_append(caller)
    refuse_foreign_pages(request)
    body = await request.body()
    try:
        packed = unpack(body)
    except ValueError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    meters: Meters = request.app.state.meters
    answers: dict[int, Answer] = {}
    for number, one in enumerate(packed):
        try:
            check_appendable(caller, one.job_id)
            meters.count(caller, one.job_id, len(body) // len(packed))
            answers[number] = _judged(one.job_id, one.fields)
        except Problem as problem:
            answers[number] = problem
    refused = [one for one in answers.values() if isinstance(one, Problem)]
    if refused and len(refused) == len(packed):
        raise refused[0]
    shares: Shares = request.app.state.shares
    async with shares.appending.place(client_of(request.scope)):
        await run_in_threadpool(_append_judged, sources, answers)
    shown = [_shown_of_several(answers[number]) for number in range(len(packed))]
    return _json({"answers": shown}, renewed(request, caller))


@router.post("/heads", response_class=Response, responses={200: {"model": schemas.Heads}})
def show_heads(sources: Opened, caller: Known, asked: Pairs) -> Response:
    """Show how far producers have come, in the order in which they are named."""
    for job_id, _ in asked.producers:
        check_appendable(caller, job_id)
    found = sources.log.heads(asked.producers)
    return _json({"heads": [_shown(ack) for ack in found]})


@router.get(
    "/jobs/{job}/producers/{producer}",
    response_class=Response,
    responses={200: {"model": schemas.WrittenAnswer}},
)
def list_batches(
    job_id: AppendableJob,
    sources: Opened,
    producer: Annotated[str, Path(max_length=_LONGEST_PRODUCER)],
    after: Annotated[int | None, Query(ge=0, description="`next` of the page before.")] = None,
) -> Response:
    """List the batches that a job's stream has of a producer, without their lines."""
    begin = after or 0
    found = list(islice(sources.log.written(job_id, producer), begin, begin + _PAGE + 1))
    shown = [{**batch._asdict(), "hash": batch.hash.hex()} for batch in found[:_PAGE]]
    return _json({"batches": shown, "next": begin + _PAGE if len(found) > _PAGE else None})


def renewed(request: Request, caller: Caller) -> dict[str, str]:
    """Return the header that hands out a token in place of one that has lived half of its life."""
    access: Access = request.app.state.access
    claims = caller.claims
    if claims is None or access.signed is None or not claims.is_due:
        return {}
    return {RENEWED: access.signed.sign(claims.renewed())}


def _append(sources: Sources, job_id: str, fields: dict[bytes, bytes]) -> Ack:
    return sources.log.append(_judged(job_id, fields))


def _append_judged(sources: Sources, answers: dict[int, Answer]) -> None:
    """Put the answers in the places of batches."""
    batches = {number: one for number, one in answers.items() if isinstance(one, Batch)}
    answers |= zip(batches, sources.log.append_all(list(batches.values())), strict=True)


def _judged(job_id: str, fields: Mapping[bytes, bytes]) -> Batch:
    """Judge a batch by its numbers, then unpack it."""
    if parse_fields(fields) is None:
        detail = "these numbers are those of no batch, or the frame is none that says its size"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    try:
        return decode_fields(job_id, fields)
    except DecodeError as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


def _shown_of_several(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Ack):
        return _shown(answer)
    if isinstance(answer, Problem):
        wait = int((answer.headers or {}).get("Retry-After", 0))
        return {"status": int(answer.status), "detail": answer.detail, "retry_after": wait}
    reason = answer.reason if isinstance(answer, LogUnavailable) else str(answer)
    return {"status": int(HTTPStatus.SERVICE_UNAVAILABLE), "detail": reason}


def _shown(ack: Ack) -> dict[str, Any]:
    return {"outcome": ack.outcome, "last": ack.last, "hash": ack.hash.hex()}


def _json(content: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(content), 200, {**_HEADERS, **(headers or {})}, JSON)
