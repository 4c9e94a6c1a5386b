"""That a record which is held here stands in its issuer's log.

Invariant: what a peer shows of its log is believed only once it was checked under the keys in that
peer's own bundle; then it is kept, and shown to others as it came.
"""

from __future__ import annotations

from comity.node.asking import ask_inclusion
from comity.node.node import Node
from comity.node.search import find_record
from comity.node.tables import RecordRow
from comity.node.tlog.proofs import inclusion
from comity.node.tlog.tables import Inclusion
from comity.node.tlog.travelling import keep
from comity.record.bundle import TrustBundle
from comity.record.envelope import STATEMENT_TYPE, Envelope
from comity.record.errors import NotFound, UnknownKey
from comity.record.log import check_logged, leaf
from comity.record.tlog_proof import TlogProof


def prove_inclusion(node: Node, record_id: str, *, ask: bool) -> TlogProof:
    """Return the proof for a record, by its id or a unique prefix.

    Of an own record it is of a tree as it is now, of another's as its issuer showed it once; where
    there is none so far and ``ask`` is true, the issuer is asked.

    Raises:
        InvalidInput, NotFound: ``record_id``, as ``find_record``; or there is no proof at hand.
        Unavailable: the issuer cannot be reached.
        ComityError: the issuer refuses, or what it shows is not so.
    """
    with node.store.read() as session:
        row = find_record(session, record_id)
        kept = session.get(Inclusion, row.record_id)
    if row.issuer == node.institute:
        node.signer.sign()
        with node.store.read() as session:
            return inclusion(session, row.record_id)
    if kept is not None:
        return TlogProof.parse(kept.proof)
    if not ask:
        raise NotFound(f"{row.record_id} is not in this log", field="record_id")
    proof = ask_inclusion(node, row.issuer, row.record_id)
    check_shown(row, proof, node.find_bundle(row.issuer))
    with node.store.write() as session:
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
