"""Faults while answering: what no rule foresaw, and what happens when an answer has begun.

An answer that has not begun becomes a problem. One that has is torn, so that nobody takes what came
of it for the whole.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from consumers.api.problems import fault
from consumers.errors import StoreUnavailable
from synapse_stream.errors import LogUnavailable, SynapseStreamError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from consumers.outages import Outages

TEAR = "tear"
"""Name in a request's state of what cuts its connection; see `connections`."""

_logger = logging.getLogger(__name__)


class Faults:
    """Answers for every error that the application lets out."""

    def __init__(self, app: ASGIApp, outages: Outages) -> None:
        self._app = app
        self._outages = outages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and note whether the answer begins."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            self._tell(scope, error)
            if not has_begun:
                await fault().response(scope["path"])(scope, receive, send)
            elif tear := scope["state"].get(TEAR):
                tear()
                await _until_gone(receive)
            else:
                raise

    def _tell(self, scope: Scope, error: Exception) -> None:
        known = (
            error.__cause__
        )  # of one that is answered by a problem, when it is too late for that
        if isinstance(known, (StoreUnavailable, LogUnavailable)):
            self._outages.tell(known)
        elif not isinstance(known, SynapseStreamError):
            route = getattr(scope.get("route"), "path", "a request")  # of whatever job
            _logger.error("%s %s failed", scope["method"], route, exc_info=error)


async def _until_gone(receive: Receive) -> None:
    """Wait until the connection is known to be cut; by then the server does not miss the rest."""
    while (await receive())["type"] != "http.disconnect":
        pass
