"""The loop that looks after children."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from synapse_stream.supervisor.children import Child

_LOOK_SECONDS = 0.05
_STOP_SECONDS = 15.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 30.0
_SOUND_SECONDS = 60.0
"""What lived that long had no lasting trouble when it was started."""


@dataclass(slots=True)
class _Watch:
    """One child, and when it was or is to be started."""

    child: Child
    started: float = 0.0
    due: float | None = None
    """None while it runs."""
    pause: float = 0.0
    """How long it was waited for before the last start."""


class Supervisor:
    """Children in stages: a stage is started when the one before is, and stopped before it.

    A child that ends is started again, after a pause that doubles as long as it keeps ending soon
    after its start. Call it from one thread, the main thread: the leashes are bound to that.

    Args:
        stages: the children.
        say: is told what happened, in one line a death.
    """

    def __init__(self, stages: Sequence[Sequence[Child]], say: Callable[[str], None]) -> None:
        self._stages = [[_Watch(child) for child in stage] for stage in stages]
        self._say = say

    def start(self) -> None:
        """Start all.

        Raises:
            OSError, ConfigError: a child cannot be started.
        """
        for watch in self._watches():
            watch.child.start()
            watch.started = time.monotonic()

    def run(self, stop: threading.Event, until: Callable[[], bool] = lambda: False) -> None:
        """Look after the children until `stop` is set or `until` is true.

        Raises:
            ConfigError: a child refuses the settings; the message has its reason.
        """
        while not stop.is_set() and not until():
            for watch in self._watches():
                self._look(watch)
            stop.wait(_LOOK_SECONDS)

    def stop(self, hurry: threading.Event) -> None:
        """Stop the children, last stage first, each in order unless `hurry` is set."""
        for stage in reversed(self._stages):
            children = [watch.child for watch in stage if watch.child.is_running]
            for child in children:
                child.ask_to_stop()
            deadline = time.monotonic() + _STOP_SECONDS
            for child in children:
                while not child.wait(_LOOK_SECONDS):
                    if hurry.is_set() or time.monotonic() > deadline:
                        self._say(f"{child.name} does not end in time and is killed")
                        child.kill()

    def _watches(self) -> list[_Watch]:
        return [watch for stage in self._stages for watch in stage]

    def _look(self, watch: _Watch) -> None:
        now = time.monotonic()
        if watch.due is None:
            if not watch.child.is_running:
                if watch.child.is_refusing():
                    raise ConfigError(watch.child.obituary())
                self._put_off(watch, watch.child.obituary())
        elif now >= watch.due:
            watch.due, watch.started = None, now
            try:
                watch.child.start()
            except (OSError, ConfigError) as error:
                self._put_off(watch, f"{watch.child.name} does not start: {error}")

    def _put_off(self, watch: _Watch, reason: str) -> None:
        now = time.monotonic()
        watch.pause = next_pause(watch.pause, now - watch.started)
        watch.due = now + watch.pause
        self._say(f"{reason}; starts again in {watch.pause:g} s")


def next_pause(last: float, lived_seconds: float) -> float:
    """Return for how long to wait before a child is started again."""
    if lived_seconds >= _SOUND_SECONDS or not last:
        return _FIRST_PAUSE_SECONDS
    return min(2 * last, _LONGEST_PAUSE_SECONDS)
