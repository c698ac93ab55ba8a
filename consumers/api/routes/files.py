"""The page: one document for all its addresses, and the files it loads."""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from consumers.api.answers import is_known
from consumers.api.problems import Problem
from consumers.api.routes.session import hand_over, opened

router = APIRouter(include_in_schema=False)

PAGE = Path(__file__).parents[1] / "page"

_NOT_KEPT = {"Cache-Control": "no-store"}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
_FILES = {
    path.relative_to(PAGE / "static").as_posix(): path
    for path in (PAGE / "static").rglob("*")
    if path.suffix in _TYPES
}
"""By what follows `/static/`; no name that a client sends reaches the disk."""


@router.get("/")
@router.get("/job")
@router.get("/compare")
@router.get("/trail")
async def show_page(request: Request, token: str | None = None) -> Response:
    """Return the page; it looks at its own address.

    An address with a token is exchanged for one without, and for a session.
    """
    if token is None:
        return await run_in_threadpool(_file, request, PAGE / "index.html")
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != "token"]
    path = request.scope["path"].lstrip("/")  # two would lead to another host
    where = f"./{path}?{urlencode(rest)}" if rest else f"./{path}"
    response = Response(None, HTTPStatus.SEE_OTHER, {"Location": where, **_NOT_KEPT})
    if request.app.state.access.demands_token and (session := await opened(request, token)):
        hand_over(request, response, session)
    return response


@router.get("/static/{name:path}")
def show_static(request: Request, name: str) -> Response:
    """Return a file of the page."""
    path = _FILES.get(name)
    if path is None:
        raise Problem(HTTPStatus.NOT_FOUND, "the page has no such file")
    return _file(request, path)


def _file(request: Request, path: Path) -> Response:
    content = path.read_bytes()
    etag = f'"{blake2b(content, digest_size=12).hexdigest()}"'
    headers = {"Cache-Control": "no-cache", "ETag": etag}
    if is_known(request, etag):
        return Response(None, 304, headers)
    return Response(content, 200, headers, _TYPES[path.suffix])
