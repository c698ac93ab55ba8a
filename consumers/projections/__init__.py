"""The pure projections, one a file: events in, changes out; no clock, no I/O, no logging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.projections.message_feed import MessageFeedView
from consumers.projections.metric_history import MetricHistoryView
from consumers.projections.run_state import RunStateView

if TYPE_CHECKING:
    from consumers.projections.base import JobView

PROJECTIONS: dict[str, type[JobView]] = {
    view.name: view for view in (RunStateView, MetricHistoryView, MessageFeedView)
}
"""Name → view."""
