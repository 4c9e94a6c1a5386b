"""Cosignatures: made and checked as others do, and never confused with a log's signature."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from comity.record.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from comity.record.cosignature import Cosignature, cosign, cosignatures, verify_cosignature
from comity.record.errors import BadCheckpoint, BadConfig, BadSignature, UnknownKey
from comity.record.note import (
    MLDSA_WITNESS_KEY,
    WITNESS_KEY,
    Note,
    SignatureLine,
    Verifier,
)
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof
from tests.support.notes import LOG, fixed_signer
from tests.support.paths import VECTORS

WITNESS = fixed_signer("witness.jp.aisi.example", 2, WITNESS_KEY)
NOTE = sign_checkpoint(Checkpoint(LOG.name, 7, b"r" * 32), LOG)
NOW = datetime(2026, 5, 21, 9, tzinfo=UTC)

# C2SP tlog-cosignature; the keys are not published
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()  # noqa: E501


def with_line(line: SignatureLine) -> Note:
    return Note(NOTE.text, (*NOTE.signatures, line))


def stamped(line: SignatureLine, seconds: int) -> SignatureLine:
    """Replace the time of a cosignature and keep the rest."""
    return replace(line, signature=seconds.to_bytes(8, "big") + line.signature[8:])


def test_cosignature_verifies_and_gives_its_time() -> None:
    line = cosign(NOTE.text, WITNESS, NOW + timedelta(milliseconds=900))
    assert verify_cosignature(NOTE.text, line, WITNESS.verifier) == NOW
    assert len(line.signature) == 72
    note = Note.parse(with_line(line).to_bytes())
    assert cosignatures(note, [WITNESS.verifier]) == [Cosignature(WITNESS.verifier, NOW)]
    assert open_checkpoint(note.to_bytes(), [LOG.verifier])[1] == note


def test_signed_bytes_are_those_of_the_specification() -> None:
    line = cosign(NOTE.text, WITNESS, datetime.fromtimestamp(1_679_315_147, UTC))
    message = b"cosignature/v1\ntime 1679315147\n" + NOTE.text.encode()
    WITNESS.private.public_key().verify(line.signature[8:], message)
    example = Note.parse(EXAMPLE).signatures[1]
    assert line.signature[:8] == example.signature[:8]
    assert len(example.signature) == len(line.signature)


def test_cosignatures_of_other_implementations_verify() -> None:
    proof = TlogProof.parse((VECTORS / "torchwood.tlog-proof").read_bytes())
    policy = LogPolicy.parse((VECTORS / "torchwood.policy").read_text())
    keys = [policy.witnesses[name].key for name in ("jp", "sg")]
    assert [key.kind for key in keys] == [WITNESS_KEY, MLDSA_WITNESS_KEY]
    found = cosignatures(Note.parse(proof.checkpoint), keys)
    made = datetime(2026, 11, 22, 9, 37, 19, tzinfo=UTC)
    assert found == [Cosignature(key, made) for key in keys]
    altered = proof.checkpoint.replace(b"\n300\n", b"\n301\n")
    for key in keys:
        with pytest.raises(BadSignature):
            cosignatures(Note.parse(altered), [key])


def test_ml_dsa_cosignature_commits_to_the_witness_name() -> None:
    private = MLDSA44PrivateKey.generate()
    origin, name = NOTE.text.partition("\n")[0].encode(), b"witness.sg.aisi.example"
    message = b"subtree/v1\n\0" + bytes([len(name)]) + name + bytes(8) + bytes([len(origin)])
    message += origin + bytes(8) + (7).to_bytes(8, "big") + b"r" * 32
    public = private.public_key().public_bytes_raw()
    witness = Verifier(name.decode(), MLDSA_WITNESS_KEY, public)
    line = SignatureLine(witness.name, witness.keyid, bytes(8) + private.sign(message))
    assert verify_cosignature(NOTE.text, line, witness) == datetime(1970, 1, 1, tzinfo=UTC)
    renamed = replace(witness, name="witness.fr.aisi.example")
    line = replace(line, name=renamed.name, keyid=renamed.keyid)
    with pytest.raises(BadSignature):
        verify_cosignature(NOTE.text, line, renamed)


def test_cryptography_without_ml_dsa_is_a_fault_of_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unsupported(*_: object) -> None:
        raise UnsupportedAlgorithm("ML-DSA-44")

    monkeypatch.setattr(MLDSA44PublicKey, "from_public_bytes", unsupported)
    witness = Verifier("witness.sg.aisi.example", MLDSA_WITNESS_KEY, bytes(1312))
    line = SignatureLine(witness.name, witness.keyid, bytes(2428))
    with pytest.raises(BadConfig, match=r"witness\.sg.*ML-DSA-44"):
        verify_cosignature(NOTE.text, line, witness)


def test_name_too_long_for_ml_dsa_is_refused() -> None:
    witness = Verifier("w" * 256, MLDSA_WITNESS_KEY, bytes(1312))
    with pytest.raises(BadCheckpoint, match="at most 255 bytes"):
        verify_cosignature(NOTE.text, SignatureLine(witness.name, witness.keyid, b"x"), witness)


def test_log_key_is_no_witness() -> None:
    with pytest.raises(BadConfig, match="expected a witness's key"):
        cosign(NOTE.text, LOG, NOW)
    with pytest.raises(BadSignature, match="expected a witness's key"):
        cosignatures(NOTE, [LOG.verifier])


def test_witness_key_is_no_log() -> None:
    note = with_line(cosign(NOTE.text, WITNESS, NOW))
    with pytest.raises(BadSignature, match="expected a log's key"):
        open_checkpoint(note.to_bytes(), [WITNESS.verifier, LOG.verifier])


def test_key_used_for_both_signs_different_bytes() -> None:
    twin = fixed_signer(LOG.name, 1, WITNESS_KEY)
    note = with_line(replace(NOTE.signatures[0], keyid=twin.verifier.keyid))
    with pytest.raises(BadSignature):
        cosignatures(note, [twin.verifier])


def test_cosignature_of_another_checkpoint_key_or_time_is_refused() -> None:
    line = cosign(NOTE.text, WITNESS, NOW)
    with pytest.raises(BadSignature):
        verify_cosignature(NOTE.text.replace("7", "8"), line, WITNESS.verifier)
    with pytest.raises(BadSignature):
        verify_cosignature(NOTE.text, stamped(line, int(NOW.timestamp()) + 1), WITNESS.verifier)
    other = fixed_signer("witness.fr.aisi.example", 3, WITNESS_KEY).verifier
    with pytest.raises(UnknownKey, match=r"got witness\.jp"):
        verify_cosignature(NOTE.text, line, other)


@pytest.mark.parametrize("length", [1, 7, 8, 71, 73])
def test_cosignature_of_another_length_is_refused(length: int) -> None:
    line = cosign(NOTE.text, WITNESS, NOW)
    cut = replace(line, signature=(line.signature + b"\0")[:length])
    with pytest.raises(BadSignature):
        cosignatures(with_line(cut), [WITNESS.verifier])


@pytest.mark.parametrize("seconds", [253_402_300_800, 2**63 - 1, 2**63, 2**64 - 1])
def test_time_beyond_year_9999_is_refused(seconds: int) -> None:
    line = stamped(cosign(NOTE.text, WITNESS, NOW), seconds)
    with pytest.raises(BadSignature, match="before year 10000"):
        verify_cosignature(NOTE.text, line, WITNESS.verifier)


def test_nothing_but_a_checkpoint_is_cosigned() -> None:
    with pytest.raises(BadCheckpoint):
        cosign("text\n", WITNESS, NOW)


def test_latest_of_several_cosignatures_of_a_witness_counts() -> None:
    times = (NOW, NOW + timedelta(hours=1), NOW - timedelta(hours=1))
    lines = [cosign(NOTE.text, WITNESS, time) for time in times]
    note = Note(NOTE.text, (*NOTE.signatures, *lines))
    assert cosignatures(note, [WITNESS.verifier]) == [Cosignature(WITNESS.verifier, times[1])]
