"""Another program's backend, to which is passed on what is not for us."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import urllib3
from urllib3 import exceptions

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0
_ANSWERS = urllib3.Timeout(connect=_CONNECT_SECONDS, read=_ANSWER_SECONDS)


class Backend:
    """Asks one backend as it is told to, once, and follows no redirect. For several threads."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(maxsize=16, retries=False)

    @contextmanager
    def passed_on(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Ask, and have the answer while it is read, its content as it travels.

        Args:
            method: of HTTP.
            target: path below the backend's address and query, encoded.
            headers: as they are sent.
            body: as it is sent.

        Raises:
            LogUnavailable: it did not answer.
        """
        try:
            answer = self._pool.request(
                *(method, f"{self.url}/{target}"),
                body=body or None,
                headers=headers,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=_ANSWERS,
            )
        except (exceptions.HTTPError, OSError) as error:
            msg = f"the backend {self.url} did not answer"
            raise LogUnavailable(msg, f"{type(error).__name__}") from error
        try:
            yield answer
        finally:
            answer.close()
