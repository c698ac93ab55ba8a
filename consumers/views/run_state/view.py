"""Run state as one thing."""

from __future__ import annotations

from consumers.views.port import View
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.table import RunTable

VIEW = View(RunStateView, RunTable())
