"""Small pictures of a series, made of block characters."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.views import Bucket

_BARS = "▁▂▃▄▅▆▇█"


def extremes(buckets: Sequence[Bucket]) -> list[float | None]:
    """Return a value a bucket: of its extremes the one that stands out; None without any.

    So one point that differs is seen, however many lie in its bucket.
    """
    middles = [
        b.minimum / 2 + b.maximum / 2
        for b in buckets
        if b.minimum is not None and b.maximum is not None
    ]
    usual = median(middles) if middles else 0.0
    return [_standing_out(bucket, usual) for bucket in buckets]


def sparkline(values: Sequence[float | None]) -> str:
    """Draw values in one line; a gap for each that is None."""
    return plot(values, 1)[0]


def plot(values: Sequence[float | None], rows: int) -> list[str]:
    """Draw values in lines, the highest first; a gap for each that is None."""
    finite = [value for value in values if value is not None]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    half = high / 2 - low / 2 or 1.0  # halved, since the difference may be too large for a float
    steps = rows * len(_BARS) - 1
    levels = [
        0 if value is None else 1 + round((value / 2 - low / 2) / half * steps) for value in values
    ]
    return [
        "".join(_cell(level - row * len(_BARS)) for level in levels)
        for row in reversed(range(rows))
    ]


def _cell(level: int) -> str:
    return " " if level <= 0 else _BARS[min(level, len(_BARS)) - 1]


def _standing_out(bucket: Bucket, usual: float) -> float | None:
    if bucket.minimum is None or bucket.maximum is None:
        return None
    is_high = abs(bucket.maximum - usual) >= abs(bucket.minimum - usual)
    return bucket.maximum if is_high else bucket.minimum
