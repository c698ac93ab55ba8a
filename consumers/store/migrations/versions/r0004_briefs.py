"""What lists show of jobs whose documents are large."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add a column."""
    op.add_column("run", sa.Column("brief", sa.LargeBinary))
