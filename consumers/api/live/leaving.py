"""How the process leaves: live streams never end by themselves."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from types import FrameType

    from consumers.api.live.hub import Hub


class Server(uvicorn.Server):
    """Ends the live streams at the first signal, and then as any server.

    Unlike uvicorn's it does not raise the signal again behind itself, so that the process leaves
    with a status of its own.
    """

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn's
        """Leave; a second Ctrl-C waits for nothing."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self._hub.end_streams()
