"""Cosignatures that peers send for the checkpoints of our own log (C2SP tlog-cosignature).

    (1) the line is by one of the peer's own newest witness keys           UnknownKey
    (2) a checkpoint of that size is published                             NotFound
    (3) the cosignature verifies over it, and is not from the future       BadSignature
    (4) it is kept if the checkpoint is still published

Invariants: only keys in the peer's own bundle that bear the peer's name count, so that no peer can
take another's place under a checkpoint; every kept line verifies over a published checkpoint.
"""

from __future__ import annotations

from typing import Final

from sqlmodel import Session

from comity.node.database.clock import to_milliseconds
from comity.node.database.tables import CheckpointRow, CosignatureRow
from comity.node.trust.site import Site
from comity.record.cosignature import verify_cosignature, witness_name
from comity.record.errors import BadNote, BadSignature, NotFound, UnknownKey
from comity.record.limits import MAX_CLOCK_SKEW_SECONDS, Limit
from comity.record.merkle import MAX_TREE_SIZE
from comity.record.note import Note, SignatureLine, Verifier

MAX_COSIGNATURE_BYTES: Final = Limit("MAX_COSIGNATURE_BYTES", 1024, "bytes")
"""One signature line: a name has up to 253 characters, an Ed25519 cosignature has 104."""

MAX_KEYS: Final = 4
"""Newest witness keys of a peer that count: enough to rotate, too few to fill a table."""


def keep_cosignature(site: Site, peer: str, size: int, line: bytes) -> None:
    """Keep a peer's cosignature under the checkpoint of ``size`` leaves.

    ``line`` is a note's signature line with its LF. It replaces an earlier one by the same key.

    Raises:
        LimitExceeded: over MAX_COSIGNATURE_BYTES.
        BadNote: not a signature line.
        UnknownKey: not by one of the newest MAX_KEYS witness keys of that peer.
        NotFound: no checkpoint of that size is published.
        BadSignature: it does not verify, or is more than MAX_CLOCK_SKEW_SECONDS from the future.
    """
    # (1) the peer's own key
    signature = _parse(line)
    witness = _witness(site, peer, signature)

    # (2) the checkpoint that it is for
    with site.store.read() as session:
        note = _published(session, size)

    # (3) the time is part of what is signed (C2SP tlog-cosignature)
    time = to_milliseconds(verify_cosignature(note.text, signature, witness))
    if time > site.clock() + MAX_CLOCK_SKEW_SECONDS * 1000:
        message = f"expected a time of at most {MAX_CLOCK_SKEW_SECONDS} s from now, got a later one"
        raise BadSignature(message, field="cosignature.time")

    # (4) the signer may have dropped the checkpoint meanwhile
    name = f"{witness.name}+{witness.keyid.hex()}"
    row = CosignatureRow(size=size, witness=name, line=line, cosigned_time=time)
    with site.store.write() as session:
        _published(session, size)
        session.merge(row)
        session.flush()


def _parse(line: bytes) -> SignatureLine:
    MAX_COSIGNATURE_BYTES.check(len(line), "cosignature")
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise BadNote(f"expected UTF-8: {error}", field="cosignature") from error
    if not text.endswith("\n"):
        raise BadNote(f"expected a line that ends in LF, got {text!r:.100}", field="cosignature")
    return SignatureLine.parse(text[:-1])


def _witness(site: Site, peer: str, signature: SignatureLine) -> Verifier:
    """Return the peer's witness key that a signature line names."""
    bundle, name = site.find_bundle(peer), witness_name(peer)
    keys = [Verifier.parse(key) for key in bundle.witness_keys] if bundle else []
    for key in [key for key in keys if key.name == name][-MAX_KEYS:]:
        if (key.name, key.keyid) == (signature.name, signature.keyid):
            return key

    message = f"expected one of the newest {MAX_KEYS} keys {name} of the pinned bundle of {peer}"
    got = f"{signature.name}+{signature.keyid.hex()}"
    raise UnknownKey(f"{message}, got {got:.100}", field="cosignature")


def _published(session: Session, size: int) -> Note:
    """Return the published checkpoint of ``size`` leaves."""
    # a message can hold a size that no database column can
    row = session.get(CheckpointRow, size) if size <= MAX_TREE_SIZE else None
    if row is None:
        raise NotFound(f"no checkpoint of {size} leaves is published", field="size")
    return Note.parse(row.note)
