"""What a caller may do: each route names here what it needs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request

from consumers.api import parameters
from consumers.api.guard import is_same_origin
from consumers.api.problems import Problem, not_found, unprocessable
from consumers.api.tokens import Caller
from synapse_stream.entries.keys import LONGEST_JOB_ID, TRAIL, is_job_id
from synapse_stream.events.plain import describe

_A_JOB_ID = (
    f"1 to {LONGEST_JOB_ID} characters, none of them white space, invisible, a slash or a brace, "
    f"and not {TRAIL!r}, which is the operators' trail"
)


def caller_of(request: Request) -> Caller:
    """Return who asks."""
    found: Caller = request.state.caller
    return found


def reader_of(request: Request) -> Caller:
    """Return who asks to read.

    Raises:
        Problem: its token is for appending only.
    """
    caller = caller_of(request)
    if caller.role is None:
        detail = f"the token {caller.name} may append, and read nothing"
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    return caller


def operator_of(request: Request) -> Caller:
    """Return who asks for what only an operator of all jobs may.

    Raises:
        Problem: it is none.
    """
    caller = caller_of(request)
    if not caller.is_operator or caller.jobs is not None:
        raise Problem(HTTPStatus.FORBIDDEN, f"this is for operators, and {caller.name} is none")
    if not is_same_origin(request.headers):
        raise Problem(HTTPStatus.FORBIDDEN, "another site's page cannot do this")
    return caller


Known = Annotated[Caller, Depends(caller_of)]
Asking = Annotated[Caller, Depends(reader_of)]
Operating = Annotated[Caller, Depends(operator_of)]


def visible(job_id: parameters.JobId, caller: Asking) -> str:
    """Return the job's id if the caller may know of it.

    Raises:
        Problem: it may not; the answer is that of a job that is not known.
    """
    if not caller.sees(job_id):
        raise not_found(job_id)
    return job_id


def check_may_append(caller: Caller) -> None:
    """Raise Problem unless the caller may append to any job at all."""
    if not caller.may_append:
        raise Problem(HTTPStatus.FORBIDDEN, f"the token {caller.name} may read, and append nothing")


def check_appendable(caller: Caller, job_id: str) -> None:
    """Raise Problem unless the caller may append to a job, or if no job can have that id."""
    check_may_append(caller)
    if not caller.sees(job_id):
        detail = f"the token {caller.name} is for {caller.jobs!r}, not for job {describe(job_id)}"
        raise Problem(HTTPStatus.FORBIDDEN, detail, allowed={"jobs": caller.jobs})
    if not is_job_id(job_id):
        raise unprocessable("job", job_id, _A_JOB_ID)


def appendable(request: Request, job_id: parameters.JobId) -> str:
    """Return the job's id if the caller may append to it.

    Raises:
        Problem: it may not, or no job can have that id.
    """
    check_appendable(caller_of(request), job_id)
    refuse_foreign_pages(request)
    return job_id


def refuse_foreign_pages(request: Request) -> None:
    """Raise Problem for a request that another site's page has a browser send."""
    if not is_same_origin(request.headers):
        raise Problem(HTTPStatus.FORBIDDEN, "another site's page cannot append here")


VisibleJob = Annotated[str, Depends(visible)]
AppendableJob = Annotated[str, Depends(appendable)]
