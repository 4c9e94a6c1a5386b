"""The key that each file of the home holds."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    column: sa.Column[Any] = sa.Column("known_keys", sa.Text(), nullable=False, server_default="{}")
    op.add_column("node", column)


def downgrade() -> None:
    """Take back."""
    op.drop_column("node", "known_keys")
