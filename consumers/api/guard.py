"""What every request passes before it is routed: limits, the host's name, who asks.

Nothing below `/api` and no metrics are given to a caller that is not known. What leaves gets the
headers that keep a browser from doing anything with it that the page does not.
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from consumers.api.access import ANYONE_HERE, COOKIE
from consumers.api.endless import STREAMS, is_endless
from consumers.api.problems import Problem
from consumers.api.underway import Answer, Proof
from synapse_stream.entries.limits import LARGEST_DATA_BYTES

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consumers.api.access import Access
    from consumers.api.finished import Finished
    from consumers.api.strangers import Strangers
    from consumers.api.tokens import Caller
    from consumers.api.underway import Underway

LONGEST_URL = 8 * 1024
LARGEST_HEADERS = 32 * 1024
LARGEST_BODY = 16 * 1024
LARGEST_INGESTED = 32 * 1024 * 1024
"""The Synapse SDK puts whole files into log entries, and sends again what is refused."""
_LARGER = (("/append", LARGEST_DATA_BYTES), ("/api/heads", 512 * 1024))

_PRIVATE = ("/api/", "/metrics", "/ingest/", "/v1/")
_INGEST = "/ingest/"
_SCHEMES = {"bearer": "/", "token": _INGEST}
"""How a token may be given, and below which paths."""
_OTHER_TOKENS = ("synapse-access-token", "synapse-agent")
_FOR_ALL = "/api/session"
_HERE = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Admits requests, and routes them by the path as it came.

    So a `/` within a job's id, which clients write as `%2F`, does not divide the path.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        finished: Finished,
        underway: Underway,
        strangers: Strangers,
        origins: str | None,
    ) -> None:
        self._app = app
        self._access = access
        self._finished = finished
        self._underway = underway
        self._strangers = strangers
        self._origins = frozenset((origins or "").split(",")) - {""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is admitted, and refuse the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origin = Headers(scope=scope).get("origin")
        send = partial(_send_secured, send, is_shared=origin in self._origins)
        path = scope["raw_path"].decode("latin-1")
        is_head = scope["method"] == "HEAD"
        scope = {**scope, "path": path, "method": _routed_method(scope, path)}
        headers = Headers(scope=scope)
        try:
            self._check(scope, headers, path)
            given = _given_token(headers, path)
            caller, session = self._identify(headers, given)
            over = await self._finished.why_over(caller) if caller else self._why_over(given)
            is_private = path.startswith(_PRIVATE) and path != _FOR_ALL
            if is_private and (caller is None or over is not None):
                if over is None and given is not None:
                    await self._strangers.slow(address_of(scope))
                wrong = "this is nobody's token, or it is over" if given is not None else None
                raise self._access.refusal(over or wrong)
        except Problem as problem:
            await problem.response(path[:LONGEST_URL])(scope, receive, send)
            return
        known = {"caller": caller, "session": session, "is_head": is_head}
        scope["state"] = {**scope.get("state", {}), **known}
        receive = _limited(receive, _largest_body(path))
        if not (caller and is_private and self._access.demands_token):
            await self._app(scope, receive, send)
            return
        answer = Answer(scope, receive, send)
        with self._underway.having(Proof(caller, given, session), answer):
            await answer.give(self._app, receive)

    def _check(self, scope: Scope, headers: Headers, path: str) -> None:
        if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
            detail = f"the address is longer than {LONGEST_URL} bytes"
            raise Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail, allowed={"bytes": LONGEST_URL})
        if sum(len(name) + len(value) for name, value in headers.raw) > LARGEST_HEADERS:
            detail = f"the headers are larger than {LARGEST_HEADERS} bytes"
            status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            raise Problem(status, detail, allowed={"bytes": LARGEST_HEADERS})
        length = headers.get("content-length", "0")
        largest = _largest_body(path)
        if not length.isdecimal() or int(length) > largest:
            raise _too_large(largest)
        is_open = self._access.is_local or not self._access.demands_token
        if is_open and _host_name(headers) not in _HERE:
            detail = (
                "without tokens of its own the API answers only as localhost; "
                "set SYNAPSE_STREAM_API_TOKENS to have it answer by another name"
            )
            raise Problem(HTTPStatus.MISDIRECTED_REQUEST, detail, allowed={"host": sorted(_HERE)})

    def _identify(self, headers: Headers, given: str | None) -> tuple[Caller | None, str | None]:
        """Return who asks, if it is known, and by which session."""
        if not self._access.demands_token:
            return ANYONE_HERE, None
        if given is not None:
            return self._access.by_token(given), None
        session = _session(headers)
        return (None, None) if session is None else (self._access.by_session(session), session)

    def _why_over(self, given: str | None) -> str | None:
        """Say of a token that once was one why it is none any more."""
        return self._access.why_over(given or "")


def _given_token(headers: Headers, path: str) -> str | None:
    """Return the token that is given, empty for what is none; None if nothing is."""
    given = headers.get("authorization")
    if given is None and path.startswith(_INGEST):
        given = next(filter(None, map(headers.get, _OTHER_TOKENS)), None)
    if not given:
        return None
    scheme, _, token = given.partition(" ")
    is_known = path.startswith(_SCHEMES.get(scheme.lower(), "-"))
    return token.strip() if is_known else ""


def is_same_origin(headers: Headers) -> bool:
    """Tell whether no foreign page sent the request, as far as browsers tell."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _routed_method(scope: Scope, path: str) -> str:
    """Have HEAD answered as GET, without the body, which the server leaves out; but no stream."""
    is_head = scope["method"] == "HEAD"
    is_told = is_head and (path.startswith(STREAMS) or not is_endless({**scope, "path": path}))
    return "GET" if is_told else str(scope["method"])


def address_of(scope: Scope) -> str:
    """Return where a request comes from."""
    return str((scope.get("client") or ("",))[0])


def _session(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _host_name(headers: Headers) -> str:
    host = headers.get("host", "").lower()
    return host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _largest_body(path: str) -> int:
    if path.startswith(_INGEST):
        return LARGEST_INGESTED
    if path.startswith(STREAMS):
        return LARGEST_DATA_BYTES
    return next((size for end, size in _LARGER if path.endswith(end)), LARGEST_BODY)


def _limited(receive: Receive, largest: int) -> Receive:
    """Count the body, which may come without saying how long it is."""
    taken = 0

    async def receive_some() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > largest:
            raise _too_large(largest)
        return message

    return receive_some


def _too_large(largest: int) -> Problem:
    detail = f"the body is larger than {largest} bytes"
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Problem(status, detail, allowed={"bytes": largest})


async def _send_secured(send: Send, message: Message, *, is_shared: bool) -> None:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        headers.update(_SECURITY)
        if is_shared:
            headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    await send(message)
