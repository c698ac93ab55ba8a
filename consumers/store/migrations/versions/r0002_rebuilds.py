"""What jobs are to be folded anew, and of which version a partition's documents are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add a table and a column."""
    op.add_column("checkpoint", sa.Column("version", sa.Integer))
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "rebuild",
        sa.Column("no", kind, sa.Identity(), nullable=False),
        sa.Column("projection", sa.Text, nullable=False),
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("is_rollback", sa.Boolean, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("difference", sa.Text),
        sa.PrimaryKeyConstraint("no", name="rebuild_pkey"),
        sa.UniqueConstraint("projection", "job_id", name="rebuild_projection_job_id_key"),
    )
    op.create_index("rebuild_order", "rebuild", ["projection", "no"])
    due = sa.column("outcome", sa.Text).is_(None)
    op.create_index(
        "rebuild_due",
        "rebuild",
        ["projection", "partition"],
        sqlite_where=due,
        postgresql_where=due,
    )
