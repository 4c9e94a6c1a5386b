"""Records that their issuer has withdrawn."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    column: sa.Column[Any] = sa.Column(
        "withdrawn", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("record", column)
    op.create_table(
        "withdrawn",
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("notice_seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["notice_seq"], ["record.record_seq"]),
        sa.PrimaryKeyConstraint("record_id", "notice_seq"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("withdrawn")
    op.drop_column("record", "withdrawn")
