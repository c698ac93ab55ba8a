"""What is given up, and in which order, when a spool has no room: counted, never silently.

First dev events, then nine of ten progress and metric reports, then all of those. Messages, log
entries, status and end are refused by nobody but a disk that has no block left, and even then they
are counted.
"""

from __future__ import annotations

from enum import IntEnum

_THINNED_KINDS = frozenset({"progress", "metrics"})
_KEEP_ONE_IN = 10
_NO_DEV_EVENTS_FROM, _THIN_FROM, _FULL = 0.7, 0.85, 1.0


class Pressure(IntEnum):
    """How full a spool is."""

    NONE = 0
    NO_DEV_EVENTS = 1
    THINNED = 2
    ESSENTIALS = 3

    @classmethod
    def of(cls, used_share: float) -> Pressure:
        """Return the pressure of a spool that is filled to `used_share`, 0 to 1 and above."""
        if used_share >= _FULL:
            return cls.ESSENTIALS
        if used_share >= _THIN_FROM:
            return cls.THINNED
        return cls.NO_DEV_EVENTS if used_share >= _NO_DEV_EVENTS_FROM else cls.NONE


class Shedding:
    """Decides over each event under pressure and counts what it refused, by type.

    The newest refused progress and metrics are kept: `take` gives them back once there is room, so
    that a bar does not stay at 97 %.
    """

    def __init__(self) -> None:
        self.pressure = Pressure.NONE
        self._counts: dict[str, int] = {}
        self._newest: dict[str, bytes] = {}
        self._thinning = 0

    @property
    def is_idle(self) -> bool:
        """True when nothing is refused now and nothing refused is still unreported."""
        return self.pressure is Pressure.NONE and not self._counts

    def admits(self, kind: str, body: bytes) -> bool:
        """Decide over one event; a refused one is counted."""
        if kind in _THINNED_KINDS:
            admitted = self.pressure < Pressure.THINNED or self._is_kept_when_thinned()
            if admitted:
                self._newest.pop(kind, None)  # what was refused before is older now
            else:
                self._newest[kind] = body
        else:
            admitted = kind != "dev_event" or self.pressure is Pressure.NONE
        if not admitted:
            self.count(kind)
        return admitted

    def count(self, kind: str) -> None:
        """Count one lost event."""
        self._counts[kind] = self._counts.get(kind, 0) + 1

    def take(self) -> tuple[dict[str, int], dict[str, bytes]]:
        """Hand over the counts so far and, without pressure, the newest refused reports."""
        newest: dict[str, bytes] = {}
        if self.pressure is Pressure.NONE:
            newest, self._newest = self._newest, {}
        counts, self._counts = self._counts, {}
        for kind in newest:
            counts[kind] = counts.get(kind, 1) - 1
        return {kind: n for kind, n in counts.items() if n > 0}, newest

    def _is_kept_when_thinned(self) -> bool:
        if self.pressure is Pressure.ESSENTIALS:
            return False
        self._thinning += 1
        return self._thinning % _KEEP_ONE_IN == 0
