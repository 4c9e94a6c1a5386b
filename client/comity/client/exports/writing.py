"""Writing of exports: a record as plain files, for tools that know nothing of Comity.

    record.record.json          the record file
    envelope.json               DSSE, JSON form
    payload.json                the exact payload; its SHA-256 is the record id
    pae.bin                     the exact bytes that were signed
    signature.der               ECDSA P-256, DER
    public-key.pem              the signing key, from its institute's trust bundle
    disclosures/00-risks.txt    one for each disclosed section; its SHA-256 stands in the header
    withdrawal.record.json      the issuer's notice, if the issuer has withdrawn the record
    page.html                   a page that shows the record to a person
    …                           with evidence, the files that ``verify.evidence`` lists
    SHA256SUMS                  SHA-256 of all of these
    CHECK.md                    how to check them with other tools

The files go to a folder or a zip. Invariants: only a record that passed every check is exported.
The name of a disclosure's file consists of ``[a-z0-9-]``, whatever its section is called. No file
is overwritten.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from comity.client.exports.check_page import check_page
from comity.client.exports.record_page import PAGE_FILE, record_page
from comity.client.exports.zip_archive import ZIP_SUFFIX, write_archive
from comity.client.files import write_file
from comity.client.verify.evidence import Evidence
from comity.client.verify.record_view import RecordView
from comity.record import ijson
from comity.record.envelope import Envelope, pae
from comity.record.errors import BadConfig
from comity.record.keys import RecordKey
from comity.record.record import OpenedRecord
from comity.record.withdrawal import Withdrawal

RECORD_FILE: Final = "record.record.json"
ENVELOPE_FILE: Final = "envelope.json"
PUBLIC_KEY_FILE: Final = "public-key.pem"
WITHDRAWAL_FILE: Final = "withdrawal.record.json"
SUMS_FILE: Final = "SHA256SUMS"
DISCLOSURES: Final = "disclosures"

_ID_CHARS: Final = 12
"""Hex digits of the record id in the name of a zip's folder."""

_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_MAX_STEM: Final = 40
"""Characters of a section's name in the name of its file."""


def export_record(
    opened: OpenedRecord,
    key: RecordKey,
    output: Path,
    evidence: Evidence | None = None,
    withdrawal: Withdrawal | None = None,
) -> None:
    """Write the files of a record to a folder, or to a zip if ``output`` ends in ``.zip``.

    ``key`` is the key that signed the record. The folder is made unless it exists. ``withdrawal``
    is the notice by which the issuer withdrew the record, which is never exported without it.

    Raises:
        BadConfig: the folder is not empty, the zip exists, or a file cannot be written.
    """
    files = _files(opened, key, evidence, withdrawal)
    if output.suffix == ZIP_SUFFIX:
        write_file(output, write_archive(f"record-{opened.record_id[:_ID_CHARS]}", files))
    else:
        _write_folder(output, files)


def _files(
    opened: OpenedRecord,
    key: RecordKey,
    evidence: Evidence | None,
    withdrawal: Withdrawal | None,
) -> dict[str, bytes]:
    envelope = opened.record.envelope
    disclosures = _disclosure_files(opened)
    files = {
        RECORD_FILE: opened.record.to_json(),
        ENVELOPE_FILE: ijson.canonical(envelope.to_json()) + b"\n",
        **signed_files(envelope),
        PUBLIC_KEY_FILE: key.pem.encode(),
        **{f"{DISCLOSURES}/{name}": data for name, data in disclosures.items()},
        **({WITHDRAWAL_FILE: withdrawal.notice.record.to_json()} if withdrawal else {}),
        **(evidence.files(envelope, key) if evidence else {}),
    }
    notice = withdrawal.notice.record if withdrawal else None
    proof = evidence.proof if evidence else None
    files[PAGE_FILE] = record_page(RecordView.of(opened), notice, proof)

    # the sums cover every file but themselves and CHECK.md, which tells how to use them
    files[SUMS_FILE] = _sums(files)
    files["CHECK.md"] = check_page(opened, disclosures, evidence, withdrawal).encode()
    return files


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            message = "expected an empty or new folder, got one with files in it"
            raise BadConfig(message, field=str(folder))
        (folder / DISCLOSURES).mkdir(mode=0o700)
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(folder)) from error

    for name, data in files.items():
        write_file(folder / name, data)


def signed_files(envelope: Envelope) -> dict[str, bytes]:
    """Return by name the files that an envelope alone determines."""
    return {
        "payload.json": envelope.payload,
        "pae.bin": pae(envelope.payload_type, envelope.payload),
        "signature.der": envelope.signature,
    }


def _disclosure_files(opened: OpenedRecord) -> dict[str, bytes]:
    return {
        f"{index:02}{_stem(disclosure.name)}.txt": disclosure.encoded
        for index, disclosure in sorted(opened.disclosures.items())
    }


def _stem(section: str) -> str:
    # a section's name comes from a stranger: ../../.bashrc must stay inside the folder
    stem = _UNSAFE.sub("-", section.lower()).strip("-")[:_MAX_STEM]
    return f"-{stem}" if stem else ""


def _sums(files: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    return "".join(lines).encode()
