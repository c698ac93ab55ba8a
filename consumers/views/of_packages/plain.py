"""The state of a view of another package as JSON, which must give the very same again."""

from __future__ import annotations

from math import isfinite
from typing import Any

import orjson

from consumers.folding.checks import Unfit

_LARGEST = 16 * 1024 * 1024
_ADVICE = "a state is a dict of str, int, float, bool, None, lists and dicts"


def encode(state: Any) -> bytes:
    """Return a state as JSON, its keys sorted.

    Raises:
        Unfit: read again it would be another one, or it is above 16 MiB.
    """
    if type(state) is not dict:
        msg = f"its state is {type(state).__name__}; {_ADVICE}"
        raise Unfit(msg)
    try:
        kept = orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
        is_same = orjson.loads(kept) == state
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"its state is not JSON: {error}; {_ADVICE}"
        raise Unfit(msg) from error
    if not is_same:
        msg = f"its state holds {_odd(state) or 'what JSON cannot keep'}; {_ADVICE}"
        raise Unfit(msg)
    if len(kept) > _LARGEST:
        msg = f"its state is {len(kept)} bytes; expected at most {_LARGEST}: list things as rows"
        raise Unfit(msg)
    return kept


def _odd(value: Any, place: str = "state") -> str | None:
    """Return the first thing that is none of JSON's, and where it is."""
    if type(value) is dict:
        inner = ((item, f"{place}[{key!r}]") for key, item in value.items())
    elif type(value) is list:
        inner = ((item, f"{place}[{index}]") for index, item in enumerate(value))
    elif type(value) in {str, int, bool, type(None)} or (type(value) is float and isfinite(value)):
        return None
    else:
        return f"{value!r:.60} at {place}"
    return next((found for item, at in inner if (found := _odd(item, at))), None)
