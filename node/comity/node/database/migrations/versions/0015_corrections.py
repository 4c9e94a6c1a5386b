"""The ruling by which new versions of what a peer has may go, whatever its standing."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("decision", sa.Column("correction_ruling_id", sa.Integer(), nullable=True))
    # every class is decided anew, so that corrections that wait go out
    op.execute("UPDATE peer SET decided = ''")


def downgrade() -> None:
    """Take back."""
    op.drop_column("decision", "correction_ruling_id")
