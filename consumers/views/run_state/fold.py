"""Run state: where a job stands. Its state is its view; `reading` makes a RunState of it.

State: `attempts`: number → an attempt as `parts.begin_run` lays it out. Of very many the oldest
are dropped: `dropped` tells how many, and `floor` the highest of their numbers. `ahead` counts the
events of attempts that are too far ahead of rank 0.

Status: PENDING until rank 0, or a process that names no rank, shows up; then RUNNING; the `end` of
rank 0 with a status, or its loss, is final for the attempt, unless it turns out that another
process had said so under the same name. A signal that asks rank 0 to end makes it CANCELLED until
it reports again. Everything else goes on: late events of other processes are counted and shown.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from consumers.folding import checks
from consumers.folding.marking import TimedView
from consumers.folding.port import CannotApply, refusal
from consumers.views.run_state import bounds
from consumers.views.run_state.endings import is_asked
from consumers.views.run_state.events import HANDLERS, is_outdated, report, tally
from consumers.views.run_state.parts import Part, begin_run, part_of_rank

if TYPE_CHECKING:
    from synapse_stream.ports.job_view import Delivery

_MOST_KINDS = 100


class RunStateView(TimedView):
    """Folds the events of a job into its condition."""

    name: ClassVar[str] = "run-state"
    version: ClassVar[int] = 5
    by_position: ClassVar[frozenset[str]] = frozenset({"born", "sign", "shown"})

    def begin(self) -> dict[str, Any]:
        """Return the state of a job without events."""
        return {"attempts": {}, "dropped": 0, "floor": 0, "ahead": 0}

    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order."""
        kinds, times, fault = _headers(delivery.events)
        run = self._run(delivery, times) if kinds else None
        if run is not None:
            fault = self._fold(run, delivery, kinds, times) or fault
        if fault is not None:
            raise fault

    def latest_time(self) -> int:
        """Return the latest time of any event that was folded, in µs; 0 before the first."""
        return max((run["last"] for run in self.state["attempts"].values()), default=0)

    def _run(self, delivery: Delivery, times: list[int]) -> Part | None:
        """Return the attempt, new if it is met for the first time; None for one that is not kept.

        That is one that was dropped, or which other ranks begin long before rank 0 does.
        """
        attempts, number = self.state["attempts"], delivery.attempt
        run: Part | None = attempts.get(str(number))
        if run is None and number > self.state["floor"]:
            if delivery.rank and number > bounds.standing(attempts) + bounds.MOST_ATTEMPTS:
                self.state["ahead"] += len(times)
                return None
            run = attempts[str(number)] = begin_run(times[0], delivery.ms)
        return run

    def _fold(
        self, run: Part, delivery: Delivery, kinds: list[str], times: list[int]
    ) -> CannotApply | None:
        """Fold events of an attempt; of a rank for which there is no room they are counted."""
        weight, fault = run["weight"], None
        rank = part_of_rank(run, delivery.rank)
        if rank is None:
            bounds.leave_out(run, times=len(kinds))
        elif not HANDLERS.keys().isdisjoint(kinds) or is_asked(rank):
            fault = _handle(run, rank, delivery, kinds)
        if kinds:
            self._account(run, rank, delivery, kinds, times[: len(kinds)])
        if run["weight"] > weight:
            dropped = bounds.drop_attempts(self.state["attempts"], delivery.attempt)
            self.state["dropped"] += len(dropped)
            self.state["floor"] = max(self.state["floor"], *dropped, 0)
        return fault

    def _account(
        self, run: Part, rank: Part | None, delivery: Delivery, kinds: list[str], times: list[int]
    ) -> None:
        """Note what every event says, whatever its type."""
        run["first"] = min(run["first"], *times)
        run["last"] = max(run["last"], *times)
        for kind, count in Counter(kinds).items():
            tally(run["counts"], kind, count, _MOST_KINDS)
        parts = (run,) if rank is None else (run, rank)
        for part in parts:
            part["sign"] = max(part["sign"], delivery.ms) if delivery.is_late else delivery.ms
        for part in parts if delivery.rank == 0 else parts[1:]:
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


def _headers(
    events: list[dict[str, Any]],
) -> tuple[list[str], list[int], CannotApply | None]:
    """Return types and times of the events up to the first that lacks a valid one, and why."""
    try:
        kinds = [event["type"] for event in events]
        times = [event["time"] for event in events]
        if (
            set(map(type, times)) == {int}
            and min(times) >= 0
            and max(times) < checks.LATEST_TIME
            and set(map(type, kinds)) == {str}
            and all(len(kind) <= checks.LONGEST_NAME and "\0" not in kind for kind in set(kinds))
        ):
            return kinds, times, None
    except KeyError:
        pass
    kinds, times = [], []
    for index, event in enumerate(events):
        try:
            kind, time = checks.name(event, "type"), checks.time(event)
        except checks.Unfit as error:
            return kinds, times, CannotApply(index, str(error))
        kinds.append(kind)
        times.append(time)
    return kinds, times, None
