"""What is given up, and in which order, when there is no room or too much: counted, never silently.

First dev events, then nine of ten progress and metric reports, then all of those, but for the
newest of each step and name. Messages, log entries, status and end are refused by nobody but a disk
that has no block left, and by the quota of a producer that reports thrice what it may; and even
then they are counted.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from synapse_stream.producer.spool.newest import Newest

_THINNED_KINDS = frozenset({"progress", "metrics"})
_REPORTS = frozenset({*_THINNED_KINDS, "plan", "dev_event", "message", "log", "action"})
_KEEP_ONE_IN = 10
_NO_DEV_EVENTS_FROM, _THIN_FROM, _FULL = 0.7, 0.85, 1.0
_OVERRUN = 2.0


class Pressure(IntEnum):
    """How hard it is to take more."""

    NONE = 0
    NO_DEV_EVENTS = 1
    THINNED = 2
    ESSENTIALS = 3
    NO_REPORTS = 4

    @classmethod
    def of(cls, filled: float) -> Pressure:
        """Return the pressure of a spool that is filled to that share, 0 to 1 and above."""
        if filled >= _FULL:
            return cls.ESSENTIALS
        if filled >= _THIN_FROM:
            return cls.THINNED
        return cls.NO_DEV_EVENTS if filled >= _NO_DEV_EVENTS_FROM else cls.NONE

    @classmethod
    def of_quota(cls, used: float) -> Pressure:
        """Return the pressure of a quota of which that share is used: from 1 on there is some."""
        filled = used * _NO_DEV_EVENTS_FROM
        return cls.NO_REPORTS if filled >= _OVERRUN else cls.of(filled)


class Cause(StrEnum):
    """Why something is given up."""

    FULL = "the spool is full"
    QUOTA = "more was reported than the quota of a process allows"


class Shedding:
    """Decides over each event under pressure and counts what it refused, by cause and type.

    Of refused progress and metrics the newest are kept: `take_newest` gives them back once there is
    room, or, of those that only the quota refused, while it is not exceeded by half: so a bar does
    not stay at 97 %, and each metric has a value now and then.
    """

    def __init__(self) -> None:
        self.pressure = Pressure.NONE
        self._cause = Cause.FULL
        self._counts: dict[Cause, dict[str, int]] = {}
        self._newest = Newest()
        self._thinned = dict.fromkeys(_THINNED_KINDS, 0)

    @property
    def is_idle(self) -> bool:
        """True when nothing is refused now and nothing refused is still unreported."""
        return self.pressure is Pressure.NONE and not self._counts and not self._newest

    def press(self, room: Pressure, quota: Pressure) -> None:
        """Take the pressure of the spool and of the quota: the higher one counts."""
        self.pressure = max(room, quota)
        self._cause = Cause.FULL if room >= quota else Cause.QUOTA

    def admits(self, kind: str, body: bytes) -> bool:
        """Decide over one event; a refused one is counted, or kept as one of the newest."""
        if kind in _THINNED_KINDS:
            admitted = self.pressure < Pressure.THINNED or self._is_kept_when_thinned(kind)
            older = (self._newest.outdate if admitted else self._newest.keep)(kind, body)
            for each in older:
                self.count(each)
            return admitted
        admitted = self.pressure is Pressure.NONE or (
            kind not in _REPORTS or (kind != "dev_event" and self.pressure < Pressure.NO_REPORTS)
        )
        if not admitted:
            self.count(kind)
        return admitted

    def count(self, kind: str, times: int = 1, cause: Cause | None = None) -> None:
        """Count lost events."""
        counts = self._counts.setdefault(cause or self._cause, {})
        counts[kind] = counts.get(kind, 0) + times

    def take_newest(self, *, is_last: bool = False) -> list[tuple[str, bytes]]:
        """Hand over the newest refused reports, in their order: there is room for them again.

        Under pressure there is none, but `is_last` hands them over all the same.
        """
        is_by_quota = self._cause is Cause.QUOTA and self.pressure < Pressure.ESSENTIALS
        has_room = self.pressure is Pressure.NONE or is_by_quota
        return self._newest.take() if has_room or is_last else []

    def take_counts(self) -> dict[Cause, dict[str, int]]:
        """Hand over the counts; those kept are not among them, which may yet be recorded."""
        counts, self._counts = self._counts, {}
        return counts

    def _is_kept_when_thinned(self, kind: str) -> bool:
        if self.pressure >= Pressure.ESSENTIALS:
            return False
        self._thinned[kind] += 1  # each type by itself: of two that take turns, both are kept
        return self._thinned[kind] % _KEEP_ONE_IN == 0
