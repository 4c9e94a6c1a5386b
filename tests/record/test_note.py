"""Signed notes: the specification's examples, and notes and keys that must be refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.record.errors import BadConfig, BadNote, BadSignature, InvalidInput, LimitExceeded
from comity.record.limits import MAX_NAME_CHARS, MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES
from comity.record.note import (
    LOG_KEY,
    MLDSA_WITNESS_KEY,
    WITNESS_KEY,
    Note,
    NoteSigner,
    SignatureLine,
    Verifier,
    verify,
)
from tests.support.notes import LOG, fixed_signer, note_of

# golang.org/x/mod/sumdb/note, ExampleSign and ExampleOpen
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_SECRET = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETERS_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETERS_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngo"
    "tpRZb6KE6RyyBwJnAM="
)
PETERS_NOTE = f"{PETERS_TEXT}\n{PETERS_LINE}\n".encode()

# C2SP signed-note
POEM = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()  # noqa: E501


def test_note_of_the_go_library_verifies_and_is_signed_alike() -> None:
    peter = Verifier.parse(PETER)
    note = Note.parse(PETERS_NOTE)
    assert note.text == PETERS_TEXT
    assert verify(note, [peter]) == [SignatureLine.parse(PETERS_LINE)]
    seed = base64.b64decode(PETERS_SECRET)[1:]
    ours = NoteSigner("PeterNeumann", LOG_KEY, Ed25519PrivateKey.from_private_bytes(seed))
    assert str(ours.verifier) == PETER
    assert note_of(ours, text=PETERS_TEXT).to_bytes() == PETERS_NOTE


def test_text_reaches_to_the_last_empty_line() -> None:
    note = Note.parse(POEM)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [line.name for line in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.signatures[0].keyid.hex() == "367ba04b"
    assert note.to_bytes() == POEM


def test_unknown_keys_are_ignored_even_under_a_known_name_or_id() -> None:
    same_name, same_id = fixed_signer(LOG.name, 2), SignatureLine("other", LOG.verifier.keyid, b"x")
    note = note_of(fixed_signer("other", 3), same_name, LOG)
    note = Note(note.text, (*note.signatures, same_id))
    assert verify(note, [LOG.verifier]) == [LOG.sign("text\n")]
    assert verify(note, []) == []


def test_one_bad_signature_of_a_known_key_spoils_the_note() -> None:
    other = fixed_signer("log.jp.aisi.example", 2)
    forged = SignatureLine(other.name, other.verifier.keyid, bytes(64))
    note = Note("text\n", (LOG.sign("text\n"), forged))
    assert verify(note, [LOG.verifier]) == [LOG.sign("text\n")]
    with pytest.raises(BadSignature, match=r"log\.jp\.aisi\.example"):
        verify(note, [LOG.verifier, other.verifier])


def test_altered_text_is_refused() -> None:
    note = Note("texT\n", note_of(LOG).signatures)
    with pytest.raises(BadSignature):
        verify(note, [LOG.verifier])


def test_key_that_signs_twice_counts_once_and_each_signature_must_hold() -> None:
    good = LOG.sign("text\n")
    assert verify(Note.parse(Note("text\n", (good, good)).to_bytes()), [LOG.verifier]) == [good]
    bad = SignatureLine(LOG.name, LOG.verifier.keyid, good.signature[:-1])
    with pytest.raises(BadSignature):
        verify(Note("text\n", (good, bad)), [LOG.verifier])


def test_witness_key_does_not_sign_or_verify_plain_text() -> None:
    witness = fixed_signer("witness.uk.aisi.example", kind=WITNESS_KEY)
    with pytest.raises(BadConfig, match="expected a log's key"):
        witness.sign("text\n")
    plain = witness.private.sign(b"text\n")
    line = SignatureLine(witness.name, witness.verifier.keyid, plain)
    with pytest.raises(BadSignature, match="expected a log's key"):
        verify(Note("text\n", (line,)), [witness.verifier])


def test_signer_does_not_show_its_private_key() -> None:
    assert "private" not in repr(LOG)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\n\n",
        PETERS_TEXT.encode(),
        f"{PETERS_TEXT}\n".encode(),
        f"{PETERS_TEXT}{PETERS_LINE}\n".encode(),
        f"{PETERS_LINE}\n".encode(),
        f"{PETERS_TEXT[:-1]}\n{PETERS_LINE}\n".encode(),
        PETERS_NOTE[:-1],
        PETERS_NOTE[:-2],
        PETERS_NOTE + b"\n",
        PETERS_NOTE + b"more\n",
        PETERS_NOTE.replace(b"\n", b"\r\n"),
        PETERS_NOTE.replace(b"you", b"y\x00u"),
        PETERS_NOTE.replace(b"you", b"y\tu"),
        PETERS_NOTE.replace(b"you", b"y\xffu"),
        PETERS_NOTE.decode().encode("utf-16"),
        PETERS_NOTE.replace("—".encode(), b"-"),
        PETERS_NOTE.replace("— ".encode(), "—".encode()),
        PETERS_NOTE.replace("— ".encode(), b" "),
    ],
)
def test_bytes_that_are_no_note_are_refused(data: bytes) -> None:
    with pytest.raises(BadNote):
        Note.parse(data)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "— ",
        "— name",
        "— name ",
        "—  AAAAAAE=",
        "— na+me AAAAAAE=",
        "— na\u00a0me AAAAAAE=",
        "— na me AAAAAAE=",
        "— name AAAAAAE",
        "— name AAAAAAF=",
        "— name AAAA AAE=",
        "— name AAAAAA==",
        "— name AAAAAAE= ",
        "— name AAA-AAE=",
        "name AAAAAAE=",
    ],
)
def test_signature_line_with_a_defect_is_refused(line: str) -> None:
    assert str(SignatureLine.parse("— name AAAAAAE=")) == "— name AAAAAAE="
    with pytest.raises(BadNote):
        SignatureLine.parse(line)


def test_note_over_its_limits_is_refused() -> None:
    line = "— name AAAAAAE=\n"
    assert len(Note.parse(f"text\n\n{line * MAX_NOTE_SIGNATURES}".encode()).signatures) == 64
    with pytest.raises(LimitExceeded, match="MAX_NOTE_SIGNATURES"):
        Note.parse(f"text\n\n{line * (MAX_NOTE_SIGNATURES + 1)}".encode())
    with pytest.raises(LimitExceeded, match="MAX_NOTE_BYTES"):
        Note.parse(b"x" * MAX_NOTE_BYTES + b"\n")


@pytest.mark.parametrize("kind", [LOG_KEY, WITNESS_KEY])
def test_verifier_key_reads_back(kind: int) -> None:
    verifier = fixed_signer("witness.uk.aisi.example", kind=kind).verifier
    public = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32).public_key()
    assert verifier.public == public.public_bytes_raw()
    assert Verifier.parse(str(verifier)) == verifier


def test_ids_differ_by_name_and_kind() -> None:
    kinds = (LOG_KEY, WITNESS_KEY)
    ids = {fixed_signer(name, kind=kind).verifier.keyid for name in ("a", "b") for kind in kinds}
    assert len(ids) == 4


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "expected <name>"),
        (PETER[1:], "expected key id"),
        (PETER[:-1], "expected <name>"),
        (PETER + "\n", "expected <name>"),
        (PETER.replace("c74f20a3", "C74F20A3"), "expected <name>"),
        (PETER.replace("c74f20a3", "c74f20a4"), "expected key id c74f20a3, got c74f20a4"),
        (PETER.replace("PeterNeumann", "Peter Neumann"), "without spaces"),
        (PETER.replace("PeterNeumann", "Peter\nNeumann"), "without spaces"),
        (PETER.replace("PeterNeumann", ""), "expected <name>"),
        (PETER.replace("+A", "+BA"), "expected"),
        ("PeterNeumann+00000000+AgIC", "of type 0x01, 0x04 or 0x06, got 0x02"),
        ("PeterNeumann+00000000+AQIC", "of 32 bytes, got 2"),
        ("PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz", "exp"),
        ("x" * (MAX_NAME_CHARS + 1) + PETER[12:], "MAX_NAME_CHARS"),
    ],
)
def test_verifier_key_with_a_defect_is_refused(key: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Verifier.parse(key)


def test_key_that_is_no_point_verifies_nothing() -> None:
    for verifier in (Verifier("w", LOG_KEY, b"\xff" * 32), Verifier("w", MLDSA_WITNESS_KEY, b"")):
        with pytest.raises(BadSignature):
            verifier.verify(bytes(64), b"text\n")
