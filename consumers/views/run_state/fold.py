"""Run state: where a job stands. Its document is its view; `reading` makes a RunState of it.

Document: `attempts`: number → an attempt as `run_events.begin_run` lays it out.

Status: PENDING until rank 0, or a process that names no rank, shows up; then RUNNING; the `end` of
rank 0 with a status, or its loss, is final for the attempt, unless it turns out that another
process had said so under the same name. A signal that asks rank 0 to end makes it CANCELLED until
it reports again. Everything else goes on: late events of other processes are counted and shown.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from consumers.folding.port import CannotApply, JobView, headers, refusal
from consumers.views.run_state.endings import is_asked
from consumers.views.run_state.events import (
    HANDLERS,
    Part,
    begin_run,
    is_outdated,
    part_of_rank,
    report,
    tally,
)

if TYPE_CHECKING:
    from consumers.folding.port import Delivery

_MOST_KINDS = 100


class RunStateView(JobView):
    """Folds the events of a job into its condition."""

    name: ClassVar[str] = "run-state"
    version: ClassVar[int] = 3

    def begin(self) -> dict[str, Any]:
        """Return the document of a job without events."""
        return {"attempts": {}}

    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""
        kinds, times, fault = headers(delivery.events)
        if kinds:
            run, rank = self._parts(delivery, times[0])
            if not HANDLERS.keys().isdisjoint(kinds) or is_asked(rank):
                fault = _handle(run, rank, delivery, kinds) or fault
            if kinds:
                self._account(run, rank, delivery, kinds, times[: len(kinds)])
        if fault is not None:
            raise fault

    def take_rows(self) -> None:
        """Return nothing: the document is the view."""

    def _parts(self, delivery: Delivery, time: int) -> tuple[Part, Part]:
        attempts = self._document["attempts"]
        run = attempts.get(str(delivery.attempt))
        if run is None:
            run = attempts[str(delivery.attempt)] = begin_run(time, delivery.ms)
        return run, part_of_rank(run, delivery.rank)

    def _account(
        self, run: Part, rank: Part, delivery: Delivery, kinds: list[str], times: list[int]
    ) -> None:
        """Note what every event says, whatever its type."""
        run["first"] = min(run["first"], *times)
        run["last"] = max(run["last"], *times)
        for kind, count in Counter(kinds).items():
            tally(run["counts"], kind, count, _MOST_KINDS)
        for part in (run, rank):
            part["sign"] = max(part["sign"], delivery.ms) if delivery.is_late else delivery.ms
        for part in (run, rank) if delivery.rank == 0 else (rank,):
            if part["status"] == "pending":
                part["status"] = "running"


def _handle(run: Part, rank: Part, delivery: Delivery, kinds: list[str]) -> CannotApply | None:
    """Apply the rules of all events; at one that is refused, cut `kinds` there and return why."""
    index = 0
    try:
        for index, kind in enumerate(kinds):
            event = delivery.events[index]
            if kind in HANDLERS and not (delivery.is_late and is_outdated(rank, event)):
                HANDLERS[kind](run, rank, event, delivery, index)
            if rank["ends"]:
                report(run, rank, delivery, index, kind)
    except Exception as error:  # noqa: BLE001 - also what a rule did not foresee is parked
        del kinds[index:]
        return CannotApply(index, refusal(error))
    return None
