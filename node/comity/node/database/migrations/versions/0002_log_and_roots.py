"""Log and roots."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "alarm",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("first_time", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("institute", "reason"),
    )
    op.create_table(
        "checkpoint",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=300), nullable=False),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.Column("cosigned_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness"),
    )
    op.create_table(
        "inclusion",
        sa.Column("record_id", sa.String(length=64), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("record_id"),
    )
    op.create_table(
        "log_head",
        sa.Column("head_id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("halted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("head_id"),
    )
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "position"),
    )
    op.create_table(
        "root_version",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("accepted_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("institute", "version"),
    )
    op.create_table(
        "sighting",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("teller", sa.String(length=253), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("told_time", sa.BigInteger(), nullable=False),
        sa.Column("checked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("institute", "teller"),
    )
    op.create_table(
        "split_view",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("found_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("institute", "digest"),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("institute", sa.String(length=253), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("witnessed_time", sa.BigInteger(), nullable=False),
        sa.Column("halted", sa.Text(), nullable=False),
        sa.Column("passed_over", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("institute"),
    )
    _grow_tiles(op.get_bind())


def downgrade() -> None:
    """Take back."""
    for table in (
        "witnessed_log",
        "split_view",
        "sighting",
        "root_version",
        "log_tile",
        "log_head",
        "inclusion",
        "cosignature",
        "checkpoint",
        "alarm",
    ):
        op.drop_table(table)


def _grow_tiles(connection: sa.Connection) -> None:
    """Hash the leaves that were logged before there were tiles (RFC 6962, C2SP tlog-tiles)."""
    rows = connection.exec_driver_sql("SELECT leaf FROM log_entry ORDER BY log_index")
    hashes = [hashlib.sha256(b"\0" + bytes(row[0])).digest() for row in rows]
    level = 0
    while hashes:
        tiles = [hashes[i : i + _WIDTH] for i in range(0, len(hashes), _WIDTH)]
        for position, tile in enumerate(tiles):
            values = {"level": level, "position": position, "hashes": b"".join(tile)}
            connection.execute(_INSERT, values)
        hashes = [_root(tile) for tile in tiles if len(tile) == _WIDTH]
        level += 1


def _root(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
    return hashes[0]


_WIDTH = 256
_INSERT = sa.text(
    "INSERT INTO log_tile (level, position, hashes) VALUES (:level, :position, :hashes)"
)
