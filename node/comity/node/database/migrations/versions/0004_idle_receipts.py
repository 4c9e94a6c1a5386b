"""Receipts of our own that sign for nothing new, and what a peer gave after another."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "seconded",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("record_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "record_seq"),
        sqlite_with_rowid=False,
    )
    # the default stays: SQLite would copy the whole table to drop it
    op.add_column(
        "receipt", sa.Column("idle", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_index(
        "receipt_idle",
        "receipt",
        ["peer", "receipt_id"],
        sqlite_where=sa.text("idle = 1"),
        postgresql_where=sa.text("idle"),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_index("receipt_idle", "receipt")
    op.drop_column("receipt", "idle")
    op.drop_table("seconded")
