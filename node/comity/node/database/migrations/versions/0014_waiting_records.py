"""Records that wait, and what peers did not store of what they were given."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the defaults stay: SQLite would copy the whole table to drop them
    state = sa.Column("state", sa.String(length=8), nullable=False, server_default="refused")
    first = sa.Column("first_time", sa.BigInteger(), nullable=False, server_default="0")
    next_try = sa.Column("next_try_time", sa.BigInteger(), nullable=True)
    for column in (state, first, next_try):
        op.add_column("quarantine", column)
    op.create_index("ix_quarantine_next_try_time", "quarantine", ["next_try_time"])

    # until now a record was kept only if it waited; it is tried again at once
    op.execute("UPDATE quarantine SET first_time = quarantine_time")
    op.execute(
        "UPDATE quarantine SET state = 'waiting', next_try_time = 0 WHERE record IS NOT NULL"
    )

    op.create_table(
        "not_stored",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("receipt_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "record_id"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("not_stored")
    op.drop_index("ix_quarantine_next_try_time", "quarantine")
    for name in ("next_try_time", "first_time", "state"):
        op.drop_column("quarantine", name)
