"""An index of words and names, and items that keep domain and severity together.

The node fills the index when it starts: a table that is made here is empty, and ``search_index``
says up to which part. PostgreSQL and SQLite each have their own form of ``part_text``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _make_text_table()

    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "item",
        sa.Column("part_id", number, nullable=False),
        sa.Column("domain", sa.String(length=256), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["part_id"], ["part.part_id"]),
        sa.PrimaryKeyConstraint("part_id", "domain", "severity"),
    )
    op.create_index("item_by_domain", "item", ["domain", "severity", "part_id"])
    op.create_index("item_by_severity", "item", ["severity", "part_id"])

    op.create_table(
        "search_index",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO search_index SELECT 1, 1, 0, coalesce(max(part_id), 0) FROM part")

    op.drop_table("part_domain")
    op.drop_index("ix_part_severity", "part")
    op.drop_column("part", "severity")
    op.drop_column("part", "words")
    op.drop_column("record", "model")


def _make_text_table() -> None:
    if op.get_context().dialect.name == "sqlite":
        # the words come folded and parted by spaces, so nothing but spaces may part them; their
        # text is not kept, since it can be made again from the record
        op.execute(
            "CREATE VIRTUAL TABLE part_text USING fts5(words, names, content='', tokenize='ascii')"
        )
        return
    op.execute(
        "CREATE TABLE part_text "
        "(part_id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL, names TSVECTOR NOT NULL)"
    )
    op.execute("CREATE INDEX part_text_words ON part_text USING GIN (words)")
    op.execute("CREATE INDEX part_text_names ON part_text USING GIN (names)")


def downgrade() -> None:
    """Take back: the columns are there again, and empty."""
    op.add_column("record", sa.Column("model", sa.Text(), nullable=False, server_default=""))
    op.add_column("part", sa.Column("words", sa.Text(), nullable=False, server_default=""))
    op.add_column("part", sa.Column("severity", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_part_severity", "part", ["severity"])
    op.create_table(
        "part_domain",
        sa.Column("domain", sa.String(length=256), nullable=False),
        sa.Column("part_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["part_id"], ["part.part_id"]),
        sa.PrimaryKeyConstraint("domain", "part_id"),
    )
    for table in ("search_index", "item", "part_text"):
        op.drop_table(table)
