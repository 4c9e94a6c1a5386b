"""What was taken from each peer on a day, until when a peer takes nothing, and its clock."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the defaults stay: SQLite would copy the whole table to drop them
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("quota_day", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("quota_records", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("quota_bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("quota_until", sa.BigInteger(), nullable=True),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.Column("clock_skew", sa.BigInteger(), nullable=True),
    )
    for column in columns:
        op.add_column("peer", column)


def downgrade() -> None:
    """Take back."""
    for name in (
        "clock_skew",
        "paused_until",
        "quota_until",
        "quota_bytes",
        "quota_records",
        "quota_day",
    ):
        op.drop_column("peer", name)
