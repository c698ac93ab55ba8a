"""Metric history as one thing."""

from __future__ import annotations

from consumers.views.metric_history.fold import MetricHistoryView
from consumers.views.metric_history.table import SeriesTable
from consumers.views.port import View

VIEW = View(MetricHistoryView, SeriesTable(), is_costly=True)
