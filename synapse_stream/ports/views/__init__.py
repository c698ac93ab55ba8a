"""The views of a job that user interfaces read: their shapes, and the port they come through."""

from __future__ import annotations

from synapse_stream.ports.views.health import LOST_AFTER_MS, SILENT_AFTER_MS, Health, health
from synapse_stream.ports.views.messages import Message, MessagePage, render
from synapse_stream.ports.views.metrics import (
    Axis,
    Bucket,
    Overview,
    Series,
    SeriesKey,
    SeriesSummary,
)
from synapse_stream.ports.views.of_package import ViewState
from synapse_stream.ports.views.port import ServedViews, Views, open_views
from synapse_stream.ports.views.quotas import Beside, Quota
from synapse_stream.ports.views.run_state import (
    ActionState,
    Attempt,
    Completeness,
    CompletenessStatus,
    LostProcess,
    RankState,
    ResumedProcess,
    RunState,
    StepState,
)

__all__ = [
    "LOST_AFTER_MS",
    "SILENT_AFTER_MS",
    "ActionState",
    "Attempt",
    "Axis",
    "Beside",
    "Bucket",
    "Completeness",
    "CompletenessStatus",
    "Health",
    "LostProcess",
    "Message",
    "MessagePage",
    "Overview",
    "Quota",
    "RankState",
    "ResumedProcess",
    "RunState",
    "Series",
    "SeriesKey",
    "SeriesSummary",
    "ServedViews",
    "StepState",
    "ViewState",
    "Views",
    "health",
    "open_views",
    "render",
]
