"""The tables: one schema for SQLite and PostgreSQL, and the same in every SQLite file.

Changed only together with a new file in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    false,
)

from consumers.store.kinds import Bytes, Number, Ordered, Step, Words

HEAD = "0006"
"""The newest migration; what this program knows."""

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "uq": "%(table_name)s_%(column_0_N_name)s_key"}
)


def _required(name: str, kind: Any, **options: Any) -> Column[Any]:
    return Column(name, kind, nullable=False, **options)


def _number() -> Column[Any]:
    return Column("no", Number, Identity(), primary_key=True)


def _of_job() -> Column[Any]:
    return Column("job_no", BigInteger, primary_key=True, autoincrement=False)


deployment = Table(
    "deployment",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),
    _required("namespace", Words),
    _required("partitions", Integer),
)
"""One row: whose streams these views are of."""

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("projection", Words, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("owner", Words),
    _required("epoch", BigInteger),
    _required("lease_until", BigInteger),
    _required("ms", BigInteger),
    _required("seq", BigInteger),
    Column("committed", BigInteger),
    _required("commits", BigInteger),
    Column("version", Integer),
)
"""`version`: of the projection, when all documents of the partition are known to be of it."""

member = Table(
    "member",
    metadata,
    Column("projection", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    _required("alive_until", BigInteger),
)

job = Table(
    "job",
    metadata,
    _number(),
    _required("projection", Words),
    _required("job_id", Words),
    _required("partition", Integer),
    _required("document", Bytes),
    UniqueConstraint("projection", "job_id"),
)
"""What a projection must remember of a job to go on, as `documents` stores it."""

change = Table("change", metadata, _of_job(), _required("body", Bytes))
"""What has changed of a large document since it was written whole."""

run = Table(
    "run",
    metadata,
    _of_job(),
    _required("job_id", Words),
    *(_required(name, BigInteger) for name in ("ms", "seq")),
    _required("status", Words),
    Column("action", Words),
    _required("shed", BigInteger),
    Column("brief", Bytes),
    Index("run_age", "ms", "seq", "job_no"),
    Index("run_status", "status", "ms", "seq", "job_no"),
)
"""What jobs are listed by. `shed`: events given up; `brief`: what is shown of a large document."""

Index("run_shed", run.c.shed, sqlite_where=run.c.shed > 0, postgresql_where=run.c.shed > 0)

mark = Table(
    "mark",
    metadata,
    *(_required(name, BigInteger) for name in ("job_no", "ms", "seq", "time")),
    _required("hash", Bytes),
    _required("document", Bytes),
    Index("mark_place", "job_no", "ms", "seq", unique=True),
)
"""Run states of before: `document` is a zstd frame of that of a fold up to the end of an entry."""

lane = Table(
    "lane",
    metadata,
    _number(),
    _required("job_no", BigInteger),
    _required("kind", Words),
    _required("level", Words),
    Column("step", Words),
    Index("lane_job", "job_no"),
)
"""What messages of a job have in common."""

message = Table(
    "message",
    metadata,
    _required("lane_no", BigInteger),
    _required("ms", BigInteger),
    _required("seq", BigInteger),
    _required("line", Integer),
    _required("number", BigInteger),
    _required("time", BigInteger),
    _required("content", Words),
    Column("rest", Words),
    Index("message_place", "lane_no", "ms", "seq", "line", "number", unique=True),
)
"""`rest` is JSON with what most messages do not have."""

series = Table(
    "series",
    metadata,
    _number(),
    _required("job_no", BigInteger),
    _required("partition", Integer),
    _required("attempt", Integer),
    _required("rank", Integer),
    _required("step", Step),
    _required("name", Ordered),
    _required("is_loose", Boolean, server_default=false()),
    Index("series_key", "job_no", "attempt", "rank", "step", "name", unique=True),
)
"""`is_loose`: small chunks have come that can be merged."""

Index(
    "series_loose",
    series.c.partition,
    sqlite_where=series.c.is_loose,
    postgresql_where=series.c.is_loose,
)

chunk = Table(
    "chunk",
    metadata,
    _required("series_no", BigInteger),
    _required("number", BigInteger),
    *(_required(name, BigInteger) for name in ("first_ms", "first_seq", "first_line")),
    *(_required(name, BigInteger) for name in ("last_ms", "last_seq", "last_line")),
    Column("v_sum", Double),
    _required("points", Integer),
    _required("v_min", Double),
    _required("v_max", Double),
    Column("v_last", Double),
    *(_required(name, Integer) for name in ("nans", "positive", "negative")),
    *(_required(name, BigInteger) for name in ("t_min", "t_max")),
    _required("xs", Integer),
    _required("x_min", Double),
    _required("x_max", Double),
    _required("outline", Bytes),
    _required("body", Bytes),
    Index("chunk_place", "series_no", "number", unique=True),
)
"""NaN is NULL here, on PostgreSQL too: SQLite knows no NaN. What is large stands last, so that
reading the numbers does not touch it."""

block = Table(
    "block",
    metadata,
    _required("job_no", BigInteger),
    _required("start", BigInteger),
    _required("partition", Integer),
    *(_required(name, BigInteger) for name in ("first_ms", "first_seq", "last_ms", "last_seq")),
    *(_required(name, Integer) for name in ("entries", "size")),
    _required("is_loose", Boolean),
    _required("digest", Bytes),
    _required("body", Bytes),
    Index("block_place", "job_no", "start", unique=True),
    Index("block_span", "job_no", "last_ms", "last_seq", "first_ms", "first_seq", "start"),
)
"""Entries of the archive. `start`: how many of the job stand before; `is_loose`: can be merged."""

Index(
    "block_loose",
    block.c.partition,
    block.c.job_no,
    sqlite_where=block.c.is_loose,
    postgresql_where=block.c.is_loose,
)

removed = Table(
    "removed",
    metadata,
    _of_job(),
    *(_required(name, BigInteger) for name in ("entries", "ms", "seq", "time")),
)
"""What was removed from the archive: so many entries of a job, up to that id, and when."""

parked = Table(
    "parked",
    metadata,
    _number(),
    _required("projection", Words),
    _required("partition", Integer),
    _required("job_id", Words),
    _required("ms", BigInteger),
    _required("seq", BigInteger),
    _required("line", Integer),
    Column("producer", Words),
    Column("number", BigInteger),
    _required("reason", Words),
    _required("raw", Bytes),
    _required("attempts", Integer),
    _required("is_marked", Boolean, server_default=false()),
    _required("time", BigInteger),
    Index("parked_job", "job_id", "projection", "ms", "seq"),
)

rebuild = Table(
    "rebuild",
    metadata,
    _number(),
    _required("projection", Words),
    _required("job_id", Words),
    _required("partition", Integer),
    _required("is_rollback", Boolean),
    _required("times", Integer),
    Column("outcome", Words),
    Column("difference", Words),
    UniqueConstraint("projection", "job_id"),
    Index("rebuild_order", "projection", "no"),
)
"""Jobs that were to be folded anew. `times`: how often that was asked for; `outcome` is NULL until
it is done."""

Index(
    "rebuild_due",
    rebuild.c.projection,
    rebuild.c.partition,
    sqlite_where=rebuild.c.outcome.is_(None),
    postgresql_where=rebuild.c.outcome.is_(None),
)

EVERY_JOB = ""
"""In the place of a job's id, where all jobs of a projection are meant: no job has that one."""

damage = Table(
    "damage",
    metadata,
    Column("projection", Words, primary_key=True),
    Column("job_id", Words, primary_key=True),
    _required("text", Words),
    _required("time", BigInteger),
)
"""Jobs of which something that is stored cannot be read: what, and since when that is known."""
