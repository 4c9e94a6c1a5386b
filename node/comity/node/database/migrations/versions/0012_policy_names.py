"""The name of the preset or file that a policy came from."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    column: sa.Column[Any] = sa.Column("name", sa.String(256), nullable=False, server_default="")
    op.add_column("policy", column)


def downgrade() -> None:
    """Take back."""
    op.drop_column("policy", "name")
