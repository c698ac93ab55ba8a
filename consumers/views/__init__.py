"""The projections: what each of them is stands in its folder; this is the only list of them.

A view is imported when it is asked for, so that to know their names costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consumers.views.port import View

RECORD = "archive"
"""The one that keeps what is recorded; all others are folded from that."""

_HOMES = {
    "run-state": "run_state",
    "metric-history": "metric_history",
    "message-feed": "message_feed",
    RECORD: "archive",
}


def names() -> tuple[str, ...]:
    """Return the names of all projections, that of the record last."""
    return tuple(_HOMES)


def folded() -> tuple[str, ...]:
    """Return the names of those that are folded from what is recorded."""
    return tuple(name for name in _HOMES if name != RECORD)


def find(name: str) -> View:
    """Return the view of a name.

    Raises:
        KeyError: there is none.
    """
    view: View = import_module(f"consumers.views.{_HOMES[name]}.view").VIEW
    return view
