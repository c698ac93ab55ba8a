"""The pure projections, one a file: events in, changes out; no clock, no I/O, no logging."""

from __future__ import annotations

from typing import TYPE_CHECKING

from consumers.views.message_feed.fold import MessageFeedView
from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.run_state.fold import RunStateView

if TYPE_CHECKING:
    from consumers.folding.port import JobView

PROJECTIONS: dict[str, type[JobView]] = {
    view.name: view for view in (RunStateView, MetricHistoryView, MessageFeedView)
}
"""Name → view."""
