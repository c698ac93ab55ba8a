"""What is recorded, asked of an API: it waits with it while the API has too much to do."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import Trimmed
from synapse_stream.remote.connection import Connection, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from synapse_stream.settings import Settings

LINES = "application/x-ndjson"

_MOST_TRIES = 4
_LONGEST_PAUSE_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
"""Longest silence: the API lets a question wait as long for its turn."""
_PART_BYTES = 64 * 1024


class Api:
    """Asks one API to show what it has. May be used from several threads."""

    def __init__(self, settings: Settings) -> None:
        """Take address and token of `settings`, which have a `url`; nothing is asked yet.

        Raises:
            ConfigError: the authorities' file cannot be read.
        """
        self._connection = Connection(settings)

    def now_ms(self) -> int:
        """Return the server's clock.

        Raises:
            LogUnavailable: the API did not answer, or refused.
        """
        found = self.show("asking for the server's clock", "deployment")
        with self._connection.understood():
            return int((found or {})["now_ms"])

    def show(
        self, doing: str, *path: str, query: Mapping[str, Any] | None = None
    ) -> dict[str, Any] | None:
        """Return what there is at a path below `/api`, read; None where the API knows nothing.

        Raises:
            LogUnavailable: the API did not answer, or refused.
            Trimmed: some of it is gone for good.
        """
        try:
            with self._asked(doing, path, query) as answer, self._connection.translated(doing):
                content = answer.read()
        except Refused as error:
            if error.is_unknown:
                return None
            raise
        with self._connection.understood():
            found: dict[str, Any] = orjson.loads(content)
            return found

    def lines(self, doing: str, *path: str, query: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the lines that a path has, as they come.

        Raises what `show` does, and Refused where the API knows nothing.
        """
        rest = b""
        with self._asked(doing, path, query, accept=LINES) as answer:
            parts = answer.stream(_PART_BYTES, decode_content=True)
            while True:
                with self._connection.translated(doing):
                    part = next(parts, None)
                if part is None:
                    return
                *whole, rest = (rest + part).split(b"\n")
                yield from whole

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Turn what comes of reading another program's answer into LogUnavailable."""
        with self._connection.understood():
            yield

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    @contextmanager
    def _asked(
        self,
        doing: str,
        path: tuple[str, ...],
        query: Mapping[str, Any] | None,
        accept: str = "application/json",
    ) -> Iterator[BaseHTTPResponse]:
        """Have an answer while it is read."""
        headers = {"Accept": accept}
        with ExitStack() as opened:
            yield self._open(opened, doing, path, query, headers)

    def _open(
        self,
        opened: ExitStack,
        doing: str,
        path: tuple[str, ...],
        query: Mapping[str, Any] | None,
        headers: dict[str, str],
    ) -> BaseHTTPResponse:
        """Ask, and again as often as it is told to wait."""
        tries = 1
        while True:
            asking = self._connection.stream(
                *(doing, "GET", "api", *path),
                query=query,
                headers=headers,
                seconds=_ANSWER_SECONDS,
            )
            try:
                return opened.enter_context(asking)
            except Refused as error:
                if error.status == HTTPStatus.GONE:
                    raise Trimmed(error.reason) from error
                if tries == _MOST_TRIES or not error.retry_after:
                    raise
                time.sleep(min(error.retry_after, _LONGEST_PAUSE_SECONDS))
                tries += 1
