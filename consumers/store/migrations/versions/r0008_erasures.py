"""Lines that are to be erased, and were."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create a table."""
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "erasure",
        sa.Column("no", kind, sa.Identity(), nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("ms", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("until_ms", sa.BigInteger),
        sa.Column("until_seq", sa.BigInteger),
        sa.PrimaryKeyConstraint("no", name="erasure_pkey"),
        sa.UniqueConstraint("job_id", "ms", "seq", "line", name="erasure_job_id_ms_seq_line_key"),
    )
