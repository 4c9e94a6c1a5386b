"""Cosignatures of peers: which appear on the published checkpoint, and which are refused."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from comity.node.database.tables import CosignatureRow
from comity.node.log.proofs import newest_checkpoint
from comity.node.witness.received_cosignatures import (
    MAX_COSIGNATURE_BYTES,
    MAX_KEYS,
    keep_cosignature,
)
from comity.record.cosignature import cosign
from comity.record.errors import (
    BadNote,
    BadSignature,
    ComityError,
    LimitExceeded,
    NotFound,
    UnknownKey,
)
from comity.record.limits import (
    MAX_CHECKPOINT_BYTES,
    MAX_CLOCK_SKEW_SECONDS,
    MAX_NOTE_SIGNATURES,
)
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, NoteSigner, SignatureLine
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute
from tests.support.witnesses import CA, FR, UK, history


def published(one: Institute) -> tuple[int, str]:
    """Publish a card and sign the log; return size and text of the checkpoint."""
    one.publish(card())
    one.node.signer.sign()
    with one.node.store.read() as session:
        size, note = newest_checkpoint(session)
    return size, Note.parse(note).text


def cosigned_by(signer: NoteSigner, text: str, clock: HandClock) -> bytes:
    return f"{cosign(text, signer, clock.time)}\n".encode()


def test_a_cosignature_appears_on_the_published_checkpoint(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, fr = three
    size, text = published(ca)
    for one in (uk, fr):
        line = cosigned_by(one.node.own.witness_signers()[0], text, clock)
        keep_cosignature(ca.node, one.name, size, line)
        keep_cosignature(ca.node, one.name, size, line)
    with ca.node.store.read() as session:
        note = Note.parse(newest_checkpoint(session).note)
    names = [line.name for line in note.signatures]
    assert names == [f"log.{CA}", f"witness.{FR}", f"witness.{UK}"]


def test_a_checkpoint_with_the_cosignatures_of_many_can_still_be_read(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    line = cosigned_by(uk.node.own.witness_signers()[0], text, clock)
    keep_cosignature(ca.node, UK, size, line)
    with ca.node.store.write() as session:
        for number in range(MAX_NOTE_SIGNATURES):
            name = f"witness.{number % 8}.example"
            found = str(SignatureLine(name, number.to_bytes(4, "big"), bytes(72)))
            row = CosignatureRow(
                size=size,
                witness=f"{name}+{number:08x}",
                line=f"{found}\n".encode(),
                cosigned_time=clock.now + number,
            )
            session.add(row)
        session.flush()
    with ca.node.store.read() as session:
        shown = newest_checkpoint(session).note
    assert len(shown) <= MAX_CHECKPOINT_BYTES
    names = [signature.name for signature in Note.parse(shown).signatures]
    assert len(names) == MAX_NOTE_SIGNATURES
    assert names.count(f"witness.{UK}") == 1


def test_a_peer_with_many_witness_keys_cosigns_with_the_newest_few(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    keys = [
        NoteSigner(f"witness.{UK}", WITNESS_KEY, ed25519.Ed25519PrivateKey.generate())
        for _ in range(MAX_KEYS + 1)
    ]
    listed = tuple(str(key.verifier) for key in keys)
    ca.node.add_peer(uk.node.bundle.model_copy(update={"witness_keys": listed}))
    with pytest.raises(UnknownKey, match="newest"):
        keep_cosignature(ca.node, UK, size, cosigned_by(keys[0], text, clock))
    for key in keys[1:]:
        keep_cosignature(ca.node, UK, size, cosigned_by(key, text, clock))
    assert len(ca.rows(CosignatureRow)) == MAX_KEYS


@pytest.mark.parametrize("size", [99, 2**63, 2**64 - 1])
def test_a_cosignature_of_a_size_that_was_never_published_is_refused(
    three: list[Institute], clock: HandClock, size: int
) -> None:
    uk, ca, _ = three
    line = cosigned_by(uk.node.own.witness_signers()[0], published(ca)[1], clock)
    with pytest.raises(NotFound):
        keep_cosignature(ca.node, UK, size, line)


def test_a_cosignature_with_a_logs_key_is_refused(three: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    log_key = uk.node.own.log_signers()[0]
    plain = f"{log_key.sign(text)}\n".encode()
    disguised = NoteSigner(f"witness.{UK}", WITNESS_KEY, log_key.private)
    for line in (plain, cosigned_by(disguised, text, clock)):
        with pytest.raises(UnknownKey):
            keep_cosignature(ca.node, UK, size, line)


def test_a_log_key_that_a_bundle_lists_as_a_witness_does_not_count(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    signer = NoteSigner(f"witness.{UK}", LOG_KEY, uk.node.own.log_signers()[0].private)
    listed = uk.node.bundle.model_copy(update={"witness_keys": (str(signer.verifier),)})
    ca.node.add_peer(listed)
    with pytest.raises(BadSignature):
        keep_cosignature(ca.node, UK, size, f"{signer.sign(text)}\n".encode())


def test_nobody_cosigns_in_anothers_name(three: list[Institute], clock: HandClock) -> None:
    uk, ca, fr = three
    size, text = published(ca)
    line = cosigned_by(fr.node.own.witness_signers()[0], text, clock)
    with pytest.raises(UnknownKey):
        keep_cosignature(ca.node, UK, size, line)
    usurper = NoteSigner(f"witness.{FR}", WITNESS_KEY, ed25519.Ed25519PrivateKey.generate())
    ca.node.add_peer(uk.node.bundle.model_copy(update={"witness_keys": (str(usurper.verifier),)}))
    with pytest.raises(UnknownKey):
        keep_cosignature(ca.node, UK, size, cosigned_by(usurper, text, clock))
    assert ca.rows(CosignatureRow) == []


def test_a_cosignature_of_another_checkpoint_is_refused(
    three: list[Institute], clock: HandClock
) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    signer = uk.node.own.witness_signers()[0]
    with pytest.raises(NotFound):
        keep_cosignature(ca.node, UK, size + 1, cosigned_by(signer, text, clock))
    elsewhere = cosigned_by(signer, history(ca).note(1).text, clock)
    with pytest.raises(BadSignature):
        keep_cosignature(ca.node, UK, size, elsewhere)


def test_a_cosignature_from_the_future_is_refused(three: list[Institute], clock: HandClock) -> None:
    uk, ca, _ = three
    size, text = published(ca)
    later = HandClock()
    later.turn(MAX_CLOCK_SKEW_SECONDS + 60)
    line = cosigned_by(uk.node.own.witness_signers()[0], text, later)
    with pytest.raises(BadSignature, match="from now"):
        keep_cosignature(ca.node, UK, size, line)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"", BadNote),
        (b"\xff\n", BadNote),
        ("— witness.uk.aisi.example".encode(), BadNote),
        ("— witness.uk.aisi.example !\n".encode(), BadNote),
        (b"x" * (MAX_COSIGNATURE_BYTES + 1), LimitExceeded),
    ],
)
def test_what_is_no_signature_line_is_refused(
    three: list[Institute], line: bytes, kind: type[ComityError]
) -> None:
    with pytest.raises(kind):
        keep_cosignature(three[1].node, UK, 1, line)
