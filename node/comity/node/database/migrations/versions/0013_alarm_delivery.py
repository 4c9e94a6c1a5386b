"""Whether an alarm has reached people."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the defaults stay: SQLite would copy the whole table to drop them
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("delivered_time", sa.BigInteger(), nullable=True),
        sa.Column("delivery_attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("retry_time", sa.BigInteger(), nullable=False, server_default="0"),
    )
    for column in columns:
        op.add_column("alarm", column)


def downgrade() -> None:
    """Take back."""
    for name in ("delivered_time", "delivery_attempts", "retry_time"):
        op.drop_column("alarm", name)
