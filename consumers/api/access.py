"""Who may see what."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple

from fastapi import Depends, Request

from consumers.api import parameters
from consumers.api.problems import not_found


class Role(StrEnum):
    """What a caller may do; each may what those before it may."""

    VIEWER = "viewer"
    DEVELOPER = "developer"
    """Sees dev events and log entries, too."""
    OPERATOR = "operator"


class Caller(NamedTuple):
    """Who asks."""

    name: str
    role: Role
    jobs: str | None = None
    """Pattern of the jobs that it may see, as in `team-a/*`; None means all."""

    @property
    def is_developer(self) -> bool:
        """True when it sees what is meant for developers."""
        return self.role is not Role.VIEWER

    def sees(self, job_id: str) -> bool:
        """Tell whether it may know of a job."""
        return self.jobs is None or fnmatchcase(job_id, self.jobs)


ANYONE_HERE = Caller("this machine", Role.OPERATOR)


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    found: Caller = request.state.caller
    return found


Asking = Annotated[Caller, Depends(caller_of)]


def visible(job_id: parameters.JobId, caller: Asking) -> str:
    """Return the job's id if the caller may know of it.

    Raises:
        Problem: it may not; the answer is that of a job that is not known.
    """
    if not caller.sees(job_id):
        raise not_found(job_id)
    return job_id


VisibleJob = Annotated[str, Depends(visible)]
