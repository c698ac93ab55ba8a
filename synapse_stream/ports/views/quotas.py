"""How much of what a job may have in its views it has, where that is nearly all or more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.events.quotas import NEARLY

if TYPE_CHECKING:
    from collections.abc import Sequence

_FURTHER = {
    "attempts": "earlier ones",
    "bytes of state": "reports or texts of further ranks, steps and actions",
    "lost processes": "further ones",
    "metrics": "values of further ones",
    "resumed processes": "further ones",
}
_REPORTS = "reports of further ones"


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a view keeps of something at most; what is beyond is recorded, but not shown."""

    of: str
    """Of what: `metrics`, `steps`, `actions` …"""
    used: int
    most: int
    left_out: int
    """What came beyond it: reports of steps and actions, values of metrics, earlier attempts."""

    @property
    def note(self) -> str:
        """It in plain words."""
        if not self.left_out:
            return (
                f"{self.used:,} of at most {self.most:,} {self.of} that are shown; what comes "
                "beyond is recorded only"
            )
        further = _FURTHER.get(self.of, _REPORTS)
        return (
            f"at most {self.most:,} {self.of} are shown: {further} are recorded only "
            f"({self.left_out:,})"
        )


def nearly_used(*quotas: Quota) -> tuple[Quota, ...]:
    """Return those of which nearly all is used, or all."""
    return tuple(one for one in quotas if one.left_out or one.used >= NEARLY * one.most)


class Beside(NamedTuple):
    """What must be known of a job that does not stand in its run state."""

    parked: int = 0
    """Events that could not be applied, in any projection."""
    quotas: Sequence[Quota] = ()
    """Of what other views have nearly as much as they show, or more."""
    damaged: Sequence[str] = ()
    """Projections of which something that is stored of the job cannot be read."""


NOTHING = Beside()
