"""Columns of series as JSON lists, each encoded at once: number by number takes much longer.

A value that is not finite is written as its name, like a metric. Where there is none, as of an x
that was not given or the minimum of no finite value, null is.
"""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from synapse_stream.events.tags import wire_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.ports.views import Overview, Series


def of_buckets(found: Overview) -> dict[str, bytes]:
    """Return the columns of an overview."""
    columns = zip(_BUCKETS.items(), found.columns.values(), strict=True)
    return {name: encode(column) for (name, encode), column in columns}


def of_points(found: Series) -> dict[str, bytes]:
    """Return every point of a series as columns."""
    return {name: encode(found) for name, encode in POINTS.items()}


def _finite(column: Any) -> bytes:
    """Encode numbers; one that is not finite is none."""
    return orjson.dumps(np.asarray(column), option=orjson.OPT_SERIALIZE_NUMPY)


def _named(column: Any) -> bytes:
    """Encode numbers; one that is not finite by its name."""
    if np.isfinite(column).all():
        return _finite(column)
    return orjson.dumps(list(map(wire_number, column.tolist())))


def _xs(found: Series) -> bytes:
    """Encode places on the axis; NaN is none."""
    if found.xs is None:
        return orjson.dumps([None] * len(found))
    if not np.isinf(found.xs).any():
        return _finite(found.xs)
    return orjson.dumps([None if isnan(x) else wire_number(x) for x in found.xs])


_BUCKETS: dict[str, Callable[[Any], bytes]] = {
    "start": _finite,
    "stop": _finite,
    "points": _finite,
    "min": _finite,
    "max": _finite,
    "last": _named,
    "nans": _finite,
    "positive_infinite": _finite,
    "negative_infinite": _finite,
}
POINTS: dict[str, Callable[[Series], bytes]] = {
    "x": _xs,
    "time": lambda found: _finite(found.times),
    "value": lambda found: _named(found.values),
    "position": lambda found: orjson.dumps(found.positions.texts()),
}
