"""That a record which is held here stands in its issuer's log.

Invariants: what a peer shows of its log is believed only once it was checked under the keys in that
peer's own bundle, and then it is kept; a peer is told of this institute's own log and nothing else,
so that nobody learns by asking whose records are held here.
"""

from __future__ import annotations

import re
from typing import Final

from comity.node.database.tables import InclusionRow, RecordRow
from comity.node.log.proofs import inclusion
from comity.node.log.travelling_proofs import keep
from comity.node.records.search import find_record
from comity.node.replication.peer_queries import ask_inclusion
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import InvalidInput, UnknownKey
from comity.record.log import check_logged, leaf
from comity.record.tlog_proof import TlogProof

_RECORD_ID: Final = re.compile(r"[0-9a-f]{64}")


def prove_own(site: Site, record_id: str) -> TlogProof:
    """Return the proof for what this institute issued, of a tree as it is now.

    Raises:
        InvalidInput: not a whole record id.
        NotFound: it is not in this log, whether it is held here or not.
    """
    if not _RECORD_ID.fullmatch(record_id):
        message = f"expected 64 lower-case hex digits, got {record_id!r:.80}"
        raise InvalidInput(message, field="record_id")
    site.signer.sign()
    with site.store.read() as session:
        return inclusion(session, record_id)


def prove_inclusion(site: Site, record_id: str) -> TlogProof:
    """Return the proof for a record, by its id or a unique prefix.

    Of an own record it is of a tree as it is now, of another's as its issuer showed it once; where
    there is none so far, the issuer is asked.

    Raises:
        InvalidInput, NotFound: ``record_id``, as ``find_record``.
        Unavailable: the issuer cannot be reached.
        ComityError: the issuer refuses, or what it shows is not so.
    """
    with site.store.read() as session:
        row = find_record(session, record_id)
        kept = session.get(InclusionRow, row.record_id)
    if row.issuer == site.institute:
        return prove_own(site, row.record_id)
    if kept is not None:
        return TlogProof.parse(kept.proof)
    proof = ask_inclusion(site, row.issuer, row.record_id)
    check_shown(row, proof, site.find_bundle(row.issuer))
    with site.store.write() as session:
        keep(session, row.record_id, proof)
    return proof


def check_shown(row: RecordRow, proof: TlogProof, bundle: TrustBundle | None) -> None:
    """Check that a record stands in its issuer's log, whose ``bundle`` is pinned.

    Raises: as ``check_logged``; also
        UnknownKey: the bundle does not list the record's key.
    """
    key = bundle.keys_by_id.get(row.keyid) if bundle else None
    if bundle is None or key is None:
        message = f"expected a key in the pinned bundle of {row.issuer}, got {row.keyid}"
        raise UnknownKey(message, field="signatures[0].keyid")
    body = leaf(Envelope(STATEMENT_TYPE, row.payload, row.keyid, row.signature), key)
    check_logged(body, proof, row.issuer, bundle.log_keys)
