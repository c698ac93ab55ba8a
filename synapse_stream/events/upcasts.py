"""Events of older versions as the newest one: step by step, when they are read.

What is recorded is never changed. When a type gets version n + 1, its step from n is added to
`STEPS` and stays for ever, with a golden line of each version that was written; the versions of the
projections that read the type are raised, so that their views are rebuilt.

A step is pure: it takes the event's JSON object, which becomes its own, and returns that of the
next version. `v` it need not set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    Step = Callable[[dict[str, Any]], dict[str, Any]]

STEPS: dict[tuple[str, int], Step] = {}
"""Type and version → the step to the next version. No type has a second version yet."""


def upcast(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event as the newest version that there are steps to, others as they are.

    Raises:
        DecodeError: a step could not make anything of it.
    """
    kind, version = event.get("type"), event.get("v")
    while type(kind) is str and type(version) is int and (kind, version) in STEPS:
        try:
            event = STEPS[kind, version](event)
        except Exception as error:
            msg = f"event of type {kind!r} and version {version} is damaged: {error!r}"
            raise DecodeError(msg) from error
        version += 1
        event["v"] = version
    return event
