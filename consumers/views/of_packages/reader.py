"""What the views of other packages have of jobs, as readers get it.

It is read as it was committed, so that none of their rules runs here. What cannot be read says so
in its place, and the others are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from consumers import views
from consumers.folding.fold import position_in
from consumers.store import jobs, parked
from consumers.store.documents import whole
from consumers.store.schema import job
from consumers.views.of_packages.table import DeclaredTable, Misfit
from synapse_stream.entries.position import BEGINNING
from synapse_stream.ports.views import ViewState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select

    from consumers.store.databases import Databases


def read_view(
    databases: Databases, name: str, job_id: str, *, after: int, limit: int
) -> ViewState | None:
    """Return what a view has of a job, and its first rows behind the number `after`.

    Raises:
        LookupError: there is no such view.
    """
    check_known(name)
    table = databases.table(name)
    with databases.reading(name, f"reading {name} of job {job_id!r}") as connection:
        query = jobs.read(job.c.no).where(jobs.is_of(name, job_id))
        found = connection.execute(query).first()
        if found is None:
            return None
        more: dict[str, Any] = {"parked": parked.count(connection, [job_id], [name]).get(job_id, 0)}
        if isinstance(table, DeclaredTable):
            try:
                page = table.page(connection, found.no, after=after, limit=limit)
                more |= {"rows": page[0], "next": page[1]}
            except Misfit as error:
                more["fault"] = str(error)
    return view_state(name, job_id, whole(found.document, found.body), **more)


def read_jobs(databases: Databases, name: str, *, after: str, limit: int) -> list[ViewState]:
    """Return what a view has of jobs, by their ids, those behind `after`.

    Raises:
        LookupError: there is no such view.
    """
    query = jobs.read(job.c.job_id).where(job.c.projection == name, job.c.job_id > after)
    return _states(databases, name, query.order_by(job.c.job_id).limit(limit))


def read_some(databases: Databases, name: str, job_ids: Sequence[str]) -> list[ViewState]:
    """Return what a view has of some jobs; unknown ones are left out.

    Raises:
        LookupError: there is no such view.
    """
    here = (job.c.projection == name) & job.c.job_id.in_(job_ids)
    return _states(databases, name, jobs.read(job.c.job_id).where(here))


def view_state(name: str, job_id: str, document: bytes, **more: Any) -> ViewState:
    """Return what stands in a document; if that is damaged, this is its fault."""
    try:
        content = orjson.loads(document)
        state = content["view"]["state"]
        position = position_in(content)
        return ViewState(
            name, job_id, content["v"], position, {} if state is None else state, **more
        )
    except (KeyError, TypeError, ValueError) as error:
        fault = (
            f"what {name} has of job {job_id!r} is damaged ({type(error).__name__}); "
            f"synapse-stream rebuild {name} --job {job_id!r} folds it anew"
        )
        return ViewState(name, job_id, 0, BEGINNING, {}, **{**more, "fault": fault})


def check_known(name: str) -> None:
    """Raise LookupError if there is no view of another package of that name here."""
    if name not in views.installed():
        there = f"there is {', '.join(views.installed()) or 'none'}"
        fault = views.faults().get(name)
        msg = fault or f"there is no view {name!r} of another package; {there}"
        raise LookupError(msg)


def _states(databases: Databases, name: str, query: Select[Any]) -> list[ViewState]:
    check_known(name)
    with databases.reading(name, f"reading {name}") as connection:
        found = connection.execute(query).all()
        aside = parked.count(connection, [row.job_id for row in found], [name])
    return [
        view_state(name, row.job_id, whole(row.document, row.body), parked=aside.get(row.job_id, 0))
        for row in found
    ]
