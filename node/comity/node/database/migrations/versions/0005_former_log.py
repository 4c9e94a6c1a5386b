"""Checkpoints of a log's former life that are known."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    column = sa.Column("passed_over", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("log_head", column)


def downgrade() -> None:
    """Take back."""
    op.drop_column("log_head", "passed_over")
