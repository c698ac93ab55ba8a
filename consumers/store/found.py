"""The tables that runs are found in."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Double, Index, Integer, Table

from consumers.store.columns import metadata, of_job, required
from consumers.store.kinds import Ordered, Step, Words

fact = Table(
    "fact",
    metadata,
    of_job(),
    Column("name", Ordered, primary_key=True),
    required("text", Ordered),
    Column("folded", Ordered),
    Column("number", Double),
    required("is_text", Boolean),
    Index("fact_text", "name", "text"),
    sqlite_with_rowid=False,
)
"""What runs are found by: what a job's latest attempt has in a field. `folded`: the text in small
letters, if that is another one; `number`: what it is or reads as."""

Index(
    "fact_number",
    *(fact.c.name, fact.c.number),
    sqlite_where=fact.c.number.is_not(None),
    postgresql_where=fact.c.number.is_not(None),
)

annotation = Table(
    "annotation",
    metadata,
    Column("job_id", Words, primary_key=True),
    required("labels", Words),
    Column("note", Words),
    required("archived", Boolean),
    required("baseline", Boolean),
)
"""What people say of runs. `labels` is JSON. No fold gives it: the operators' trail has it, too."""

peak = Table(
    "peak",
    metadata,
    of_job(),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("name", Ordered, primary_key=True),
    required("rank", Integer),
    required("step", Step),
    *(Column(name, Double) for name in ("low", "high", "last")),
    *(Index(f"peak_{name}", "name", name) for name in ("low", "high", "last")),
    sqlite_with_rowid=False,
)
"""What a metric of an attempt came to over all its series: lowest, highest, and last value. The
last one is that of the first series, which `rank` and `step` say. NaN is NULL, and so is a lowest
and highest value where no value is finite."""
