"""An export, shown to openssl and sha256sum, and by its own CHECK.md to whatever that calls."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from comity.client.exports.writing import export_record
from comity.client.verify.evidence import Evidence as Exported
from comity.record.keys import SigningKey
from comity.record.record import open_record
from interop.evidence import Evidence, changed
from interop.institute import NAME
from interop.tools import Report, Tool, output, system

_SHELL: Final = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def check_exports(report: Report, evidence: Evidence) -> None:
    """Export the record with its evidence, and show the files."""
    report.heading("An exported record")
    institute, folder = evidence.institute, evidence.folder / "exported"
    key = institute.key.key
    opened = open_record(institute.record, lambda _: (frozenset({NAME}), key))
    witnesses = [institute.witness.verifier]
    shown = Exported.of(institute.record.envelope, key, institute.bundle, evidence.proof, witnesses)
    export_record(opened, key, folder, shown)
    _check_page(report, folder)
    _check_signature(report, evidence, folder)
    _check_disclosures(report, evidence, folder)


def _check_page(report: Report, folder: Path) -> None:
    """Run every command of CHECK.md as it stands, and one on a file that was altered."""
    for step in (folder / "CHECK.md").read_text().split("\n## ")[1:]:
        number, _, title = step.partition("\n")[0].partition(". ")
        shell = Tool("CHECK.md", number, (system("env"), "-C", folder, "sh", "-e", "-c"))
        for command in _SHELL.findall(step):
            report.accepts(shell, title, command)
            if "leaf.json" in command:
                with changed(folder / "leaf.json"):
                    report.rejects(shell, "the same, its leaf altered", "leaf.json: OK", command)


def _check_signature(report: Report, evidence: Evidence, folder: Path) -> None:
    openssl = Tool("openssl", output("openssl", "version").split()[1], (system("openssl"),))
    key, signature, pae = (folder / name for name in ("public-key.pem", "signature.der", "pae.bin"))
    longer = evidence.file("longer", pae.read_bytes() + b"\n")
    stranger = evidence.file("stranger.pem", SigningKey.generate().key.pem)

    def dgst(key: Path, pae: Path) -> tuple[str | Path, ...]:
        return ("dgst", "-sha256", "-verify", key, "-signature", signature, pae)

    failure = "Verification failure"
    report.accepts(openssl, "the signature over pae.bin", *dgst(key, pae))
    report.rejects(openssl, "pae.bin and a byte more", failure, *dgst(key, longer))
    report.rejects(openssl, "another key", failure, *dgst(stranger, pae))


def _check_disclosures(report: Report, evidence: Evidence, folder: Path) -> None:
    version = output("sha256sum", "--version").split()[3]
    sha256sum = Tool("sha256sum", version, (system("sha256sum"), "--check", "--strict"))
    committed = [section.digest.sha256 for section in evidence.statement.predicate.sections]
    for file in sorted((folder / "disclosures").iterdir()):
        digest = committed[int(file.name[:2])]
        sums = evidence.file("sums", f"{digest}  {file}\n")
        report.accepts(sha256sum, f"{file.name}, as in the header", sums)
        file.write_bytes(file.read_bytes()[:-1] + b"_")
        report.rejects(sha256sum, f"{file.name}, altered", "FAILED", sums)
