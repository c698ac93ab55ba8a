"""What counts as a number: whatever a plugin may measure with, told by what it can do."""

from __future__ import annotations

from math import isfinite, nan
from typing import Any

from synapse_stream.events.tags import SAFE_INTEGER, nearest_float


def as_number(value: Any) -> int | float | None:
    """Return an exact int or float, or None for what is no number; never raises.

    NumPy and PyTorch scalars, one-element arrays, Decimal, Fraction and bool are numbers; what a
    masked array hides is NaN.
    """
    try:
        return _convert(value)
    except Exception:  # noqa: BLE001 - an array of several elements, or any foreign code
        return None


def as_double(number: float) -> int | float:
    """Return a number as every JSON reader holds it: a large int as the nearest double."""
    return number if -SAFE_INTEGER <= number <= SAFE_INTEGER else nearest_float(number)


def usable_total(total: Any) -> int | float | None:
    """Return a total that progress can be a share of, None for anything else."""
    number = as_number(total)
    if number is None or not number > 0 or not isfinite(as_double(number)):
        return None
    return number


def _convert(value: Any) -> int | float | None:
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    kind = type(value)
    if getattr(getattr(value, "dtype", None), "kind", "") in {"m", "M"}:
        return None  # a date or duration: its item() may be a bare count of nanoseconds
    if hasattr(kind, "filled") and bool(value.mask):
        return nan
    if hasattr(kind, "item"):
        value = value.item()
        if isinstance(value, int):
            return int.__int__(value)
    return nearest_float(value) if hasattr(type(value), "__float__") else None
