"""Sections that follow their header, and what release gathers before it numbers it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# of what was decided before, some may wait, and some may have been released
_SOME = "2"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "gathered",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("record_seq", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Integer(), nullable=False),
        sa.Column("content", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    follows: sa.Column[Any] = sa.Column(
        "follows", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    backlog: sa.Column[Any] = sa.Column(
        "backlog", sa.Integer(), nullable=False, server_default=_SOME
    )
    _replace_backlog(follows, backlog)
    with op.batch_alter_table("decision") as decision:
        decision.alter_column("follows", server_default=None)
        decision.alter_column("backlog", server_default=None)
    # everything is decided anew, and looked through
    op.execute("UPDATE peer SET decided = ''")


def downgrade() -> None:
    """Take back."""
    op.drop_table("gathered")
    _replace_backlog(sa.Column("backlog", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("decision") as decision:
        decision.drop_column("follows")
        decision.alter_column("backlog", server_default=None)
    op.execute("UPDATE peer SET decided = ''")


def _replace_backlog(*columns: sa.Column[Any]) -> None:
    with op.batch_alter_table("decision") as decision:
        decision.drop_column("backlog")
    with op.batch_alter_table("decision") as decision:
        for column in columns:
            decision.add_column(column)
