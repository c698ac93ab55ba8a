"""Requests to the HTTP API of a deployment, with the rules of every connection in one place.

1. No retry: whoever asks knows whether asking again is right, and does.
2. No redirect is followed: an append must not go where nobody meant it to, nor the token.
3. Proxies are those of the environment (`HTTPS_PROXY`, `NO_PROXY`), certificates those that
   `ca_file` or the system believes.
4. A connection touches no descriptor but its own: see `log.descriptors`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import orjson
import urllib3
from urllib3 import exceptions

from synapse_stream.errors import LogUnavailable
from synapse_stream.redaction.urls import without_secrets
from synapse_stream.remote.bearer import Bearer
from synapse_stream.remote.pools import pool_of, pool_of_socket, proxy_of
from synapse_stream.settings.urls import SOCKET_SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from synapse_stream.settings import Settings

RENEWED = "Synapse-Stream-Renewed-Token"
"""Header in which the API hands out a token that takes the place of the one that was sent."""

_OK, _REDIRECTED, _WRONG = range(200, 300), range(300, 400), range(400, 500)
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_LONGEST_SAID = 300
_HERE = "http://localhost"
_PROBLEM = "application/problem+json"
_ADVICE = {
    _UNAUTHORIZED: "; SYNAPSE_STREAM_TOKEN takes a token, or @ and the file that holds one",
    _FORBIDDEN: "; set SYNAPSE_STREAM_TOKEN to a token that may, as `synapse-stream token` makes",
}

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.SSLError, "is not believed; name who signs for it by SYNAPSE_STREAM_CA_FILE"),
    (exceptions.ProxyError, "cannot be reached through the proxy of the environment"),
    (exceptions.ConnectTimeoutError, "cannot be reached in time"),
    (exceptions.TimeoutError, "did not answer in time"),
    (exceptions.NewConnectionError, "cannot be reached"),
    (exceptions.ProtocolError, "broke off the connection"),
)


class Refused(LogUnavailable):
    """The API answered, and that it does not do this."""

    def __init__(
        self,
        reason: str,
        detail: str,
        status: int,
        retry_after: float,
        *,
        is_unknown: bool = False,
    ) -> None:
        super().__init__(reason, detail, is_refusal=status in _WRONG, retry_after=retry_after)
        self.status = status
        self.is_unknown = is_unknown
        """True when it is our API that says so, since it does not know what was asked for."""


class Connection:
    """Asks one API. May be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        """Take address, token and authorities of `settings`, which have a `url`.

        Raises:
            ConfigError: the authorities' file cannot be read.
        """
        self.address = settings.server
        self._url = settings.url or ""
        self._bearer = Bearer(settings.token, settings.data_dir / "tokens")
        self._seconds = settings.connect_seconds
        scheme, _, path = self._url.partition("://")
        if scheme.lower() == SOCKET_SCHEME:
            self._url, self._proxy = _HERE, None
            self._pool = pool_of(settings, None)
            self._pool.pool_classes_by_scheme = {"http": pool_of_socket(path)}
            return
        self._proxy = proxy_of(self._url)
        self._pool = pool_of(settings, self._proxy)

    def ask(
        self,
        doing: str,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """Ask once; return the answer if it is a success, with all of its content.

        Args:
            doing: what for, for people.
            method: of HTTP.
            path: its segments, as they are meant.
            query: parameters; those that are None are left out.
            body: what is sent.
            headers: besides those that every request has.
            seconds: longest wait for the answer; by default twice `connect_seconds`, since the API
                itself waits for its server.

        Raises:
            LogUnavailable: it did not answer.
            Refused: its answer is no success.
        """
        with (
            self.stream(
                doing, method, *path, query=query, body=body, headers=headers, seconds=seconds
            ) as answer,
            self.translated(doing),
        ):
            answer.read(cache_content=True)
            return answer

    @contextmanager
    def stream(
        self,
        doing: str,
        method: str,
        *path: str,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Ask as `ask` does, and have the content be read bit by bit within `translated`."""
        url = "/".join([self._url, *(quote(part, safe="") for part in path)])
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        if asked:
            url = f"{url}?{urlencode(asked, doseq=True)}"
        given = {"Accept-Encoding": "gzip", **(headers or {})}
        token = self._bearer.token
        if token is not None:
            given["Authorization"] = f"Bearer {token}"
        wait = 2 * self._seconds if seconds is None else seconds
        with self.translated(doing):
            answer = self._pool.request(
                method, url, body=body, headers=given, redirect=False, preload_content=False,
                timeout=urllib3.Timeout(connect=self._seconds, read=wait),
            )  # fmt: skip
        try:
            if answer.status not in _OK:
                raise self._refusal(doing, answer)
            if renewed := answer.headers.get(RENEWED):
                self._bearer.renew(renewed)
            yield answer
        finally:
            answer.close()  # of one that was read whole the connection is kept

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Turn what comes of reading another program's answer into LogUnavailable."""
        try:
            yield
        except (KeyError, TypeError, ValueError) as error:  # of JSON, too
            reason = f"{self.address} does not answer as Synapse Stream does"
            raise LogUnavailable(
                reason, f"{type(error).__name__}: {error}"[:_LONGEST_SAID]
            ) from error

    def refused(self, doing: str, status: int, detail: str, retry_after: float) -> Refused:
        """Return the refusal of a part of what was asked."""
        if status == _UNAUTHORIZED:
            self._bearer.look_again()
        reason = f"{self.address} refuses: {detail}{_ADVICE.get(status, '')}"
        return Refused(reason, f"while {doing}", status, retry_after)

    def close(self) -> None:
        """Disconnect. A later request would connect again."""
        self._pool.clear()

    def _refusal(self, doing: str, answer: urllib3.BaseHTTPResponse) -> Refused:
        status = answer.status
        with self.translated(doing):
            said = _detail(answer.read(64 * 1024))
        if status == _UNAUTHORIZED:
            self._bearer.look_again()
        if status in _REDIRECTED:
            place = answer.headers.get("Location", "elsewhere")
            reason = f"{self.address} leads to {place}; set SYNAPSE_STREAM_URL to where the API is"
        elif said is None:
            reason = f"{self.address} answers with {status}, and not as Synapse Stream does"
        else:
            reason = f"{self.address} refuses: {said}{_ADVICE.get(status, '')}"
        wait = answer.headers.get("Retry-After", "") if status == _TOO_MANY else ""
        pause = float(wait) if wait.isdecimal() else 0.0
        is_ours = answer.headers.get("Content-Type", "").startswith(_PROBLEM)
        is_unknown = status == _NOT_FOUND and is_ours
        return Refused(reason, f"while {doing}", status, pause, is_unknown=is_unknown)

    @contextmanager
    def translated(self, doing: str) -> Iterator[None]:
        """Turn what urllib3 raises into LogUnavailable."""
        try:
            yield
        except (exceptions.HTTPError, OSError) as error:
            if isinstance(error, LogUnavailable):
                raise
            said = without_secrets(str(error), self._proxy)[:_LONGEST_SAID]
            why = next((text for kind, text in _REASONS if isinstance(error, kind)), None)
            reason = f"{self.address} {why or 'cannot be asked'}"
            raise LogUnavailable(reason, f"while {doing}: {said}") from error


def _detail(content: bytes) -> str | None:
    """Return what a problem document says; None when it is none."""
    try:
        return str(orjson.loads(content)["detail"])[:_LONGEST_SAID]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
