from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from consumers.api.routes.files import PAGE

if TYPE_CHECKING:
    import httpx

FILES = sorted(path for path in (PAGE / "static").rglob("*") if path.is_file())
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


@pytest.mark.parametrize("path", ["/", "/job?id=a&at=1-1.0", "/compare?id=a&id=b"])
def test_every_address_of_the_page_is_the_same_document(api: httpx.Client, path: str) -> None:
    answer = api.get(path)
    again = api.get(path, headers={"If-None-Match": answer.headers["etag"]})

    assert answer.text == (PAGE / "index.html").read_text("utf-8")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


def test_every_file_of_the_page_is_served_as_what_it_is(api: httpx.Client) -> None:
    assert FILES
    for path in FILES:
        name = path.relative_to(PAGE).as_posix()
        answer = api.get(f"/{name}")

        assert answer.status_code == 200, name
        assert answer.headers["content-type"] == KINDS[path.suffix], name
        assert answer.content == path.read_bytes(), name
        assert answer.headers["etag"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/js",
        "/static/none.js",
        "/static/../../app.py",
        "/static/..%2f..%2fapp.py",
        "/static/%2e%2e/index.html",
        "/static//etc/passwd",
        "/static/js/%00.js",
        "/static/" + "a" * 5_000 + ".js",
        "/index.html",
        "/page/index.html",
    ],
)
def test_nothing_else_is_served(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/static/none.js", "/api/jobs", "/api/jobs/no", "/metrics"])
def test_every_answer_tells_browsers_to_do_nothing_else_with_it(
    api: httpx.Client, path: str
) -> None:
    headers = api.get(path).headers

    parts = headers["content-security-policy"].split("; ")
    policy = dict(part.split(" ", 1) for part in parts)
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
