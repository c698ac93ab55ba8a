"""Bars of tqdm report how far they are: `from synapse_stream.integrations.tqdm import tqdm`."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from tqdm import std

from synapse_stream.integrations.current import Current

if TYPE_CHECKING:
    _Bar = std.tqdm[Any]
else:
    _Bar = std.tqdm

_CURRENT = Current()
_BARE = "progress"
_LAST = "_synapse_stream_last"


def install() -> None:
    """Have every bar report from now on, whichever of tqdm's classes it is of."""
    std.tqdm.refresh = _REFRESH  # type: ignore[method-assign]
    std.tqdm.close = _CLOSE  # type: ignore[method-assign]


def trange(*args: int, **named: Any) -> tqdm:
    """Return a bar over `range(*args)`."""
    return tqdm(range(*args), **named)


def _refreshing(refresh: Any) -> Any:
    @wraps(refresh)
    def refresh_and_report(bar: Any, *args: Any, **named: Any) -> Any:
        drawn = refresh(bar, *args, **named)
        if bar.total:
            report(bar, bar.total)
        return drawn

    return refresh_and_report


def _closing(close: Any) -> Any:
    @wraps(close)
    def report_and_close(bar: Any) -> None:
        if not getattr(bar, "disable", True) and (bar.n or bar.total):  # it was not closed before
            report(bar, bar.total or bar.n)
        close(bar)

    return report_and_close


def report(bar: Any, total: float) -> None:
    """Report where a bar is, unless it was there before."""
    step = (bar.desc or "").strip().removesuffix(":") or _BARE
    place = bar.n, max(bar.n, total), step
    if vars(bar).get(_LAST) != place:
        setattr(bar, _LAST, place)
        _CURRENT.tell("set_progress", *place)


_REFRESH, _CLOSE = _refreshing(std.tqdm.refresh), _closing(std.tqdm.close)


class tqdm(_Bar):  # noqa: N801 - as it is called there
    """A bar as tqdm's own that reports its progress, with its description as the step.

    As often as it is drawn, and when it is closed; one without a total when it is closed. A bar
    that is disabled reports nothing.
    """

    refresh = _REFRESH
    close = _CLOSE
