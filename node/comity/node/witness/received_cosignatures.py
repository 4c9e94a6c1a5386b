"""The log's side of witnessing: keeping the cosignatures that peers send for our checkpoints.

Invariants: a peer speaks with its own witness keys only, the newest in its own bundle that bear its
name, so that none takes another's place on a checkpoint; what is kept verifies over a checkpoint
that is still published.
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
"""A signature line: names have up to 253 characters, a signature with Ed25519 104."""

MAX_KEYS: Final = 4
"""Witness keys of one peer that count: the newest, so that it can rotate and not fill a table."""


def keep_cosignature(site: Site, peer: str, size: int, line: bytes) -> None:
    """Keep a peer's cosignature under the checkpoint of ``size`` leaves; a newer one replaces it.

    ``line`` is a note's signature line with its LF.

    Raises:
        LimitExceeded: over MAX_COSIGNATURE_BYTES.
        BadNote: not a signature line.
        UnknownKey: not by one of the newest MAX_KEYS witness keys of that peer.
        NotFound: no checkpoint of that size is published.
        BadSignature: it does not verify, or is from the future.
    """
    signature = _parse(line)
    witness = _witness(site, peer, signature)
    with site.store.read() as session:
        note = _published(session, size)
    time = to_milliseconds(verify_cosignature(note.text, signature, witness))
    if time > site.clock() + MAX_CLOCK_SKEW_SECONDS * 1000:
        message = f"expected a time of at most {MAX_CLOCK_SKEW_SECONDS} s from now, got a later one"
        raise BadSignature(message, field="cosignature.time")
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
    bundle, name = site.find_bundle(peer), witness_name(peer)
    keys = [Verifier.parse(key) for key in bundle.witness_keys] if bundle else []
    for key in [key for key in keys if key.name == name][-MAX_KEYS:]:
        if (key.name, key.keyid) == (signature.name, signature.keyid):
            return key
    message = f"expected one of the newest {MAX_KEYS} keys {name} of the pinned bundle of {peer}"
    got = f"{signature.name}+{signature.keyid.hex()}"
    raise UnknownKey(f"{message}, got {got:.100}", field="cosignature")


def _published(session: Session, size: int) -> Note:
    # databases do not take every number that a message can hold
    row = session.get(CheckpointRow, size) if size <= MAX_TREE_SIZE else None
    if row is None:
        raise NotFound(f"no checkpoint of {size} leaves is published", field="size")
    return Note.parse(row.note)
