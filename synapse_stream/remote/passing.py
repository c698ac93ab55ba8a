"""Requests of others, passed on to the API with our token in the place of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

from synapse_stream.remote.connection import RENEWED, Connection

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = 60.0
_KEPT_BACK = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "trailers", "transfer-encoding", "upgrade"),
        *("proxy-authenticate", "proxy-authorization", "content-length", "host", "accept-encoding"),
        *("authorization", "synapse-access-token", "synapse-agent", "synapse-tenant", "cookie"),
    }
)
"""Of what is asked; and of what is answered, where what belongs to a connection ends with it."""


class Passing(Connection):
    """Asks as it is asked. May be used from several threads."""

    def pass_on(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        """Ask once; return status, content and headers of the answer, whatever it is.

        Raises:
            LogUnavailable: there was none.
        """
        doing = "passing on what was reported"
        given = {name: text for name, text in headers.items() if name.lower() not in _KEPT_BACK}
        if (token := self._bearer.token) is not None:
            given["Authorization"] = f"Bearer {token}"
        waits = urllib3.Timeout(connect=self._seconds, read=_SECONDS)
        with self.translated(doing):
            answer = self._pool.request(
                method, f"{self._url}{target}", body=body or None, headers=given, redirect=False,
                timeout=waits,
            )  # fmt: skip
        if answer.status == 401:  # noqa: PLR2004 - as HTTP has it
            self._bearer.look_again()
        if renewed := answer.headers.get(RENEWED):
            self._bearer.renew(renewed)
        back = {
            name: text
            for name, text in answer.headers.items()
            if name.lower() not in {*_KEPT_BACK, "content-encoding", RENEWED.lower()}
        }
        return answer.status, answer.data, back
