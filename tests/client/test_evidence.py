"""Evidence that leaves: folders and zips, and the commands on the page beside them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence
from comity.record.errors import BadConfig, BadProof, ComityError
from comity.record.keys import SigningKey
from comity.record.sigstore import SigstoreBundle
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import read_trusted_root
from tests.support.changed_copies import flip_bit
from tests.support.drafts import card
from tests.support.memory_log import MemoryLog

UK, CA = "uk.aisi.example", "ca.aisi.example"


def exported(memory_log: MemoryLog, output: Path) -> Path:
    opened = memory_log.append(card())
    export_record(opened, memory_log.key.key, output, memory_log.evidence(opened))
    return output


def blocks_of(page: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page, flags=re.DOTALL)


def run(block: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-e", "-c", block],
        cwd=folder,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_evidence_holds_the_same_proof_in_every_form(memory_log: MemoryLog, tmp_path: Path) -> None:
    folder = exported(memory_log, tmp_path / "evidence")
    proof = TlogProof.parse((folder / "inclusion.tlog-proof").read_bytes())
    assert (folder / "checkpoint.txt").read_bytes() == proof.checkpoint
    bundle = SigstoreBundle.from_json((folder / "bundle.sigstore.json").read_bytes())
    assert bundle.proof == proof
    [log_key] = read_trusted_root((folder / "trusted_root.json").read_bytes())
    assert log_key == memory_log.signer.verifier
    assert (folder / "log.vkey").read_text() == f"{log_key}\n"
    witnesses = (folder / "witnesses.vkey").read_text().split()
    assert witnesses == [str(signer.verifier) for signer in memory_log.witnesses.values()]
    assert (folder / f"{UK}.bundle.json").read_bytes() == memory_log.bundle.to_json()


def test_the_commands_about_the_log_work_as_they_stand(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    folder = exported(memory_log, tmp_path / "evidence")
    blocks = blocks_of((folder / "CHECK.md").read_text())
    done = [run(block, folder) for block in blocks if not block.startswith("cosign")]
    assert [(one.returncode, one.stderr) for one in done if one.returncode] == []
    signed, included = (one.stdout for one in done[-2:])
    assert signed == "Signature Verified Successfully\n"
    assert included.splitlines() == ["leaf.json: OK", "signature.der: OK", "root: OK"]


@pytest.mark.parametrize("place", range(11))
def test_the_path_on_the_page_leads_to_the_root_from_every_place(
    memory_log: MemoryLog, tmp_path: Path, place: int
) -> None:
    memory_log.leaves = memory_log.leaves * 2
    del memory_log.leaves[place:]
    folder = exported(memory_log, tmp_path / "evidence")
    [block] = [b for b in blocks_of((folder / "CHECK.md").read_text()) if "root=" in b]
    assert run(block, folder).stdout.endswith("root: OK\n")


@pytest.mark.parametrize(
    "name", ["checkpoint.txt", "leaf.json", "log-key.pem", "signature.der", "pae.bin"]
)
def test_the_commands_about_the_log_notice_a_flipped_bit(
    memory_log: MemoryLog, tmp_path: Path, name: str
) -> None:
    folder = exported(memory_log, tmp_path / "evidence")
    blocks = blocks_of((folder / "CHECK.md").read_text())[-4:-2]
    good = [run(block, folder).stdout for block in blocks]
    (folder / name).write_bytes(flip_bit((folder / name).read_bytes(), 40))
    assert [run(block, folder).stdout for block in blocks] != good


def test_a_zip_unpacks_into_a_folder_of_its_own(memory_log: MemoryLog, tmp_path: Path) -> None:
    output = exported(memory_log, tmp_path / "evidence.zip")
    with zipfile.ZipFile(output) as archive:
        archive.extractall(tmp_path / "unpacked")
    [folder] = (tmp_path / "unpacked").iterdir()
    assert run("sha256sum --check --strict SHA256SUMS", folder).returncode == 0
    assert "bundle.sigstore.json" in os.listdir(folder)


def test_equal_evidence_makes_equal_zips(memory_log: MemoryLog, tmp_path: Path) -> None:
    opened = memory_log.append(card())
    evidence = memory_log.evidence(opened)
    for name in ("one.zip", "two.zip"):
        export_record(opened, memory_log.key.key, tmp_path / name, evidence)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_a_zip_is_not_overwritten(memory_log: MemoryLog, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_text("mine")
    with pytest.raises(BadConfig, match="not overwritten"):
        exported(memory_log, tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_text() == "mine"


def test_without_a_proof_the_keys_remain_and_the_page_says_so(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    opened = memory_log.append(card())
    evidence = Evidence.without_proof(memory_log.bundle)
    export_record(opened, memory_log.key.key, tmp_path / "evidence", evidence)
    names = set(os.listdir(tmp_path / "evidence"))
    assert {"trusted_root.json", "log.vkey", "log-key.pem"} <= names
    assert not {"checkpoint.txt", "inclusion.tlog-proof", "bundle.sigstore.json"} & names
    assert "no proof was to be had" in (tmp_path / "evidence" / "CHECK.md").read_text()


def test_extra_data_of_a_proof_is_not_passed_on(memory_log: MemoryLog, tmp_path: Path) -> None:
    opened = memory_log.append(card())
    proof = memory_log.prove(opened)
    told = TlogProof(proof.index, proof.hashes, proof.checkpoint, b"whatever")
    evidence = Evidence.of(
        opened.record.envelope,
        memory_log.key.key,
        memory_log.bundle,
        told,
        memory_log.trust.witnesses(UK),
    )
    assert evidence.proof == proof


def test_a_proof_of_another_record_is_never_written(memory_log: MemoryLog) -> None:
    first, second = memory_log.append(card("first")), memory_log.append(card("second"))
    with pytest.raises(BadProof):
        Evidence.of(
            first.record.envelope,
            memory_log.key.key,
            memory_log.bundle,
            memory_log.prove(second),
            [],
        )


def test_a_proof_of_another_institutes_log_is_never_written(
    memory_log: MemoryLog, signing_key: SigningKey
) -> None:
    other = MemoryLog(CA, signing_key)
    opened = memory_log.append(card())
    other.leaves = list(memory_log.leaves)
    with pytest.raises(ComityError, match="known key"):
        Evidence.of(
            opened.record.envelope, memory_log.key.key, memory_log.bundle, other.prove(opened), []
        )


def test_the_page_names_the_digest_and_type_that_cosign_asks_for(
    memory_log: MemoryLog, tmp_path: Path
) -> None:
    opened = memory_log.append(card())
    export_record(opened, memory_log.key.key, tmp_path / "e", memory_log.evidence(opened))
    blocks = blocks_of((tmp_path / "e" / "CHECK.md").read_text())
    cosign = [block for block in blocks if block.startswith("cosign")]
    digest = opened.statement.subject[0].digest.sha256
    wanted = f"--type urn:comity:model-card:v1 --digest {digest} --digestAlg sha256"
    assert [wanted in block for block in cosign] == [True, True]
    assert ["--insecure-ignore-tlog" in block for block in cosign] == [True, False]
