"""RFC 9457 problem details: the one form of every answer that is no success."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from consumers.errors import StoreUnavailable, Unreadable
from synapse_stream.errors import ConfigError, LogUnavailable, SynapseStreamError, Trimmed
from synapse_stream.events.plain import describe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import Request

MEDIA_TYPE = "application/problem+json"

_RETRY_SECONDS = 2
_LONGEST_INPUT = 200


class Problem(HTTPException):
    """What is wrong with a request; the answer is made of it."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        allowed: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Say in `detail` what happened and what to do; `allowed` is what would be taken."""
        super().__init__(status, detail, headers)
        self.status = status
        self.allowed = allowed

    def response(self, path: str) -> Response:
        """Return the answer to a request for `path`."""
        content = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": int(self.status),
            "detail": self.detail,
            "instance": path,
        }
        if self.allowed is not None:
            content["allowed"] = self.allowed
        headers = {"Cache-Control": "no-store", **(self.headers or {})}
        return Response(orjson.dumps(content), self.status, headers, MEDIA_TYPE)


def not_found(job_id: str) -> Problem:
    """Say that a job is not known."""
    return Problem(
        HTTPStatus.NOT_FOUND,
        f"job {describe(job_id)} is not known; one that has just begun is there within seconds",
    )


def unprocessable(name: str, value: str, allowed: str) -> Problem:
    """Say that a parameter has a value that is not allowed."""
    shown = describe(value[:_LONGEST_INPUT])
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"{name}={shown} is not allowed: expected {allowed}",
        allowed={name: allowed},
    )


def fault() -> Problem:
    """Say that something failed which no rule foresaw."""
    detail = "this is a fault of the server's own; its log says more"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)


def install(app: FastAPI) -> None:
    """Have every error of `app` answered by a problem."""
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_validation)
    for kind in (StoreUnavailable, LogUnavailable, ConfigError):
        app.add_exception_handler(kind, _of_outage)
    app.add_exception_handler(Unreadable, _of_damage)
    app.add_exception_handler(Trimmed, _of_trimmed)
    app.add_exception_handler(Exception, _of_fault)


def _answer(request: Request, problem: Problem) -> Response:
    return problem.response(request.scope["path"])


def _of_http(request: Request, error: Exception) -> Response:
    """Answer by a problem of ours, or for a path or method that no route has."""
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    if isinstance(error, Problem):
        return _answer(request, error)
    status = HTTPStatus(error.status_code)
    said = {
        HTTPStatus.NOT_FOUND: "there is nothing at this path; /docs lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here",
    }
    headers = error.headers or {}
    allowed = headers.get("allow", headers.get("Allow"))
    methods = {"methods": sorted(allowed.split(", "))} if allowed else None
    detail = said.get(status, str(error.detail))
    return _answer(request, Problem(status, detail, allowed=methods, headers=headers))


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
    found = [_explain(each) for each in error.errors()]
    detail = "; ".join(f"{name}={value} is not allowed: {why}" for name, value, why in found)
    problem = Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, allowed={name: why for name, _, why in found}
    )
    return _answer(request, problem)


def _explain(each: Mapping[str, Any]) -> tuple[str, str, str]:
    place = [str(part) for part in each["loc"] if part not in {"query", "path", "body", "header"}]
    name = ".".join(place) or "the body"
    value = "(missing)" if each["type"] == "missing" else describe(each["input"])
    return name, value[:_LONGEST_INPUT], str(each["msg"])


def _of_outage(request: Request, error: Exception) -> Response:
    """Answer for a store or server that is away: it comes back, or an operator is needed."""
    assert isinstance(error, SynapseStreamError)  # noqa: S101 - as it was registered
    request.app.state.sources.outages.tell(error)
    said = error.reason if isinstance(error, (StoreUnavailable, LogUnavailable)) else str(error)
    retry = {"Retry-After": str(_RETRY_SECONDS)}
    problem = Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"{said}; try again later", headers=retry)
    return _answer(request, problem)


def _of_damage(request: Request, error: Exception) -> Response:
    """Answer for what is damaged of one job: it is made anew, where that can be."""
    assert isinstance(error, Unreadable)  # noqa: S101 - as it was registered
    said = f"{error.reason}; where it can be, it is made anew from what is recorded"
    retry = {"Retry-After": str(_RETRY_SECONDS)}
    return _answer(request, Problem(HTTPStatus.SERVICE_UNAVAILABLE, said, headers=retry))


def _of_trimmed(request: Request, error: Exception) -> Response:
    return _answer(request, Problem(HTTPStatus.GONE, str(error)))


def _of_fault(request: Request, _error: Exception) -> Response:
    """Answer for a fault that came before the application; it is raised again by Starlette."""
    return _answer(request, fault())
