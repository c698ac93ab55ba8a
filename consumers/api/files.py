"""The page: one document for all its addresses, and the files it loads."""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from consumers.api.answers import is_known
from consumers.api.problems import Problem

router = APIRouter(include_in_schema=False)

PAGE = Path(__file__).parent / "page"

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
def show_page(request: Request) -> Response:
    """Return the page; it looks at its own address."""
    return _file(request, PAGE / "index.html")


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
