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

    The newest refused progress and metrics are kept: `take_newest` gives them back once there is
    room, so that a bar does not stay at 97 %.
    """

    def __init__(self) -> None:
        self.pressure = Pressure.NONE
        self._counts: dict[str, int] = {}
        self._newest: dict[str, bytes] = {}
        self._thinned = dict.fromkeys(_THINNED_KINDS, 0)

    @property
    def is_idle(self) -> bool:
        """True when nothing is refused now and nothing refused is still unreported."""
        return self.pressure is Pressure.NONE and not self._counts

    def admits(self, kind: str, body: bytes) -> bool:
        """Decide over one event; a refused one is counted."""
        if kind in _THINNED_KINDS:
            admitted = self.pressure < Pressure.THINNED or self._is_kept_when_thinned(kind)
            if admitted:
                self._newest.pop(kind, None)  # what was refused before is older now
            else:
                self._newest[kind] = body
        else:
            admitted = kind != "dev_event" or self.pressure is Pressure.NONE
        if not admitted:
            self.count(kind)
        return admitted

    def count(self, kind: str, times: int = 1) -> None:
        """Count lost events."""
        self._counts[kind] = self._counts.get(kind, 0) + times

    def take_newest(self, *, is_last: bool = False) -> dict[str, bytes]:
        """Hand over the newest refused reports, no longer counted: there is room for them again.

        Under pressure there is none, but `is_last` hands them over all the same.
        """
        if self.pressure is not Pressure.NONE and not is_last:
            return {}
        newest, self._newest = self._newest, {}
        for kind in newest:
            self._counts[kind] -= 1
        return newest

    def take_counts(self) -> dict[str, int]:
        """Hand over the counts, but for the newest reports, which may yet be recorded."""
        kept = dict.fromkeys(self._newest, 1)
        counts = {kind: count - kept.get(kind, 0) for kind, count in self._counts.items()}
        self._counts = kept
        return {kind: count for kind, count in counts.items() if count}

    def _is_kept_when_thinned(self, kind: str) -> bool:
        if self.pressure is Pressure.ESSENTIALS:
            return False
        self._thinned[kind] += 1  # each type by itself: of two that take turns, both are kept
        return self._thinned[kind] % _KEEP_ONE_IN == 0
