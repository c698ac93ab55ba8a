"""The reports of a plugin under test: each is known by who made it and its running number.

A *voice* is one thread of one process, such as `3.1`; it makes its calls one after the other. Call
number n of a voice is a fixed function of both, so that whoever reads the stream knows what must
stand there, byte by byte, without having been told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.reporting.context import RuntimeContext

KINDS = ("message", "metrics", "progress", "dev_event", "log")
_PADDING = (0, 1, 0, 3, 0, 10, 0)


def kind_of(number: int) -> str:
    """Return the type of a voice's call `number`."""
    return KINDS[number % len(KINDS)]


def make(context: RuntimeContext, voice: str, number: int, weight: int) -> None:
    """Make call `number` of `voice`; events grow with `weight`."""
    padding = _padding(number, weight)
    match kind_of(number):
        case "message":
            context.log_message(f"{voice} {number} {padding}")
        case "metrics":
            context.set_metrics({"n": number, "loss": 1 / (number + 1)}, step=voice)
        case "progress":
            context.set_progress(number, number + 1, step=voice)
        case "dev_event":
            context.log_dev_event(voice, {"n": number, "padding": padding})
        case _:
            context.log(voice, {"n": number, "padding": padding})


def expected(voice: str, number: int, weight: int) -> dict[str, Any]:
    """Return the event that call `number` of `voice` becomes, without its number and time."""
    padding = _padding(number, weight)
    kind = kind_of(number)
    event: dict[str, Any] = {"type": kind, "v": 1}
    match kind:
        case "message":
            return event | {"content": f"{voice} {number} {padding}", "level": "info"}
        case "metrics":
            values = {"n": number, "loss": 1 / (number + 1)}
            return event | {"step": voice, "values": values}
        case "progress":
            return event | {"step": voice, "current": number, "total": number + 1}
        case "dev_event":
            return event | {"message": voice, "data": {"n": number, "padding": padding}}
    data = {"n": number, "padding": padding}
    return event | {"event": voice, "data": data, "level": "info"}


def caller(event: Mapping[str, Any]) -> tuple[str, int] | None:
    """Return voice and number of the call that an event claims to come from; None if it does not.

    Raises:
        KeyError, ValueError: it is of a type that calls make, but like none of them.
    """
    match event["type"]:
        case "message":
            voice, number, _ = event["content"].split(" ")
            return voice, int(number)
        case "metrics":
            return event["step"], event["values"]["n"]
        case "progress":
            return event["step"], event["current"]
        case "dev_event":
            return event["message"], event["data"]["n"]
        case "log":
            return event["event"], event["data"]["n"]
    return None


def _padding(number: int, weight: int) -> str:
    return "x" * (weight * _PADDING[number % len(_PADDING)])
