"""Rulings name the version of the policy, of which one text may have had several."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    version = sa.Column("policy_version", sa.Integer(), nullable=False, server_default="0")
    op.add_column("ruling", version)
    # which of the versions with one text decided was not kept
    newest = "SELECT max(version) FROM policy WHERE policy.digest = ruling.policy_digest"
    op.execute(f"UPDATE ruling SET policy_version = coalesce(({newest}), 0)")


def downgrade() -> None:
    """Take back."""
    op.drop_column("ruling", "policy_version")
