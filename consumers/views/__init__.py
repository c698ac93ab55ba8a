"""The projections: what each of them is stands in its folder; this is the only list of them.

Beside ours there are those of other packages, which name them by entry points; one of them that
cannot be had here counts among the faults, not among the projections. Ours are imported when they
are asked for.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from consumers.views.of_packages.view import Installed
    from consumers.views.port import View

RECORD = "archive"
"""The one that keeps what is recorded; all others are folded from that."""

_OURS = {
    "run-state": "run_state",
    "metric-history": "metric_history",
    "message-feed": "message_feed",
    RECORD: "archive",
}


def names() -> tuple[str, ...]:
    """Return the names of all projections, that of the record last."""
    return (*folded(), RECORD)


def folded() -> tuple[str, ...]:
    """Return the names of those that are folded from what is recorded."""
    return (*(name for name in _OURS if name != RECORD), *installed())


def installed() -> tuple[str, ...]:
    """Return the names of those of other packages, in order."""
    return tuple(others().views)


def faults() -> dict[str, str]:
    """Return what is wrong with views of other packages that are left out, by their names."""
    return dict(others().faults)


def find(name: str) -> View:
    """Return the view of a name.

    Raises:
        ConfigError: there is none, or that of another package cannot be had; the message says why.
    """
    if name in _OURS:
        view: View = import_module(f"consumers.views.{_OURS[name]}.view").VIEW
        return view
    found = others()
    if name not in found.views:
        msg = found.faults.get(name) or (
            f"there is no view {name!r}; there is {', '.join((*_OURS, *found.views))}"
        )
        raise ConfigError(msg)
    return found.views[name]


@cache
def others() -> Installed:
    """Return the views of other packages as they were found when this was called first."""
    found: Installed = import_module("consumers.views.of_packages.view").installed(_OURS)
    return found
