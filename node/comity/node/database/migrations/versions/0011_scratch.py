"""What release gathers is scratch of its connection, not a table of the database."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.drop_table("gathered")


def downgrade() -> None:
    """Take back."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "gathered",
        sa.Column("number", number, autoincrement=False, nullable=False),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
