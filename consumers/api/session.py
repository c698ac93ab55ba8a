"""Sign in and out: a browser cannot give a token to a stream of events, but it sends cookies."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from consumers.api import schemas
from consumers.api.access import COOKIE, SESSION_SECONDS, Access, Asking, Caller
from consumers.api.guard import is_same_origin
from consumers.api.problems import Problem

router = APIRouter(prefix="/api/session", tags=["session"])

_ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": schemas.SessionAnswer}}


class SignIn(BaseModel):
    """What a browser signs in with."""

    token: Annotated[SecretStr, Field(max_length=1_000)]


@router.get("", response_class=Response, responses=_ANSWER)
def show_session(request: Request, caller: Asking) -> Response:
    """Tell who asks, and whether a token is needed."""
    return _answer(request.app.state.access, caller)


@router.post("", response_class=Response, responses=_ANSWER)
def sign_in(request: Request, given: SignIn) -> Response:
    """Open a session of 12 hours: a cookie that no script can read."""
    access: Access = request.app.state.access
    _refuse_foreign(request)
    session = access.open_session(given.token.get_secret_value())
    if session is None:
        raise Problem(HTTPStatus.FORBIDDEN, "this is nobody's token; ask your operator for one")
    response = _answer(access, access.by_session(session))
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_SECONDS,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


@router.delete("", response_class=Response, responses=_ANSWER)
def sign_out(request: Request) -> Response:
    """Forget the session."""
    _refuse_foreign(request)
    response = _answer(request.app.state.access, None)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _refuse_foreign(request: Request) -> None:
    if not is_same_origin(request.headers):
        raise Problem(HTTPStatus.FORBIDDEN, "another site's page cannot sign in or out here")


def _answer(access: Access, caller: Caller | None) -> Response:
    content = {
        "name": caller and caller.name,
        "role": caller and caller.role,
        "demands_token": access.demands_token,
    }
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(content), 200, headers, "application/json")
