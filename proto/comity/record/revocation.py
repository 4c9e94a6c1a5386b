"""Revoked record keys: a record of such a key is valid only if it was logged before.

A bundle revokes a record key from index n of its institute's log. A record of that key is accepted
only with a proof (C2SP tlog-proof) that it stands in that log before n. The time in the record does
not count, since a thief of the key can write any time. Invariant: only the issuer's own bundle
revokes its keys, and only the issuer's own log shows that a record is older.
"""

from __future__ import annotations

from comity.record.bundle import TrustBundle
from comity.record.errors import InvalidInput, RevokedKey
from comity.record.log import check_logged, leaf
from comity.record.record import Record
from comity.record.tlog_proof import TlogProof


def check_revocation(record: Record, bundle: TrustBundle) -> TlogProof | None:
    """Check a record against the revocations in its issuer's ``bundle``.

    The bundle must list the key, and the signature must be verified already. Returns the proof by
    which the record is accepted; None means that the key is not revoked.

    Raises:
        RevokedKey: no proof shows that the record stands in the log before the revocation.
    """
    keyid = record.envelope.keyid
    index = revoked_from(bundle, keyid)
    if index is None:
        return None

    told = f"expected a record that was logged before index {index}, from which {keyid} is revoked"
    if not record.inclusion:
        raise RevokedKey(f"{told}, got no proof of that", field="signatures[0].keyid")

    # the log's checkpoint must be signed by a log key of the same bundle
    try:
        proof = TlogProof.parse(record.inclusion)
        body = leaf(record.envelope, bundle.keys_by_id[keyid])
        check_logged(body, proof, bundle.institute, bundle.log_keys)
    except InvalidInput as error:
        raise RevokedKey(f"{told}: {error}", field="inclusion") from error

    if proof.index >= index:
        raise RevokedKey(f"{told}, got index {proof.index}", field="inclusion")
    return proof


def check_in_force(keyid: str, bundle: TrustBundle) -> None:
    """Check that a bundle does not revoke a key; for signatures on receipts, which no log holds.

    Raises:
        RevokedKey: the bundle revokes the key.
    """
    if revoked_from(bundle, keyid) is not None:
        message = f"expected a key in force of {bundle.institute}, got {keyid}, which is revoked"
        raise RevokedKey(message, field="signatures[0].keyid")


def revoked_from(bundle: TrustBundle, keyid: str) -> int | None:
    """Return the index from which a key is revoked; None if it is not revoked or not listed."""
    return next((key.revoked_from for key in bundle.record_keys if key.keyid == keyid), None)
