"""Which job this process reports to, and as whom: what the SDK's drivers and Tune tell."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRIAL = re.compile(r"_(\d+)$")  # Tune's id of a trial: 7c41b_00003


class Place(NamedTuple):
    """A process among those of a job."""

    job_id: str | None
    """None: nobody names a job."""
    rank: int | None = None
    """None: found out as `open_run` does."""
    trial: str | None = None
    """Tune's name of the trial that it runs."""


def this_place(
    job_id: str | None, backend_id: str | None = None, environ: Mapping[str, str] = os.environ
) -> Place:
    """Return where this process stands.

    Args:
        job_id: the job of the stream, if it was named.
        backend_id: the job that the SDK's code names. `SYNAPSE_STREAM_JOB_ID` goes before it,
            `SYNAPSE_JOB_ID` and `RAY_JOB_ID`, which are what its driver takes, behind it.
        environ: the environment variables.
    """
    job_id = (
        job_id
        or environ.get("SYNAPSE_STREAM_JOB_ID")
        or backend_id
        or environ.get("SYNAPSE_JOB_ID")
        or environ.get("RAY_JOB_ID")
    )
    trial = environ.get("SYNAPSE_TRIAL_ID") if environ.get("IS_TUNE") == "true" else None
    if not trial:
        return Place(job_id)
    number = _TRIAL.search(trial)
    # The process that started the trials is rank 0.
    return Place(job_id, int(number[1]) + 1 if number else None, trial)


def action_name(action: type[Any]) -> str:
    """Return the name of an action's class, which the SDK lets be None."""
    return str(getattr(action, "action_name", None) or action.__name__)
