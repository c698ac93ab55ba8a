"""What becomes of a wrong value: kept for the developers, counted, and said once with its place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from synapse_stream.events.plain import describe
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from types import FrameType

    from synapse_stream.events.rules import Wrong

_NOT_THE_PLUGIN = frozenset({"synapse_stream", "synapse_sdk"})
_MOST_SAID = 1_000
_CALLS = {
    "metrics": "set_metrics",
    "progress": "set_progress",
    "message": "log_message",
    "dev_event": "log_dev_event",
    "action": "action",
    "end": "end_log",
}


class Lenience:
    """Makes dev events of wrong values; of each parameter the first is said aloud."""

    def __init__(self) -> None:
        self._said: set[tuple[str, str]] = set()

    def event(self, kind: str, wrong: list[Wrong], job_id: str | None) -> dict[str, Any]:
        """Return the fields of the dev event that keeps them, and say what is new."""
        call, place = _CALLS.get(kind, kind), _caller()
        for each in wrong:
            key = call, each.parameter
            if key not in self._said and len(self._said) < _MOST_SAID:
                self._said.add(key)
                voice.warn(
                    "job %s: %s at %s: %s; it is kept as a dev event, as will be all of its kind "
                    "(with strict=True it raises)",
                    *(job_id, call, place, each.why),
                )
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        values = {each.parameter: _kept(each.value) for each in wrong}
        return {
            "message": f"{call}: {wrong[0].why}{more}",
            "data": {"call": call, "place": place, "values": values},
            "rejected": len(wrong),
        }


def _kept(value: Any) -> Any:
    return (
        value if value is None or isinstance(value, (str, list, tuple, dict)) else describe(value)
    )


def _caller() -> str:
    """Return file and line of the plugin's call: the nearest frame of no library to report with."""
    frame = sys._getframe(1)  # noqa: SLF001 - `inspect` and `traceback` read source files for it
    while _package(frame) in _NOT_THE_PLUGIN and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]
