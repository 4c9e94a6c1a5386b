"""How far the offers of a peer have been counted, so that counting may follow release."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CONTENT = ("record_seq", "section", "content")


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    counted = sa.Column("counted", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("peer", counted)
    op.execute("UPDATE peer SET counted = offered")
    for name in _CONTENT:
        op.drop_column("gathered", name)


def downgrade() -> None:
    """Take back."""
    for name in _CONTENT:
        op.add_column(
            "gathered", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
        )
    op.drop_column("peer", "counted")
