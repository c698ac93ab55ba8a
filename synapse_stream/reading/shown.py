"""How a job is shown where Python shows it: briefly at a prompt, as a table in a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from typing import TYPE_CHECKING

from synapse_stream.errors import SynapseStreamError
from synapse_stream.reading.tables import html_table

if TYPE_CHECKING:
    from synapse_stream.ports.history import Moment
    from synapse_stream.ports.views import RunState


class Shown(ABC):
    """Shows the job `job_id`, whose condition is its `state`."""

    job_id: str

    @abstractmethod
    def state(self, at: Moment | None = None) -> RunState | None:
        """Return the job's condition."""

    def __repr__(self) -> str:
        """Name the job; nothing is read."""
        return f"{type(self).__name__}({self.job_id!r})"

    def _repr_html_(self) -> str:
        """Return where the job stands as a table; what cannot be read is said in its place."""
        try:
            state = self.state()
        except SynapseStreamError as error:
            return f"<p><b>{escape(repr(self))}</b>: {escape(str(error))}</p>"
        if state is None:
            return f"<p><b>{escape(repr(self))}</b>: nothing is known of it yet</p>"
        run = state.latest
        shown = {
            "status": str(state.status),
            "percent": run.overall_percent,
            "action": run.action,
            "attempt": run.number,
            "started": run.started,
            "duration": run.duration_seconds,
            "events": run.events,
            "error": run.error,
        }
        return html_table(repr(self), list(shown), [list(shown.values())])
