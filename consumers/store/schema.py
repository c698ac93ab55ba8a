"""The tables: one schema for SQLite and PostgreSQL, and the same in every SQLite file.

Changed only together with a new file in `migrations/versions`; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    Table,
    UniqueConstraint,
    false,
)

from consumers.store import found  # noqa: F401 - it has two of the tables
from consumers.store.columns import metadata, number, of_job, required
from consumers.store.kinds import Bytes, Ordered, Step, Words

HEAD = "0009"
"""The newest migration; what this program knows."""

deployment = Table(
    "deployment",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),
    required("namespace", Words),
    required("partitions", Integer),
)
"""One row: whose streams these views are of."""

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("projection", Words, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("owner", Words),
    required("epoch", BigInteger),
    required("lease_until", BigInteger),
    required("ms", BigInteger),
    required("seq", BigInteger),
    Column("committed", BigInteger),
    required("commits", BigInteger),
    Column("version", Integer),
)
"""`version`: of the projection, when all documents of the partition are known to be of it."""

member = Table(
    "member",
    metadata,
    Column("projection", Words, primary_key=True),
    Column("name", Words, primary_key=True),
    required("alive_until", BigInteger),
)

job = Table(
    "job",
    metadata,
    number(),
    required("projection", Words),
    required("job_id", Words),
    required("partition", Integer),
    required("document", Bytes),
    UniqueConstraint("projection", "job_id"),
)
"""What a projection must remember of a job to go on, as `documents` stores it."""

change = Table("change", metadata, of_job(), required("body", Bytes))
"""What has changed of a large document since it was written whole."""

run = Table(
    "run",
    metadata,
    of_job(),
    required("job_id", Words),
    *(required(name, BigInteger) for name in ("ms", "seq")),
    required("status", Words),
    Column("action", Words),
    required("shed", BigInteger),
    Column("brief", Bytes),
    Column("attempt", Integer),
    Column("events", BigInteger),
    *(Column(name, Double) for name in ("percent", "duration")),
    *(Column(name, BigInteger) for name in ("started", "ended")),
    Column("digest", Bytes),
    Index("run_age", "ms", "seq", "job_no"),
    Index("run_status", "status", "ms", "seq", "job_no"),
    Index("run_name", "job_id"),
)
"""What jobs are listed and found by. `shed`: events given up; `brief`: what is shown of a large
document; `digest`: of the facts of the job, so that they are written when they are others."""

Index("run_shed", run.c.shed, sqlite_where=run.c.shed > 0, postgresql_where=run.c.shed > 0)

mark = Table(
    "mark",
    metadata,
    *(required(name, BigInteger) for name in ("job_no", "ms", "seq", "time")),
    required("hash", Bytes),
    required("document", Bytes),
    Index("mark_place", "job_no", "ms", "seq", unique=True),
)
"""Run states of before: `document` is a zstd frame of that of a fold up to the end of an entry."""

lane = Table(
    "lane",
    metadata,
    number(),
    required("job_no", BigInteger),
    required("kind", Words),
    required("level", Words),
    Column("step", Words),
    Index("lane_job", "job_no"),
)
"""What messages of a job have in common."""

message = Table(
    "message",
    metadata,
    required("lane_no", BigInteger),
    required("ms", BigInteger),
    required("seq", BigInteger),
    required("line", Integer),
    required("number", BigInteger),
    required("time", BigInteger),
    required("content", Words),
    Column("rest", Words),
    Index("message_place", "lane_no", "ms", "seq", "line", "number", unique=True),
)
"""`rest` is JSON with what most messages do not have."""

series = Table(
    "series",
    metadata,
    number(),
    required("job_no", BigInteger),
    required("partition", Integer),
    required("attempt", Integer),
    required("rank", Integer),
    required("step", Step),
    required("name", Ordered),
    required("is_loose", Boolean, server_default=false()),
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
    required("series_no", BigInteger),
    required("number", BigInteger),
    *(required(name, BigInteger) for name in ("first_ms", "first_seq", "first_line")),
    *(required(name, BigInteger) for name in ("last_ms", "last_seq", "last_line")),
    Column("v_sum", Double),
    required("points", Integer),
    required("v_min", Double),
    required("v_max", Double),
    Column("v_last", Double),
    *(required(name, Integer) for name in ("nans", "positive", "negative")),
    *(required(name, BigInteger) for name in ("t_min", "t_max")),
    required("xs", Integer),
    required("x_min", Double),
    required("x_max", Double),
    required("outline", Bytes),
    required("body", Bytes),
    Index("chunk_place", "series_no", "number", unique=True),
)
"""NaN is NULL here, on PostgreSQL too: SQLite knows no NaN. What is large stands last, so that
reading the numbers does not touch it."""

block = Table(
    "block",
    metadata,
    required("job_no", BigInteger),
    required("start", BigInteger),
    required("partition", Integer),
    *(required(name, BigInteger) for name in ("first_ms", "first_seq", "last_ms", "last_seq")),
    *(required(name, Integer) for name in ("entries", "size")),
    required("is_loose", Boolean),
    required("digest", Bytes),
    required("body", Bytes),
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
    of_job(),
    *(required(name, BigInteger) for name in ("entries", "ms", "seq", "time")),
)
"""What was removed from the archive: so many entries of a job, up to that id, and when."""

parked = Table(
    "parked",
    metadata,
    number(),
    required("projection", Words),
    required("partition", Integer),
    required("job_id", Words),
    required("ms", BigInteger),
    required("seq", BigInteger),
    required("line", Integer),
    Column("producer", Words),
    Column("number", BigInteger),
    required("reason", Words),
    required("raw", Bytes),
    required("attempts", Integer),
    required("is_marked", Boolean, server_default=false()),
    required("time", BigInteger),
    Index("parked_job", "job_id", "projection", "ms", "seq"),
)

rebuild = Table(
    "rebuild",
    metadata,
    number(),
    required("projection", Words),
    required("job_id", Words),
    required("partition", Integer),
    required("is_rollback", Boolean),
    required("times", Integer),
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
    required("text", Words),
    required("time", BigInteger),
)
"""Jobs of which something that is stored cannot be read: what, and since when that is known."""

erasure = Table(
    "erasure",
    metadata,
    number(),
    required("job_id", Words),
    required("partition", Integer),
    *(required(name, BigInteger) for name in ("ms", "seq")),
    required("line", Integer),
    required("reason", Words),
    required("by", Words),
    required("time", BigInteger),
    Column("outcome", Words),
    *(Column(name, BigInteger) for name in ("until_ms", "until_seq")),
    UniqueConstraint("job_id", "ms", "seq", "line"),
)
"""Lines that are to be erased. `outcome` is NULL until the archive has done it. `until_ms` and
`until_seq` are the id of the last entry of the stream that may have the line; NULL: none has."""
