"""The threads that serve all producers of a process: a lane for each server, and one keeper.

They start with the first producer and end with the last one. A forked child has none of them and
begins with a crew of its own.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Protocol

from synapse_stream.producer.lane import Lane
from synapse_stream.producer.looking import Looking
from synapse_stream.producer.worker import Worker
from synapse_stream.system.descriptors import SET_ASIDE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.settings import Settings

_KEEP_SECONDS = 0.5


class Ward(Protocol):
    """What the keeper looks after."""

    def keep(self, now: float) -> bool:
        """Do what may wait for a disk; False when it needs no care any more. Never raises."""


class Keeper(Worker[Ward]):
    """Does what may wait for a disk, every half second and when its bell rings."""

    def __init__(self) -> None:
        super().__init__("synapse-stream-keeper")
        self._due = 0.0

    def work(self) -> None:
        """Look after every ward once."""
        now = time.monotonic()
        self._due = now + _KEEP_SECONDS
        SET_ASIDE.fill()
        for ward in self.members:
            if not ward.keep(now):
                self.leave(ward)

    def due(self, now: float) -> float:  # noqa: ARG002 - it follows from the last round
        """Return when the next round is."""
        return self._due

    def finish(self) -> None:
        """Nothing is left."""


class Crew:
    """The lanes and the keeper of this process."""

    def __init__(self) -> None:
        self.keeper = Keeper()
        self._lanes: dict[Hashable, Lane] = {}
        self._lock = threading.RLock()

    def lane(self, server: Hashable, open_log: Callable[[], Log]) -> Lane:
        """Return the lane to a server, the same one for all who name it alike."""
        with self._lock:
            unused = [key for key, lane in self._lanes.items() if not lane.members]
            for key in unused:
                del self._lanes[key]
            lane = self._lanes[server] = self._lanes.get(server) or Lane(open_log)
            return lane

    def adopt(self, settings: Settings, open_log: Callable[[], Log], lane: Lane) -> None:
        """Look after the spools of dead processes while there is somebody in the lane."""
        with self._lock:
            looking = Looking(settings, open_log, lane)
            wards = self.keeper.members
            if not any(isinstance(each, Looking) and each.key == looking.key for each in wards):
                self.keeper.join(looking)


CREW = Crew()
os.register_at_fork(after_in_child=CREW.__init__)  # type: ignore[misc]  # its threads are the parent's
