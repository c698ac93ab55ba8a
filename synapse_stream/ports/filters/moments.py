"""Moments that runs are asked for by: pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from synapse_stream.ports.filters.fields import FilterError

_AGO = re.compile(r"-(\d+(?:\.\d+)?)(s|min|m|h|d)")
_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def moment(value: float | str, now_us: int) -> int:
    """Return a time in µs since the epoch: a number of them, '-2h' before now, or an ISO 8601 text.

    Raises:
        FilterError: it is none.
    """
    if isinstance(value, float):
        return int(value)
    ago = _AGO.fullmatch(value)
    if ago is not None:
        return int(now_us - float(ago[1]) * _UNITS[ago[2]] * 1e6)
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        msg = f"{value!r} is no time; expected one such as '-2h' or '2026-11-25T12:00:00Z'"
        raise FilterError(msg) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1e6)
