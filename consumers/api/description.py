"""The description of the API: OpenAPI 3.1 at `/openapi.json`, for people at `/docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from consumers.api import asyncapi, pages, problems, schemas
from consumers.api.access import COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

router = APIRouter(include_in_schema=False)

_ABOUT = """Times are microseconds since the epoch, positions texts such as `1763880000000-0.3`.
Paths are routed as they come: a job's id is percent-encoded, its `/` as `%2F` too.
Every answer that is no success is an RFC 9457 problem."""
_EVERYWHERE = {
    "414": "The address is too long",
    "421": "Without tokens the API answers only as localhost",
    "431": "The headers are too large",
    "503": "Store or server is away, or a setting is wrong",
}
_GONE = ("410", "What is asked for was trimmed from the stream, and no archive has it")
_NOT_YOURS = ("403", "The token may not do this, or not to this job")
_NO_VIEW = ("404", "There is no such view")
_TOO_MUCH = ("429", "The token sends too much, or too many wait; `Retry-After` says for how long")
_NO_REPORT = [("400", "The body is no JSON"), ("422", "The body is no report"), _TOO_MUCH]
_SOMEWHERE = {
    "/ingest/synapse/jobs/{job}/": _NO_REPORT,
    "/ingest/synapse/logs/": _NO_REPORT,
    "/ingest/trainer/jobs/{job}": _NO_REPORT,
    "/v1/stream/{job}": [
        ("400", "A header, an offset or the body is not as it must be"),
        ("405", "The job is reported by others, and only read here"),
        ("409", "The stream is another one, closed, or the writer's number is not the next"),
        _GONE,
        _TOO_MUCH,
    ],
    "/api/compare": [("404", "One of the jobs is not known")],
    "/api/jobs/{job}": [_GONE],
    "/api/jobs/{job}/events": [_GONE],
    "/api/append": [("422", "The body does not hold batches"), _TOO_MUCH],
    "/api/jobs/{job}/append": [
        ("415", "The body is compressed otherwise than by zstd"),
        _TOO_MUCH,
    ],
    "/api/jobs/{job}/standing": [_GONE],
    "/api/jobs/{job}/sign-off": [
        ("409", "The run has not ended, or this API has no key to sign with"),
        _GONE,
    ],
    "/api/trail": [_GONE],
    "/api/tokens": [("409", "This API asks nobody for a token")],
    "/api/views/{view}": [_NO_VIEW, _NOT_YOURS],
}
_FOR_ALL = ("/api/session", "/healthz", "/readyz")
_SECURITY = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}


def answer(model: type[BaseModel], **others: str) -> dict[int | str, dict[str, Any]]:
    """Return what a route answers: JSON of `model`, or texts of other media types.

    Args:
        model: the shape of the JSON.
        others: media type, its `/` and `-` written as `_`, → what the text is.
    """
    texts = {
        kind.replace("_", "/", 1).replace("_", "-"): {"schema": {"type": "string", "title": said}}
        for kind, said in others.items()
    }
    return {
        200: {"model": model, "content": texts, "description": "What was asked for"},
        304: {"description": "The client has it already"},
    }


def install(app: FastAPI) -> None:
    """Have `app` describe itself, with the problems that its routes answer."""
    described: dict[str, Any] = {}

    def describe() -> dict[str, Any]:
        if not described:
            described.update(_describe(app))
        return described

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI documents it
    app.include_router(router)
    app.include_router(asyncapi.router)


@router.get("/docs")
def show_docs(request: Request) -> Response:
    """Show the API to people."""
    return Response(pages.page(request.app.openapi()), media_type="text/html; charset=utf-8")


def _describe(app: FastAPI) -> dict[str, Any]:
    spec = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
    components = spec.setdefault("components", {})
    _, definitions = models_json_schema([(schemas.Problem, "serialization")], ref_template=_REF)
    made = components.setdefault("schemas", {})
    made.update(definitions["$defs"])
    for replaced in ("HTTPValidationError", "ValidationError"):
        made.pop(replaced, None)
    components["securitySchemes"] = _SECURITY
    for path, method, operation in _operations(spec):
        answers = operation["responses"]
        operation["summary"] = operation.get("description", "").partition("\n")[0]
        for status, said in _problems(path, method, answers):
            if status == "422" or status not in answers:
                answers[status] = {"description": said, "content": _PROBLEM}
        if path not in _FOR_ALL:
            operation["security"] = [{}, *({name: []} for name in _SECURITY)]
    return spec


_REF = "#/components/schemas/{model}"
_PROBLEM = {problems.MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}


def _operations(spec: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _problems(path: str, method: str, answers: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the statuses of the problems that a route answers, with what they mean."""
    yield from _EVERYWHERE.items()
    if "422" in answers:
        yield "422", "A parameter is not allowed; the problem says what is"
    if path not in _FOR_ALL:
        yield "401", "A token is needed"
    if "{job}" in path:
        yield "404", "The job is not known"
        yield _NOT_YOURS
    yield from _SOMEWHERE.get(path, ())
    if len(answers["200"].get("content", {})) > 1:
        yield "406", "None of the media types asked for can be given"
    if method != "get":
        yield "403", "The token may not do this, or the request is another site's"
        yield "413", "The body is too large"
    if method in {"post", "patch"}:
        yield "400", "The body cannot be read"
