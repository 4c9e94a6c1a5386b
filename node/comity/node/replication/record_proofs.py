"""Proofs that a record which is held here stands in its issuer's log.

Invariants: a proof that a peer shows is believed only after it was checked under the keys in that
peer's own bundle, and then it is kept; a peer is shown proofs of this institute's own log and of no
other, so that no peer can find out by asking which records are held here.
"""

from __future__ import annotations

import re
from typing import Final

from comity.node.database.tables import InclusionRow, RecordRow
from comity.node.log.proofs import prove_inclusion
from comity.node.log.travelling_proofs import keep_proof
from comity.node.records.search import find_record
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.errors import InvalidInput, UnknownKey
from comity.record.log import check_logged, leaf
from comity.record.tlog_proof import TlogProof

_RECORD_ID: Final = re.compile(r"[0-9a-f]{64}")


def prove_own_record(site: Site, record_id: str) -> TlogProof:
    """Return the proof for a record that this institute issued, in a tree as it is now.

    Raises:
        InvalidInput: not a whole record id.
        NotFound: it is not in this log, whether it is held here or not.
    """
    if not _RECORD_ID.fullmatch(record_id):
        message = f"expected 64 lower-case hex digits, got {record_id!r:.80}"
        raise InvalidInput(message, field="record_id")

    site.signer.sign()
    with site.store.read() as session:
        return prove_inclusion(session, record_id)


def find_proof(site: Site, record_id: str) -> tuple[RecordRow, TlogProof | None]:
    """Return a record, by its id or a unique prefix, and the proof for it that is at hand.

    For an own record that is a proof in a tree as it is now, for another institute's the one that
    its issuer showed before. None means that the issuer has to be asked; see ``keep_shown``.

    Raises:
        InvalidInput, NotFound: ``record_id``, as ``find_record``.
    """
    with site.store.read() as session:
        row = find_record(session, record_id)
        kept = session.get(InclusionRow, row.record_id)

    if row.issuer == site.institute:
        return row, prove_own_record(site, row.record_id)
    return row, TlogProof.parse(kept.proof) if kept else None


def keep_shown(site: Site, row: RecordRow, proof: TlogProof) -> None:
    """Check the proof that a record's issuer showed, and keep it.

    Raises: as ``check_shown``.
    """
    check_shown(row, proof, site.find_bundle(row.issuer))
    with site.store.write() as session:
        keep_proof(session, row.record_id, proof)


def check_shown(row: RecordRow, proof: TlogProof, bundle: TrustBundle | None) -> None:
    """Check that a record stands in its issuer's log, whose ``bundle`` is pinned.

    Raises: as ``check_logged``; also
        UnknownKey: the bundle does not list the record's key.
    """
    key = bundle.keys_by_id.get(row.keyid) if bundle else None
    if bundle is None or key is None:
        message = f"expected a key in the pinned bundle of {row.issuer}, got {row.keyid}"
        raise UnknownKey(message, field="signatures[0].keyid")
    body = leaf(row.envelope, key)
    check_logged(body, proof, row.issuer, bundle.log_keys)
