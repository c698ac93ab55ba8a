"""Making and revoking signed tokens."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from consumers.api import parameters, schemas
from consumers.api.access import Access
from consumers.api.acting import acting
from consumers.api.answers import JSON
from consumers.api.permissions import Operating
from consumers.api.problems import Problem
from consumers.api.revoked import Revoked
from synapse_stream.remote.tokens import LONGEST_SECONDS, Name, Role, issue

router = APIRouter(prefix="/api/tokens", tags=["tokens"])

_HEADERS = {"Cache-Control": "no-store"}


class Wanted(BaseModel):
    """What a token is to be."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    jobs: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The job that it is for, or a pattern; null means all."""
    role: Role | None = None
    """What it may read; null means nothing."""
    append: bool = False
    seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS)] = 86_400
    """How long it lives."""
    renew: bool = True
    """While it is used it is handed out anew, and lives as long again."""
    bytes_per_second: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None
    open_jobs: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None
    reason: Annotated[str, Field(max_length=parameters.LONGEST_TEXT)] | None = None
    """Why, for the operators' trail."""


@router.post("", response_class=Response, responses={200: {"model": schemas.Issued}})
def make_token(request: Request, caller: Operating, wanted: Wanted) -> Response:
    """Make a token. It is shown this once; the operators' trail tells of it."""
    access: Access = request.app.state.access
    if access.signed is None:
        detail = "this API asks nobody for a token; start it without --no-token"
        raise Problem(HTTPStatus.CONFLICT, detail)
    if wanted.role is None and not wanted.append:
        detail = "it may do nothing: it needs a `role`, or `append`"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    given = wanted.model_dump(exclude={"name", "seconds", "renew", "reason"})
    claims = issue(wanted.name, wanted.seconds, is_renewed=wanted.renew, **given)
    jobs, reason = [claims.run] if claims.run else [], wanted.reason
    with acting(request, caller, "token make", jobs=jobs, reason=reason, before=claims.told):
        made = {"token": access.signed.sign(claims), "id": claims.id, "expires": claims.expires}
    return Response(orjson.dumps(made), 200, _HEADERS, JSON)


@router.delete("/{token}", response_class=Response, responses={200: {"model": schemas.Revoked}})
def revoke_token(
    request: Request,
    caller: Operating,
    token: Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="Its id, or name.")],
    reason: parameters.Reason = None,
) -> Response:
    """Have a token count no more, whoever has it: a signed one by its id, another by its name."""
    revoked: Revoked = request.app.state.revoked
    with acting(request, caller, "token revoke", reason=reason, before={"id": token}):
        revoked.add(token)
    return Response(orjson.dumps({"id": token}), 200, _HEADERS, JSON)
