"""The reversible notation for free data: the few Python values that JSON numbers cannot carry.

    NaN, Infinity, -Infinity          {"$float": "NaN"}, {"$float": "Infinity"}, …
    an integer beyond ±(2**53 - 1)    {"$int": "9007199254740993"}
    a user's own {"$float": …}        {"$$float": …}: one more "$", so that nothing is ambiguous

`restore(tag(value)) == value` for every JSON-like value. Beyond ±(2**53 - 1) every parser that
knows only doubles, JavaScript's first, would silently round.
"""

from __future__ import annotations

import re
from math import inf, isfinite, isnan, nan
from typing import Any

SAFE_INTEGER = 2**53 - 1
NON_FINITE = {"NaN": nan, "Infinity": inf, "-Infinity": -inf}

_DECIMAL_BITS = 2000  # about 600 digits: the interpreter may be set to convert no more than 640
_TAG_KEY = re.compile(r"\$+(?:float|int)")


def name_of(number: float) -> str:
    """Return "NaN", "Infinity" or "-Infinity" for a float that is not finite."""
    if isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def wire_number(number: float) -> float | str:
    """Return a metric as it is written: ints beyond the safe range as the nearest double.

    A number that is not finite is written as its bare name: a metric is never a text, so this is
    unambiguous there.
    """
    if isinstance(number, int):
        if -SAFE_INTEGER <= number <= SAFE_INTEGER:
            return number
        number = nearest_float(number)
    return number if isfinite(number) else name_of(number)


def nearest_float(number: Any) -> float:
    """Return the double nearest to `number`; beyond the largest one, that is an infinity."""
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf


def tag_float(number: float) -> float | dict[str, str]:
    """Return a finite float as it is, else its tag."""
    return number if isfinite(number) else {"$float": name_of(number)}


def tag_int(number: int) -> int | dict[str, str]:
    """Return an integer that any JSON reader holds as it is, else its tag (a long one in hex)."""
    if -SAFE_INTEGER <= number <= SAFE_INTEGER:
        return number
    return {"$int": str(number) if number.bit_length() <= _DECIMAL_BITS else hex(number)}


def escape(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return `mapping`, or with one more "$" when it could be taken for a tag."""
    if len(mapping) == 1:
        ((key, value),) = mapping.items()
        if _TAG_KEY.fullmatch(key):
            return {f"${key}": value}
    return mapping


def tag(value: Any) -> Any:
    """Return JSON-like `value` with every tag written; `restore` undoes it."""
    if isinstance(value, dict):
        return escape({key: tag(item) for key, item in value.items()})
    if isinstance(value, list):
        return [tag(item) for item in value]
    if type(value) is float:
        return tag_float(value)
    if type(value) is int:
        return tag_int(value)
    return value


def restore(value: Any) -> Any:
    """Return the value that was tagged: read `$float` and `$int`, take the extra "$" away.

    What only looks like a tag (a foreign producer's `{"$int": "x"}`) is kept as it is.
    """
    if isinstance(value, list):
        return [restore(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((key, item),) = value.items()
        if _TAG_KEY.fullmatch(key):
            return _restore_tag(key, item)
    return {key: restore(item) for key, item in value.items()}


def _restore_tag(key: str, item: Any) -> Any:
    if key == "$float" and isinstance(item, str) and item in NON_FINITE:
        return NON_FINITE[item]
    if key == "$int" and isinstance(item, str):
        try:
            return int(item, 0)
        except ValueError:
            return {key: item}
    return {key.removeprefix("$") if key.startswith("$$") else key: restore(item)}
