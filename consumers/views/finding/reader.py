"""Runs found, each with what a list shows of it and its values in the fields that were named."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from consumers.store.schema import run
from consumers.store.sql import slices
from consumers.views.finding import groups
from consumers.views.finding.conditions import stat_of
from consumers.views.finding.query import Search, find
from consumers.views.finding.tables import METRICS, PROJECTION, InOrder, tables
from consumers.views.run_state.table import read_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from consumers.store.databases import Databases
    from consumers.store.engine import Database
    from consumers.views.finding.query import Found, Given
    from synapse_stream.ports.filters.fields import Field
    from synapse_stream.ports.filters.search import Group, Wanted

Page = tuple[list[tuple[str, dict[str, Any]]], str | None]
"""Runs, each with its values by field, and the job to go on behind."""


def read(
    databases: Databases,
    wanted: Wanted,
    given: Given,
    *,
    after: str | None,
    limit: int,
    sees: Callable[[str], bool],
) -> Page:
    """Return the first runs behind the job `after` that `sees` lets through, with their values.

    Raises:
        ValueError: there is no job `after`.
    """
    if not databases.is_founded(PROJECTION):
        return [], None
    found: list[Found] = []
    with _database(databases, wanted).read("finding runs") as connection:
        while len(found) <= limit:
            most = limit + 1 - len(found)
            page = find(connection, wanted, given, after=after, limit=most)
            found += [one for one in page if sees(one.job_id)]
            if len(page) < most:
                break
            after = page[-1].job_id
        shown = found[:limit]
        values = _values(connection, wanted.fields, shown)
    following = shown[-1].job_id if len(found) > limit and shown else None
    return [(one.job_id, values[one.job_no]) for one in shown], following


def read_groups(
    databases: Databases, wanted: Wanted, by: Field, given: Given, *, limit: int
) -> list[Group]:
    """Return the groups by a field that most of the wanted runs are in."""
    with _database(databases, wanted, by).read("grouping runs") as connection:
        search = Search(connection, wanted, given)
        return groups.read(connection, search, by, wanted.columns, limit)


def _database(databases: Databases, wanted: Wanted, *more: Field) -> Database:
    if any(field.kind == "metrics" for field in (*wanted.fields, *more)):
        return databases.joined(PROJECTION, METRICS)
    return databases.of(PROJECTION)


def _values(
    connection: Connection, fields: Sequence[Field], found: Sequence[Found]
) -> dict[int, dict[str, Any]]:
    numbers = [one.job_no for one in found]
    facts = read_facts(connection, numbers, [field.name for field in fields])
    metrics = _metrics(connection, [one for one in fields if one.kind == "metrics"], numbers)
    plain = _plain(connection, numbers)
    values: dict[int, dict[str, Any]] = {}
    for no in numbers:
        known = {name: fact.value for name, fact in facts.get(no, {}).items()} | plain.get(no, {})
        of_metrics = metrics.get(no, {})
        values[no] = {
            str(one): of_metrics.get(one) if one.kind == "metrics" else known.get(one.name)
            for one in fields
        }
    return values


def _plain(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    names = ("status", "attempt", "events", "percent", "duration", "started", "ended")
    found: dict[int, dict[str, Any]] = {}
    for some in slices(numbers):
        columns = [run.c[name] for name in names]
        rows = select(run.c.job_no, *columns).where(run.c.job_no.in_(some))
        found.update(
            {no: dict(zip(names, row, strict=True)) for no, *row in connection.execute(rows)}
        )
    return found


def _metrics(
    connection: Connection, fields: Sequence[Field], numbers: Sequence[int]
) -> dict[int, dict[Field, Any]]:
    found: dict[int, dict[Field, Any]] = {}
    if not fields:
        return found
    known = tables(connection)
    job, peak = known.job, known.peak
    named = peak.c.name.in_([field.path[0] for field in fields])
    by_name: dict[str, list[Field]] = {}
    for field in fields:
        by_name.setdefault(field.path[0], []).append(field)
    stats = [stat_of(peak, kept) for kept in ("last", "min", "max")]
    of_job = (job.c.projection == METRICS) & (job.c.job_id == run.c.job_id)
    of_peak = (peak.c.job_no == job.c.no) & (peak.c.attempt == run.c.attempt)
    source = InOrder(InOrder(run, job, of_job), peak, of_peak & named)
    rows = select(run.c.job_no, peak.c.name, *stats).select_from(source)
    for some in slices(numbers):
        query = rows.where(run.c.job_no.in_(some))
        for no, name, *of_row in connection.execute(query):
            has = dict(zip(("last", "min", "max"), of_row, strict=True))
            has["last"] = nan if has["last"] is None else has["last"]
            for field in by_name[name]:
                found.setdefault(no, {})[field] = has[field.kept]
    return found
