"""What `plan` accepts: steps that will come, each with its weight, or only their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any

from synapse_stream.events.numeric import as_double, as_number
from synapse_stream.events.plain import describe
from synapse_stream.events.rules import Wrong, step_name

MOST_STEPS = 1_000


def plan(steps: Any, wrong: list[Wrong] | None = None) -> dict[str, Any]:
    """Check `plan`; return the fields of its event: `steps`, name → weight, or null for none.

    A wrong weight costs itself: the step is announced without one. Behind the first 1,000 steps
    none is announced.

    Raises:
        TypeError: `steps` is neither a mapping nor a list of names, a name no text, a weight no
            number; of the latter two only without `wrong`.
        ValueError: a weight is not above 0, or there are more steps; only without `wrong`.
    """
    if isinstance(steps, Mapping):
        pairs = list(steps.items())
    elif isinstance(steps, Iterable) and not isinstance(steps, (str, bytes)):
        pairs = [(name, None) for name in steps]
    else:
        msg = f"steps must be a mapping of names to weights, or names, not {_shown(steps)}"
        raise TypeError(msg)
    if len(pairs) > MOST_STEPS:
        why = f"{len(pairs)} steps are more than the {MOST_STEPS} that are shown"
        _refuse("steps", len(pairs), ValueError(why), wrong)
    planned: dict[str, float | None] = {}
    for name, weight in pairs[:MOST_STEPS]:
        planned[step_name(name, wrong) or ""] = _weight(name, weight, wrong)
    return {"steps": planned} if planned else {}


def _weight(name: Any, weight: Any, wrong: list[Wrong] | None) -> float | None:
    if weight is None:
        return None
    number = as_number(weight)
    if number is not None and as_double(number) > 0 and isfinite(as_double(number)):
        return as_double(number)
    why = f"the weight of {describe(name)} must be a finite number above 0, not {_shown(weight)}"
    kind = TypeError if number is None else ValueError
    _refuse(f"steps[{describe(name)}]", weight, kind(why), wrong)
    return None


def _refuse(parameter: str, value: Any, error: Exception, wrong: list[Wrong] | None) -> None:
    if wrong is None:
        raise error
    wrong.append(Wrong(parameter, value, str(error)))


def _shown(value: Any) -> str:
    return f"{describe(value)} ({type(value).__name__})"
