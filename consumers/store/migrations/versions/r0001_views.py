"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _number() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column("no", kind, sa.Identity(), nullable=False)


def upgrade() -> None:
    """Make every table."""
    _projectors()
    _views()
    _metrics()
    _archive()
    _parked()


def _projectors() -> None:
    op.create_table(
        "deployment",
        sa.Column("no", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("partitions", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("no", name="deployment_pkey"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("committed", sa.BigInteger),
        sa.Column("commits", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("projection", "partition", name="checkpoint_pkey"),
    )
    op.create_table(
        "member",
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("alive_until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("projection", "name", name="member_pkey"),
    )
    op.create_table(
        "job",
        _number(),
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("no", name="job_pkey"),
        sa.UniqueConstraint("projection", "job_id", name="job_projection_job_id_key"),
    )


def _views() -> None:
    op.create_table(
        "run",
        sa.Column("job_no", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("action", sa.Text),
        sa.Column("shed", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job_no", name="run_pkey"),
    )
    op.create_index("run_age", "run", ["ms", "seq", "job_no"])
    op.create_index("run_status", "run", ["status", "ms", "seq", "job_no"])
    some = sa.column("shed", sa.BigInteger) > sa.literal_column("0")
    op.create_index("run_shed", "run", ["shed"], sqlite_where=some, postgresql_where=some)
    op.create_table(
        "mark",
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("job_no", "ms", "seq", "time")
        ),
        sa.Column("hash", sa.LargeBinary, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
    )
    op.create_index("mark_place", "mark", ["job_no", "ms", "seq"], unique=True)
    op.create_table(
        "lane",
        _number(),
        sa.Column("job_no", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("step", sa.Text),
        sa.PrimaryKeyConstraint("no", name="lane_pkey"),
    )
    op.create_index("lane_job", "lane", ["job_no"])
    op.create_table(
        "message",
        sa.Column("lane_no", sa.BigInteger, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("rest", sa.Text),
    )
    place = ["lane_no", "ms", "seq", "line", "number"]
    op.create_index("message_place", "message", place, unique=True)


def _metrics() -> None:
    ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "series",
        _number(),
        sa.Column("job_no", sa.BigInteger, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("step", ordered, nullable=False),
        sa.Column("name", ordered, nullable=False),
        sa.Column("is_loose", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="series_pkey"),
    )
    key = ["job_no", "attempt", "rank", "step", "name"]
    op.create_index("series_key", "series", key, unique=True)
    loose: sa.ColumnClause[bool] = sa.column("is_loose")
    op.create_index(
        "series_loose", "series", ["partition"], sqlite_where=loose, postgresql_where=loose
    )
    whole = [
        *("series_no", "number", "first_ms", "first_seq", "first_line"),
        *("last_ms", "last_seq", "last_line"),
    ]
    op.create_table(
        "chunk",
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in whole),
        sa.Column("v_sum", sa.Double),
        sa.Column("points", sa.Integer, nullable=False),
        sa.Column("v_min", sa.Double, nullable=False),
        sa.Column("v_max", sa.Double, nullable=False),
        sa.Column("v_last", sa.Double),
        sa.Column("nans", sa.Integer, nullable=False),
        sa.Column("positive", sa.Integer, nullable=False),
        sa.Column("negative", sa.Integer, nullable=False),
        sa.Column("t_min", sa.BigInteger, nullable=False),
        sa.Column("t_max", sa.BigInteger, nullable=False),
        sa.Column("xs", sa.Integer, nullable=False),
        sa.Column("x_min", sa.Double, nullable=False),
        sa.Column("x_max", sa.Double, nullable=False),
        sa.Column("outline", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("chunk_place", "chunk", ["series_no", "number"], unique=True)
    if op.get_bind().dialect.name == "postgresql":  # they are compressed already
        op.execute("ALTER TABLE chunk ALTER outline SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE chunk ALTER body SET STORAGE EXTERNAL")


def _archive() -> None:
    whole = ["job_no", "start", "first_ms", "first_seq", "last_ms", "last_seq"]
    op.create_table(
        "block",
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in whole[:2]),
        sa.Column("partition", sa.Integer, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in whole[2:]),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("is_loose", sa.Boolean, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("block_place", "block", ["job_no", "start"], unique=True)
    span = ["job_no", "last_ms", "last_seq", "first_ms", "first_seq", "start"]
    op.create_index("block_span", "block", span)
    loose: sa.ColumnClause[bool] = sa.column("is_loose")
    of = ["partition", "job_no"]
    op.create_index("block_loose", "block", of, sqlite_where=loose, postgresql_where=loose)
    if op.get_bind().dialect.name == "postgresql":  # most of it is compressed already
        op.execute("ALTER TABLE block ALTER body SET STORAGE EXTERNAL")
    op.create_table(
        "removed",
        sa.Column("job_no", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job_no", name="removed_pkey"),
    )


def _parked() -> None:
    op.create_table(
        "parked",
        _number(),
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("producer", sa.Text),
        sa.Column("number", sa.BigInteger),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("raw", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("is_marked", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("no", name="parked_pkey"),
    )
    op.create_index("parked_job", "parked", ["job_id", "ms", "seq"])
