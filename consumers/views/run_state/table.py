"""Run states: what jobs are listed by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from sqlalchemy import delete, select, update

from consumers.store import jobs
from consumers.store import said as annotated
from consumers.store.documents import whole
from consumers.store.found import fact
from consumers.store.schema import job, run
from consumers.store.sql import RowWriter, driver_of, slices
from consumers.store.table import Table
from consumers.views.run_state.fold import RunStateView
from consumers.views.run_state.told import Told, facts_of, told
from synapse_stream.ports.annotations import NOTHING
from synapse_stream.ports.filters.facts import Fact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from consumers.store.jobs import JobWrite
    from synapse_stream.ports.annotations import Annotation, Change

_OF_JOB = ("job_no", "job_id", "ms", "seq")
_COLUMNS = (*_OF_JOB, *Told._fields)
_UPDATE = """
ON CONFLICT (job_no) DO UPDATE SET job_id = excluded.job_id, """ + ", ".join(
    f"{name} = excluded.{name}" for name in Told._fields
)
_INSERT = f"INSERT INTO run ({', '.join(_COLUMNS)})"
_SAVE_ON_SQLITE = f"{_INSERT} VALUES ({', '.join('?' * len(_COLUMNS))}) {_UPDATE}"
_TYPES = (
    *("bigint", "text", "bigint", "bigint", "text", "text", "bigint", "bytea", "int", "bigint"),
    *("float8", "float8", "bigint", "bigint", "bytea"),
)
_SAVE_ON_POSTGRES = f"""
{_INSERT} SELECT * FROM unnest({", ".join(f"%s::{kind}[]" for kind in _TYPES)}) {_UPDATE}"""  # noqa: S608
_DIGESTS = "SELECT job_no, digest FROM run WHERE job_no"
_DIGESTS_ON_SQLITE = f"{_DIGESTS} IN (SELECT value FROM json_each(?))"  # noqa: S608 - ours
_DIGESTS_ON_POSTGRES = f"{_DIGESTS} = ANY(%s::bigint[])"
_facts = RowWriter(fact)


class RunTable(Table):
    """A row a job, and what it is found by."""

    def show(self, connection: Connection, jobs: Sequence[tuple[int, JobWrite]]) -> None:
        """List jobs, or note what is new of them.

        A job of which no event could be folded yet is not listed.
        """
        contents = {no: orjson.loads(written.document) for no, written in jobs}
        found = {no: told(written.document, contents[no]) for no, written in jobs}
        records = [
            (no, written.job_id, *written.entry, *it)
            for no, written in jobs
            if (it := found[no]) is not None
        ]
        if not records:
            return
        known = _digests(connection, [record[0] for record in records])
        driver = driver_of(connection)
        if connection.dialect.name == "sqlite":
            driver.executemany(_SAVE_ON_SQLITE, records)
        else:
            columns = [list(column) for column in zip(*records, strict=True)]
            driver.execute(_SAVE_ON_POSTGRES, columns)
        changed = {no: job_id for no, job_id, *_, digest in records if known.get(no) != digest}
        said = annotated.read(connection, list(changed.values()))
        _write_facts(
            connection,
            [
                (no, facts_of(job_id, contents[no], said.get(job_id, NOTHING)))
                for no, job_id in changed.items()
            ],
        )

    def fault(self, connection: Connection, job_no: int, document: bytes) -> str | None:
        """Return what list and facts say otherwise."""
        content = orjson.loads(document)
        if content["v"] != RunStateView.version:
            return None
        expected = told(document, content)
        owner = select(job.c.job_id).where(job.c.no == job_no).scalar_subquery()
        columns = [run.c[name] for name in Told._fields]
        query = select(owner, run.c.job_id, *columns).where(run.c.job_no == job_no)
        row = connection.execute(query).first()
        if row is None or expected is None:
            return f"the list has {row!r:.200}" if row or expected else None
        if row[0] != row[1] or tuple(row[2:]) != expected:
            return f"the list has {row[1:]!r:.200}"
        said = annotated.read(connection, [row[0]]).get(row[0], NOTHING)
        facts = read_facts(connection, [job_no]).get(job_no)
        return None if facts == facts_of(row[0], content, said) else "facts of it differ"


def annotate(connection: Connection, job_id: str, change: Change) -> Annotation | None:
    """Change what is said of a job, and what it is found by; None for a job that is not known."""
    mine = run.c.job_id == job_id
    locked = connection.execute(update(run).where(mine).values(job_id=job_id))  # commits wait
    if not locked.rowcount:
        return None
    row = connection.execute(jobs.read(job.c.no).where(jobs.is_of(RunStateView.name, job_id))).one()
    said = annotated.read(connection, [job_id]).get(job_id, NOTHING).changed(change)
    annotated.write(connection, job_id, said)
    content = orjson.loads(whole(row.document, row.body))
    _write_facts(connection, [(row.no, facts_of(job_id, content, said))])
    return said


def read_facts(
    connection: Connection, job_nos: Sequence[int], names: Sequence[str] | None = None
) -> dict[int, dict[str, Fact]]:
    """Return what jobs, given by their numbers, are found by; only facts of `names` if given."""
    found: dict[int, dict[str, Fact]] = {}
    query = select(fact.c.job_no, fact.c.name, *(fact.c[name] for name in Fact._fields))
    if names is not None:
        query = query.where(fact.c.name.in_(names))
    for some in slices(job_nos):
        for no, name, *of_name in connection.execute(query.where(fact.c.job_no.in_(some))):
            found.setdefault(no, {})[name] = Fact(*of_name)
    return found


def _digests(connection: Connection, job_nos: Sequence[int]) -> dict[int, bytes | None]:
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        return dict(driver.execute(_DIGESTS_ON_SQLITE, [orjson.dumps(job_nos).decode()]))
    return dict(driver.execute(_DIGESTS_ON_POSTGRES, [job_nos]).fetchall())


def _write_facts(connection: Connection, of_jobs: Sequence[tuple[int, dict[str, Fact]]]) -> None:
    for some in slices([no for no, _ in of_jobs]):
        connection.execute(delete(fact).where(fact.c.job_no.in_(some)))
    rows = [
        (no, name, one.text, _folded(one.text), one.number, one.is_text)
        for no, found in of_jobs
        for name, one in found.items()
    ]
    _facts.write(connection, rows)


def _folded(text: str) -> str | None:
    small = text.lower()
    return None if small == text else small
