"""How long each step took, over all attempts."""

from __future__ import annotations

from typing import Any, ClassVar

from synapse_stream import Delivery, JobView


class TimeByStep(JobView):
    """From a step's first report in an attempt to its last; attempts are added up."""

    name: ClassVar[str] = "time-by-step"
    version: ClassVar[int] = 1
    is_public: ClassVar[bool] = True

    def begin(self) -> dict[str, Any]:
        """Return a job without steps."""
        return {"steps": {}}

    def apply(self, delivery: Delivery) -> None:
        """Widen the spans of the steps that report."""
        for event in delivery.events:
            if step := event.get("step"):
                found = self.state["steps"].setdefault(step, {"seconds": 0.0, "attempts": {}})
                attempts, time = found["attempts"], event["time"]
                first, last = attempts.get(str(delivery.attempt), [time, time])
                attempts[str(delivery.attempt)] = [min(first, time), max(last, time)]
                found["seconds"] = sum(end - begin for begin, end in attempts.values()) / 1e6
