"""First tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "handling_class",
        sa.Column("class_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=253), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("header_class_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("class_id"),
        sa.UniqueConstraint("digest"),
    )
    with op.batch_alter_table("handling_class", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_handling_class_header_class_id"), ["header_class_id"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_handling_class_issuer"), ["issuer"], unique=False)

    op.create_table(
        "lease",
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "log_entry",
        sa.Column(
            "log_index",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log_index"),
        sa.UniqueConstraint("record_id"),
    )
    op.create_table(
        "node",
        sa.Column("node_id", sa.Integer(), nullable=False),
        sa.Column("institute", sa.String(), nullable=False),
        sa.Column("epoch", sa.String(), nullable=False),
        sa.Column("commits", sa.BigInteger(), nullable=False),
        sa.Column("window", sa.BigInteger(), nullable=False),
        sa.Column("weights", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node_id"),
    )
    op.create_table(
        "peer",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("purposes", sa.Text(), nullable=False),
        sa.Column("groups", sa.Text(), nullable=False),
        sa.Column("clearances", sa.Text(), nullable=False),
        sa.Column("added_time", sa.BigInteger(), nullable=False),
        sa.Column("offered", sa.BigInteger(), nullable=False),
        sa.Column("receipted", sa.BigInteger(), nullable=False),
        sa.Column("considered_part", sa.BigInteger(), nullable=False),
        sa.Column("considered_time", sa.BigInteger(), nullable=False),
        sa.Column("decided", sa.String(length=64), nullable=False),
        sa.Column("cursor", sa.String(length=256), nullable=False),
        sa.Column("contact_time", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("institute"),
    )
    op.create_table(
        "policy",
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("set_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "quarantine",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("quarantine_time", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("peer", "record_id"),
    )
    with op.batch_alter_table("quarantine", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_quarantine_quarantine_time"), ["quarantine_time"], unique=False
        )

    op.create_table(
        "receipt",
        sa.Column(
            "receipt_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("ours", sa.Boolean(), nullable=False),
        sa.Column("cursor", sa.String(length=256), nullable=False),
        sa.Column("last_offer", sa.BigInteger(), nullable=False),
        sa.Column("receipt_time", sa.BigInteger(), nullable=False),
        sa.Column("keyid", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("receipt_id"),
    )
    with op.batch_alter_table("receipt", schema=None) as batch_op:
        batch_op.create_index("receipt_by_peer", ["peer", "ours", "receipt_id"], unique=False)

    op.create_table(
        "record",
        sa.Column(
            "record_seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=253), nullable=False),
        sa.Column("issue_time", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("supersedes", sa.String(length=64), nullable=True),
        sa.Column("superseded", sa.Boolean(), nullable=False),
        sa.Column("origin", sa.String(length=253), nullable=False),
        sa.Column("received_time", sa.BigInteger(), nullable=False),
        sa.Column("keyid", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record_seq"),
        sa.UniqueConstraint("record_id"),
    )
    with op.batch_alter_table("record", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_record_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_record_supersedes"), ["supersedes"], unique=False)
        batch_op.create_index("record_by_subject", ["issuer", "subject"], unique=False)

    op.create_table(
        "ruling",
        sa.Column("ruling_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("policy_digest", sa.String(length=64), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ruling_id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "standing",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("received_ever", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.BigInteger(), nullable=False),
        sa.Column("given_ever", sa.BigInteger(), nullable=False),
        sa.Column("pending", sa.BigInteger(), nullable=False),
        sa.Column("pending_ever", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("rejected_ever", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "kind"),
    )
    op.create_table(
        "standing_entry",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("counted_time", sa.BigInteger(), nullable=False),
        sa.Column("recent", sa.Boolean(), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("peer", "side", "subject", "kind"),
    )
    with op.batch_alter_table("standing_entry", schema=None) as batch_op:
        batch_op.create_index(
            "standing_entry_by_offer", ["peer", "side", "offer_number"], unique=False
        )
        batch_op.create_index("standing_entry_by_subject", ["subject"], unique=False)
        batch_op.create_index(
            "standing_entry_by_time", ["peer", "recent", "counted_time"], unique=False
        )

    op.create_table(
        "decision",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("backlog", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"],
            ["handling_class.class_id"],
        ),
        sa.ForeignKeyConstraint(
            ["ruling_id"],
            ["ruling.ruling_id"],
        ),
        sa.PrimaryKeyConstraint("peer", "class_id"),
    )
    op.create_table(
        "part",
        sa.Column(
            "part_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("record_seq", sa.BigInteger(), nullable=False),
        sa.Column("section", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("embargo_time", sa.BigInteger(), nullable=True),
        sa.Column("origin", sa.String(length=253), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("content", sa.Integer(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("disclosure", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["class_id"],
            ["handling_class.class_id"],
        ),
        sa.ForeignKeyConstraint(
            ["record_seq"],
            ["record.record_seq"],
        ),
        sa.PrimaryKeyConstraint("part_id"),
        sa.UniqueConstraint("record_seq", "section"),
    )
    with op.batch_alter_table("part", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_part_severity"), ["severity"], unique=False)
        batch_op.create_index("part_by_class", ["class_id", "part_id"], unique=False)
        batch_op.create_index("part_by_embargo", ["embargo_time"], unique=False)

    op.create_table(
        "record_tag",
        sa.Column("tag", sa.String(length=256), nullable=False),
        sa.Column(
            "record_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["record_seq"],
            ["record.record_seq"],
        ),
        sa.PrimaryKeyConstraint("tag", "record_seq"),
    )
    op.create_table(
        "treaty",
        sa.Column("treaty_id", sa.String(length=128), nullable=False),
        sa.Column("party", sa.String(length=253), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("sections", sa.Text(), nullable=False),
        sa.Column("start_time", sa.BigInteger(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=True),
        sa.Column("added_time", sa.BigInteger(), nullable=False),
        sa.Column("ended_time", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["party"],
            ["peer.institute"],
        ),
        sa.PrimaryKeyConstraint("treaty_id"),
    )
    op.create_table(
        "part_domain",
        sa.Column("domain", sa.String(length=256), nullable=False),
        sa.Column("part_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["part_id"],
            ["part.part_id"],
        ),
        sa.PrimaryKeyConstraint("domain", "part_id"),
    )
    op.create_table(
        "release",
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        sa.Column("part_id", sa.BigInteger(), nullable=False),
        sa.Column("ruling_id", sa.Integer(), nullable=False),
        sa.Column("release_time", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["part_id"],
            ["part.part_id"],
        ),
        sa.ForeignKeyConstraint(
            ["ruling_id"],
            ["ruling.ruling_id"],
        ),
        sa.PrimaryKeyConstraint("peer", "offer_number"),
        sa.UniqueConstraint("part_id", "peer"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Take back."""
    for table in (
        "release",
        "part_domain",
        "treaty",
        "record_tag",
        "part",
        "decision",
        "standing_entry",
        "standing",
        "ruling",
        "record",
        "receipt",
        "quarantine",
        "policy",
        "peer",
        "node",
        "log_entry",
        "lease",
        "handling_class",
    ):
        op.drop_table(table)
