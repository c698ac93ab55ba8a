"""What runs are found by; it is made of what was projected before by folding that anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TEXT

revision = "0007"
down_revision = "0006"

_ORDERED = sa.Text().with_variant(TEXT(collation="C"), "postgresql")
_FOLD_ANEW = """
INSERT INTO rebuild (projection, job_id, partition, is_rollback, times)
SELECT DISTINCT projection, '', 0, FALSE, 1 FROM checkpoint
WHERE projection IN ('run-state', 'metric-history')
ON CONFLICT (projection, job_id) DO NOTHING"""


def upgrade() -> None:
    """Create tables and columns, and ask that jobs be folded anew."""
    for name, kind in (
        *(("attempt", sa.Integer), ("events", sa.BigInteger)),
        *(("percent", sa.Double), ("duration", sa.Double)),
        *(("started", sa.BigInteger), ("ended", sa.BigInteger), ("digest", sa.LargeBinary)),
    ):
        op.add_column("run", sa.Column(name, kind))
    op.create_index("run_name", "run", ["job_id"])
    _create_fact()
    _create_peak()
    op.execute(_FOLD_ANEW)


def _create_fact() -> None:
    op.create_table(
        "fact",
        sa.Column("job_no", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("name", _ORDERED, nullable=False),
        sa.Column("text", _ORDERED, nullable=False),
        sa.Column("folded", _ORDERED),
        sa.Column("number", sa.Double),
        sa.Column("is_text", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("job_no", "name", name="fact_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_index("fact_text", "fact", ["name", "text"])
    is_number = sa.text("number IS NOT NULL")
    op.create_index(
        "fact_number",
        "fact",
        ["name", "number"],
        sqlite_where=is_number,
        postgresql_where=is_number,
    )


def _create_peak() -> None:
    op.create_table(
        "peak",
        sa.Column("job_no", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("name", _ORDERED, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("step", _ORDERED, nullable=False),
        *(sa.Column(name, sa.Double) for name in ("low", "high", "last")),
        sa.PrimaryKeyConstraint("job_no", "attempt", "name", name="peak_pkey"),
        sqlite_with_rowid=False,
    )
    for name in ("low", "high", "last"):
        op.create_index(f"peak_{name}", "peak", ["name", name])
