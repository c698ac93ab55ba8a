"""A view of another package, guarded: an event at which it raises changes nothing.

State: `state` is that of the package's view, None as long as it could not begin; `rows` how many
rows it has given, `time` the latest time of any event.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from consumers.folding.checks import LATEST_TIME
from consumers.folding.marking import TimedView
from consumers.folding.port import CannotApply, refusal
from consumers.views.of_packages.columns import Column, columns_of, taken
from consumers.views.of_packages.plain import encode
from consumers.views.of_packages.rows import GivenRow, GivenRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.job_view import Delivery, JobView

_LONGEST_REASON = 500


class GuardedView(TimedView):
    """Gives events to the view of a package; what that has come to is kept as JSON between them.

    So it goes on from the same after an event at which it raised as after a restart. Its events are
    copies: what it does to them nobody else sees, nor it itself when it gets them once more.
    """

    theirs: ClassVar[type[JobView]]
    columns: ClassVar[Sequence[Column]]

    def __init__(self, job_id: str, state: dict[str, Any] | None = None) -> None:
        super().__init__(job_id, state)
        kept = self.state["state"]
        self._kept = None if kept is None else orjson.dumps(kept)
        self._view: JobView | None = None
        self._new = GivenRows()

    def begin(self) -> dict[str, Any]:
        """Return the state of a job of which nothing is known."""
        try:
            state = orjson.Fragment(encode(self.theirs(self.job_id).state))
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - said of each event, as it begins again there
            state = None
        return {"state": state, "rows": 0, "time": 0}

    def apply(self, delivery: Delivery) -> None:
        """Fold the events in order, one by one where that fails."""
        if self._fault(delivery) is None:
            return
        for index in range(len(delivery.events)):
            if reason := self._fault(_only(delivery, index)):
                raise CannotApply(index, reason)

    def take_rows(self) -> GivenRows | None:
        """Return the rows that came since the last call."""
        if not self.columns:
            return None
        rows, self._new = self._new, GivenRows()
        return rows

    def latest_time(self) -> int:
        """Return the latest time of any event that was folded, in µs; 0 before the first."""
        return int(self.state["time"])

    def _fault(self, delivery: Delivery) -> str | None:
        """Fold the events; return why that cannot be, None when it is done."""
        view, self._view = self._view, None
        try:
            view = view or self._anew()
            view.apply(replace(delivery, events=orjson.loads(orjson.dumps(delivery.events))))
            kept = encode(view.state)
            rows = [taken(self.columns, row) for row in view.rows]
            view.rows = []
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a package does
            return _reason(error)
        self._view, self._kept = view, kept
        self._take(delivery, rows)
        return None

    def _take(self, delivery: Delivery, rows: Sequence[tuple[Any, ...]]) -> None:
        number = self.state["rows"]
        self._new += [
            GivenRow(number + place, delivery.ms, delivery.seq, row)
            for place, row in enumerate(rows)
        ]
        times = (event.get("time") for event in delivery.events)
        latest = max((t for t in times if type(t) is int and 0 <= t < LATEST_TIME), default=0)
        self.state = {
            "state": orjson.Fragment(self._kept or b""),
            "rows": number + len(rows),
            "time": max(latest, self.state["time"]),
        }

    def _anew(self) -> JobView:
        return self.theirs(self.job_id, None if self._kept is None else orjson.loads(self._kept))


def guarded(theirs: type[JobView]) -> type[GuardedView]:
    """Return the guarded form of a package's view.

    Raises:
        TypeError: its row is not as it must be.
    """
    return type(
        theirs.__name__,
        (GuardedView,),
        {
            "theirs": theirs,
            "columns": columns_of(theirs),
            "name": theirs.name,
            "version": theirs.version,
            "by_position": theirs.by_position,
        },
    )


def _reason(error: BaseException) -> str:
    """Return why an event is refused; what an error says of itself may be long, or fail."""
    try:
        return refusal(error)[:_LONGEST_REASON]
    except Exception:  # noqa: BLE001 - it is the package's error
        return type(error).__name__


def _only(delivery: Delivery, index: int) -> Delivery:
    return replace(
        delivery,
        start=delivery.start + index,
        number=delivery.number + index,
        events=delivery.events[index : index + 1],
    )
