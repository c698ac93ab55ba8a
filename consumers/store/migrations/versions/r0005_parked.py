"""Parked events of a job are counted without reading them."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Have the index say whose they are, too."""
    op.drop_index("parked_job", "parked")
    op.create_index("parked_job", "parked", ["job_id", "projection", "ms", "seq"])
