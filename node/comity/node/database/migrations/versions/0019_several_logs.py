"""An institute may close its log and begin another; other institutes' logs are held by number."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_HELD = "institute, size, root, note, witnessed_time, halted, passed_over"


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    for name in ("log_number", "used_number"):
        number: sa.Column[Any] = sa.Column(
            name, sa.BigInteger(), nullable=False, server_default="0"
        )
        op.add_column("log_head", number)
    op.execute("ALTER TABLE log_head RENAME COLUMN passed_over TO told_size")
    op.create_table(
        "closed_log",
        sa.Column("log_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("told_size", sa.BigInteger(), nullable=False),
        sa.Column("halted", sa.Text(), nullable=False),
        sa.Column("closed_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log_number"),
    )

    op.rename_table("witnessed_log", "old_witnessed_log")
    _make_witnessed_log("institute", "log_number")
    op.execute(
        f"INSERT INTO witnessed_log (log_number, {_HELD}) SELECT 0, {_HELD} FROM old_witnessed_log"
    )
    op.drop_table("old_witnessed_log")


def downgrade() -> None:
    """Take back."""
    op.rename_table("witnessed_log", "new_witnessed_log")
    _make_witnessed_log("institute")
    op.execute(
        f"INSERT INTO witnessed_log ({_HELD}) "
        f"SELECT {_HELD} FROM new_witnessed_log WHERE log_number = 0"
    )
    op.drop_table("new_witnessed_log")

    op.drop_table("closed_log")
    op.execute("ALTER TABLE log_head RENAME COLUMN told_size TO passed_over")
    op.drop_column("log_head", "used_number")
    op.drop_column("log_head", "log_number")


def _make_witnessed_log(*primary: str) -> None:
    number: list[sa.Column[Any]] = [
        sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
        for name in primary[1:]
    ]
    op.create_table(
        "witnessed_log",
        sa.Column("institute", sa.String(length=253), nullable=False),
        *number,
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("witnessed_time", sa.BigInteger(), nullable=False),
        sa.Column("halted", sa.Text(), nullable=False),
        sa.Column("passed_over", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*primary),
    )
