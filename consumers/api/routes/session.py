"""Sign in and out: a browser cannot give a token to a stream of events, but it sends cookies."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr
from starlette.concurrency import run_in_threadpool

from consumers.api import schemas
from consumers.api.access import COOKIE, SESSION_SECONDS, Access
from consumers.api.guard import address_of, is_same_origin
from consumers.api.permissions import Known
from consumers.api.problems import Problem
from consumers.api.tokens import Caller

router = APIRouter(prefix="/api/session", tags=["session"])

_ANSWER: dict[int | str, dict[str, Any]] = {200: {"model": schemas.SessionAnswer}}


class SignIn(BaseModel):
    """What a browser signs in with."""

    token: Annotated[SecretStr, Field(max_length=1_000)]


@router.get("", response_class=Response, responses=_ANSWER)
def show_session(request: Request, caller: Known) -> Response:
    """Tell who asks, and whether a token is needed."""
    return _answer(request.app.state.access, caller)


@router.post("", response_class=Response, responses=_ANSWER)
async def sign_in(request: Request, given: SignIn) -> Response:
    """Open a session of 12 hours: a cookie that no script can read."""
    access: Access = request.app.state.access
    _refuse_foreign(request)
    session = await opened(request, given.token.get_secret_value())
    if session is None:
        raise Problem(HTTPStatus.FORBIDDEN, f"this is nobody's token; {access.whence}")
    response = _answer(access, access.by_session(session))
    hand_over(request, response, session)
    return response


async def opened(request: Request, token: str) -> str | None:
    """Return a session for a token; for a wrong one None, and not at once.

    Raises:
        Problem: too many wrong ones came.
    """
    access: Access = request.app.state.access
    session = await run_in_threadpool(access.open_session, token)
    if session is None:
        await request.app.state.strangers.slow(address_of(request.scope))
    return session


def hand_over(request: Request, response: Response, session: str) -> None:
    """Give the browser its session.

    Anybody is believed that it came by TLS: who says so wrongly gets a cookie that it cannot send.
    """
    schemes = {request.url.scheme, request.headers.get("x-forwarded-proto")}
    response.set_cookie(
        COOKIE,
        session,
        max_age=SESSION_SECONDS,
        secure="https" in schemes,
        httponly=True,
        samesite="strict",
    )


@router.delete("", response_class=Response, responses=_ANSWER)
def sign_out(request: Request) -> Response:
    """End the session: it is none any more, whoever has kept it."""
    _refuse_foreign(request)
    access: Access = request.app.state.access
    if session := request.state.session:
        access.end_session(session)
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
        "whence": access.whence,
    }
    headers = {"Cache-Control": "no-store"}
    return Response(orjson.dumps(content), 200, headers, "application/json")
