"""Holds: runs that nothing is removed of, whatever the settings say, until they are released.

A hold is an act of the operators' trail, and nothing else: so it has who and why, and is as hard to
take away unseen as any entry there. It is on a job, or on all jobs of which an attempt has a label.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from synapse_stream.operating.acts import WrittenAct
    from synapse_stream.ports.views import RunState

HOLD, RELEASE = "hold", "release"


class Held(NamedTuple):
    """What a hold is on."""

    job_id: str | None
    label: str | None
    """`KEY=VALUE`, where it is on no one job."""


class Holds:
    """The holds of a deployment: on what, and by which act."""

    def __init__(self, acts: Iterable[WrittenAct]) -> None:
        """Take what the trail has come to.

        A hold counts from its act on. A release counts when it is known to have been done.
        """
        self.on: dict[Held, WrittenAct] = {}
        for written in acts:
            if written.act.act not in {HOLD, RELEASE}:
                continue
            before = written.act.before
            held = Held(before.get("job_id"), before.get("label"))
            if written.act.act == HOLD:
                self.on.setdefault(held, written)
            elif written.is_done:
                self.on.pop(held, None)

    def of(self, job_id: str, labels: Iterable[Mapping[str, Any]]) -> list[WrittenAct]:
        """Return the holds on a run, given the labels of its attempts."""
        said = {f"{key}={value}" for of_attempt in labels for key, value in of_attempt.items()}
        return [
            written
            for held, written in self.on.items()
            if held.job_id == job_id or (held.label is not None and held.label in said)
        ]

    def may_be_on(self, job_id: str, state: Callable[[str], RunState | None]) -> bool:
        """Tell whether a run is held, or may be: its labels decide, and they are not known.

        `state` returns the run state of a job.
        """
        if not any(held.label for held in self.on):
            return bool(self.of(job_id, ()))
        known = state(job_id)
        return known is None or bool(self.of(job_id, [run.labels for run in known.attempts]))
