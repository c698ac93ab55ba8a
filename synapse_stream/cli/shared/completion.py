"""What the shell completes: the ids of jobs, the newest first."""

from __future__ import annotations

from typing import Annotated

import typer

_MOST = 50


def job_ids(incomplete: str) -> list[str]:
    """Return job ids that begin so; none when the views cannot be read."""
    from synapse_stream.errors import SynapseStreamError
    from synapse_stream.reading.job_views import opened
    from synapse_stream.settings import Settings

    try:
        with opened(Settings.load()) as views:
            found = views.jobs(text=incomplete or None, limit=_MOST)
    except SynapseStreamError:  # the shell has no place for it
        return []
    return [state.job_id for state in found if state.job_id.startswith(incomplete)]


Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", autocompletion=job_ids)]
"""The argument that names a job."""
