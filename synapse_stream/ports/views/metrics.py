"""Metric series, as readers get them: whole, or in buckets that lose no extreme."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from synapse_stream.ports.views.optional import require

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping

    from synapse_stream.entries.position import Positions


class SeriesKey(NamedTuple):
    """What makes points one series."""

    attempt: int
    rank: int
    step: str | None
    name: str


class Axis(StrEnum):
    """What runs along the horizontal axis of a series."""

    X = "step"
    """The x that was given with the point; a point without one is left out."""
    TIME = "time"
    """µs since the epoch."""
    INDEX = "index"
    """0, 1, 2 … in the order of arrival."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """A series without its points."""

    key: SeriesKey
    count: int
    minimum: float | None
    """Smallest finite value; None when there is none."""
    maximum: float | None
    last: float
    has_x: bool
    non_finite: int


@dataclass(frozen=True, slots=True, repr=False)
class Series:
    """All points of a series, in the order of arrival; columns of equal length."""

    key: SeriesKey
    values: array[float]
    times: array[int]
    xs: array[float] | None
    """NaN for points without x; None when no point has one."""
    positions: Positions

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.values)

    def __repr__(self) -> str:
        """Name the series, and tell how many points it has and the last of them."""
        last = f", last {self.values[-1]!r}" if self.values else ""
        return f"<Series {_named(self.key)}: {len(self)} points{last}>"

    def to_numpy(self) -> Any:
        """Return a structured array with the fields `value`, `time` (datetime64[us]) and `x`.

        Raises:
            ModuleNotFoundError: NumPy is not installed.
        """
        np = require("numpy")
        points = np.empty(len(self), [("value", "f8"), ("time", "M8[us]"), ("x", "f8")])
        points["value"] = self.values
        points["time"] = np.asarray(self.times, "i8").view("M8[us]")
        points["x"] = np.nan if self.xs is None else self.xs
        return points


class Bucket(NamedTuple):
    """What lies in one piece of the axis."""

    start: float
    """First and last place on the axis that a point of the bucket has."""
    stop: float
    points: int
    minimum: float | None
    """Of the finite values; None when there is none."""
    maximum: float | None
    last: float
    """Value of the point that arrived last."""
    nans: int
    positive_infinite: int
    negative_infinite: int


@dataclass(frozen=True, slots=True, repr=False)
class Overview:
    """A series in at most so many buckets: no extreme vanishes, and the true count is there."""

    key: SeriesKey
    axis: Axis
    count: int
    """Points in view; on the axis `step` without those that have no x."""
    columns: Mapping[str, Any]
    """The buckets in the order of the axis, an array a field of `Bucket`; empty pieces are left
    out. A minimum and maximum of no finite value are infinite here."""

    @property
    def buckets(self) -> list[Bucket]:
        """The buckets, made anew each time."""
        columns = {name: column.tolist() for name, column in self.columns.items()}
        for name in ("minimum", "maximum"):
            columns[name] = [value if isfinite(value) else None for value in columns[name]]
        return list(map(Bucket._make, zip(*columns.values(), strict=True)))

    def __len__(self) -> int:
        """Return the number of buckets."""
        return len(self.columns["points"])

    def __repr__(self) -> str:
        """Name the series, and tell how many points lie in how many buckets."""
        return f"<Overview {_named(self.key)}: {self.count} points in {len(self)} buckets>"


def _named(key: SeriesKey) -> str:
    """Return a key in one line, however long its names are."""
    step = "" if key.step is None else f" of step {key.step!r:.80}"
    return f"{key.name!r:.80}{step} (attempt {key.attempt}, rank {key.rank})"
