"""What a logger says of work in many pieces: what is to come, and how far it is."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from synapse_stream.events import plans
from synapse_stream.events.numeric import usable_total

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from synapse_stream.events.rules import Wrong

T = TypeVar("T")

_REPORTS_A_TRACK = 1_000
_TRACK_SECONDS = 1.0


class Tracks(ABC):
    """Announces steps, and reports progress over what is iterated."""

    strict = False

    @abstractmethod
    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        """Report how far a step is, 0 to `total`."""

    @abstractmethod
    def _report(
        self, kind: str, step: Any, fields: dict[str, Any], wrong: list[Wrong] | None
    ) -> None:
        """Record an event, if there is one, and what was wrong."""

    def plan(self, steps: Mapping[str, float | None] | Iterable[str]) -> None:
        """Announce steps that will come, so that they count in how far the run is.

        A mapping gives each its weight, `{"load": 1, "train": 20}`; without weights they weigh by
        the time that they take. In an action they are its steps. What is announced again gets its
        new weight.
        """
        wrong: list[Wrong] | None = None if self.strict else []
        self._report("plan", None, plans.plan(steps, wrong), wrong)

    def track(
        self, iterable: Iterable[T], total: float | None = None, step: str | None = None
    ) -> Iterator[T]:
        """Yield the items and report progress after each.

        The total is `len(iterable)` unless given; when there are more items than that, it grows.
        What nothing can be a share of (no number, not finite, not above 0, a length that raises) is
        an unknown total, as none is. Of many items, one in a thousandth of the total is reported,
        and at least one a second. Without a total the step is reported once, as done, behind the
        last item.
        """
        whole = usable_total(_length(iterable) if total is None else total)
        if whole:
            self.set_progress(0, whole, step)
        return self._track(iterable, whole or 0, step)

    def _track(self, iterable: Iterable[T], total: float, step: str | None) -> Iterator[T]:
        stride = max(1, int(total // _REPORTS_A_TRACK))
        done = reported = 0
        due = time.monotonic() + _TRACK_SECONDS
        for done, item in enumerate(iterable, 1):
            yield item
            if total and (done % stride == 0 or time.monotonic() >= due):
                self.set_progress(done, max(done, total), step)
                reported, due = done, time.monotonic() + _TRACK_SECONDS
        if done != reported:
            self.set_progress(done, max(done, total), step)


def _length(iterable: Any) -> Any:
    try:
        return len(iterable)
    except Exception:  # noqa: BLE001 - it has none, or raises as loaders of streams do
        return None
