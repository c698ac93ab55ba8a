"""Looking after the spools of dead processes, as long as this one reports to their server."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from synapse_stream.producer.shipping.port import IMPORTS
from synapse_stream.saying import voice
from synapse_stream.system.descriptors import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from synapse_stream.producer.adoption.adopt import Adopter
    from synapse_stream.producer.lane import Lane
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.settings import Settings

_FIRST_SECONDS = 0.5  # what is our own goes first
_SECONDS = 5.0


class Looking:
    """A ward of the keeper that goes when nobody is left in its lane."""

    def __init__(self, settings: Settings, open_log: Callable[[], Log], lane: Lane) -> None:
        self.key: Hashable = (lane, settings.spool_root)
        """Who has the same in common need only one of them."""
        self._lane = lane
        self._settings = settings
        self._open_log = open_log
        self._adopter: Adopter | None = None
        self._due = time.monotonic() + _FIRST_SECONDS
        self._thread: threading.Thread | None = None

    def keep(self, now: float) -> bool:
        """Start a round in a thread of its own, because it may have to wait for the server."""
        if not self._lane.members:
            return False
        if now < self._due or not self._lane.is_open:  # else the server takes nothing of theirs
            return True
        self._due = now + _SECONDS
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._adopt, name="synapse-stream-adopter", daemon=True
            )
            with suppress(RuntimeError):  # no more threads: others adopt, or we do later
                self._thread.start()
        return True

    @SET_ASIDE.lent()
    def _adopt(self) -> None:
        try:
            if self._adopter is None:
                with IMPORTS:
                    from synapse_stream.producer.adoption.adopt import Adopter  # noqa: PLC0415 - seldom needed
                self._adopter = Adopter(self._settings, self._open_log)
            self._adopter.adopt()
        except Exception:  # noqa: BLE001 - it is not our own
            voice.fault("looking after other spools failed")
