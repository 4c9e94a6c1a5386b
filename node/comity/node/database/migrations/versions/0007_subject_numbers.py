"""Subjects by number, so that entries of standing grow side by side; standing is counted anew.

What was received and rejected is counted here, for ever and not as recent, which the node makes
good as it moves the window; what was given is counted by the node, from the first offer.
"""

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BATCH = 1000
_SUBSTANCE = 200
_RECEIVED = f"""
INSERT INTO standing_entry
SELECT subject_seq, 'received', issuer, kind, min(received_time), false, 0 FROM (
    SELECT r.subject_seq, r.issuer, r.kind, r.received_time
    FROM record r JOIN part p ON p.record_seq = r.record_seq
    WHERE NOT r.superseded AND r.issuer <> (SELECT institute FROM node)
    GROUP BY r.record_seq, r.subject_seq, r.issuer, r.kind, r.received_time
    HAVING sum(p.content) >= {_SUBSTANCE}
) AS counted GROUP BY subject_seq, issuer, kind
"""
_COUNTERS = """
INSERT INTO standing (peer, kind, received, received_ever, given, given_ever, pending, pending_ever,
                      rejected, rejected_ever)
SELECT peer, kind, 0, sum(CASE side WHEN 'received' THEN 1 ELSE 0 END), 0, 0, 0, 0, 0,
       sum(CASE side WHEN 'rejected' THEN 1 ELSE 0 END)
FROM standing_entry GROUP BY peer, kind
"""
_DIGEST = (
    "SELECT substr(min(s.subject), 8) FROM subject s WHERE s.subject LIKE 'sha256:%' "
    "AND s.subject_seq = {}.subject_seq"
)


def upgrade() -> None:
    """Apply."""
    # the default stays: SQLite would copy the whole table to drop it
    number = sa.Column("subject_seq", sa.BigInteger(), nullable=False, server_default="0")
    op.add_column("record", number)
    op.create_table(
        "subject",
        sa.Column("issuer", sa.String(length=253), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=71), nullable=False),
        sa.Column("subject_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "kind", "subject"),
        sqlite_with_rowid=False,
    )
    _number_subjects()
    op.drop_index("record_by_subject", "record")
    op.drop_column("record", "subject")
    op.create_index("record_by_subject_seq", "record", ["subject_seq"])
    embargoed = sa.text("embargo_time IS NOT NULL")
    op.create_index(
        "part_with_embargo",
        "part",
        ["record_seq"],
        sqlite_where=embargoed,
        postgresql_where=embargoed,
    )
    op.drop_table("standing_entry")
    _create_entries(sa.Column("subject_seq", sa.BigInteger(), nullable=False), "subject_seq")
    op.execute(_RECEIVED)
    _count_rejected()
    op.execute("DELETE FROM standing")
    op.execute(_COUNTERS)
    op.execute("UPDATE peer SET counted = 0, decided = ''")


def downgrade() -> None:
    """Take back. Earlier versions know the subjects that count, but not what was rejected."""
    op.rename_table("standing_entry", "new_entry")
    op.drop_index("standing_entry_by_offer", "new_entry")
    op.drop_index("standing_entry_by_time", "new_entry")
    _create_entries(sa.Column("subject", sa.String(length=64), nullable=False), "subject")
    op.execute(
        f"INSERT INTO standing_entry SELECT ({_DIGEST.format('e')}), e.side, e.peer, e.kind, "
        "e.counted_time, e.recent, e.offer_number FROM new_entry e WHERE e.side <> 'rejected'"
    )
    op.drop_table("new_entry")
    op.create_index("standing_entry_by_subject", "standing_entry", ["subject"])
    op.drop_index("part_with_embargo", "part")
    op.drop_index("record_by_subject_seq", "record")
    subject: sa.Column[Any] = sa.Column(
        "subject", sa.String(length=64), nullable=False, server_default=""
    )
    op.add_column("record", subject)
    op.execute(f"UPDATE record SET subject = ({_DIGEST.format('record')})")
    op.create_index("record_by_subject", "record", ["issuer", "subject"])
    op.drop_column("record", "subject_seq")
    op.drop_table("subject")


def _number_subjects() -> None:
    """Number the subjects of all records by digest and name, in the order of arrival."""
    connection = op.get_bind()
    query = sa.text(
        "SELECT record_seq, issuer, kind, subject, payload FROM record WHERE record_seq > :last "
        "ORDER BY record_seq LIMIT :batch"
    )
    known: dict[tuple[str, str, str], int] = {}
    last = 0
    while rows := connection.execute(query, {"last": last, "batch": _BATCH}).all():
        last, fresh, numbered = rows[-1].record_seq, [], []
        for row in rows:
            name = json.loads(row.payload)["subject"][0]["name"].lower()
            named = f"name:{hashlib.sha256(name.encode()).hexdigest()}"
            keys = [(row.issuer, row.kind, about) for about in (f"sha256:{row.subject}", named)]
            number = min((known[key] for key in keys if key in known), default=row.record_seq)
            numbered.append({"record": row.record_seq, "number": number})
            new = {key: number for key in keys if key not in known}
            known |= new
            fresh += [{"i": i, "k": k, "s": s, "number": number} for i, k, s in new]
        connection.execute(
            sa.text("UPDATE record SET subject_seq = :number WHERE record_seq = :record"), numbered
        )
        if fresh:
            connection.execute(sa.text("INSERT INTO subject VALUES (:i, :k, :s, :number)"), fresh)


def _count_rejected() -> None:
    connection = op.get_bind()
    query = "SELECT peer, kind, record_id, quarantine_time AS time FROM quarantine"
    refused = connection.execute(sa.text(f"{query} WHERE reason <> 'UNKNOWN_KEY'"))
    # the first 60 bits of an id, as the node reads them
    rows = [row._asdict() | {"number": int(row.record_id[:15], 16)} for row in refused]
    if rows:
        into = "INSERT INTO standing_entry VALUES (:number, 'rejected', :peer, :kind, :time, "
        connection.execute(sa.text(f"{into} false, 0) ON CONFLICT DO NOTHING"), rows)


def _create_entries(subject: sa.Column[Any], name: str) -> None:
    numbered = name == "subject_seq"
    op.create_table(
        "standing_entry",
        subject,
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("peer", sa.String(length=253), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("counted_time", sa.BigInteger(), nullable=False),
        sa.Column("recent", sa.Boolean(), nullable=False),
        sa.Column("offer_number", sa.BigInteger(), nullable=False),
        # a name of its own, since that of the table before it may still be taken
        sa.PrimaryKeyConstraint(name, "side", "peer", "kind", name=f"standing_entry_{name}"),
        sqlite_with_rowid=not numbered,
    )
    op.create_index("standing_entry_by_offer", "standing_entry", ["peer", "side", "offer_number"])
    op.create_index("standing_entry_by_time", "standing_entry", ["peer", "recent", "counted_time"])
