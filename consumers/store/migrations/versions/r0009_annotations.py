"""What people say of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create a table."""
    op.create_table(
        "annotation",
        sa.Column("job_id", sa.Text, nullable=False),
        sa.Column("labels", sa.Text, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("baseline", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="annotation_pkey"),
    )
