"""Releases are looked up by peer and part, so that those of one peer lie side by side."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _replace("peer", "part_id")
    columns = ["part_id", "class_id", "embargo_time", "origin"]
    op.create_index("part_for_release", "part", columns)


def downgrade() -> None:
    """Take back."""
    op.drop_index("part_for_release", "part")
    _replace("part_id", "peer")


def _replace(*unique: str) -> None:
    op.rename_table("release", "old_release")
    op.create_table(
        "release",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("release_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["part_id"], ["part.part_id"]),
        sa.ForeignKeyConstraint(["ruling_id"], ["ruling.ruling_id"]),
        sa.PrimaryKeyConstraint("peer", "offer_number"),
        sa.UniqueConstraint(*unique),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO release SELECT peer, offer_number, part_id, ruling_id, release_time "
        "FROM old_release ORDER BY peer, offer_number"
    )
    op.drop_table("old_release")
