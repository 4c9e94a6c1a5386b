"""An auditor's offline check: a record as plain files, verified by securesystemslib.

Invariant: only the files in the folder are read, and nothing of Comity judges them.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from comity.record.errors import BadDisclosure, BadSignature
from demo.evidence import Exhibit


def verify_export(exhibit: Exhibit) -> dict[str, str]:
    """Check an exported record and a forged copy of it; return what was found, step by step.

    Of the exhibit only its files are read, and which record was asked for, by which key. Step names
    map to words for a person.

    Raises:
        BadSignature: the signature is not good, or the forgery's is taken for good.
        BadDisclosure: a file is not what the header commits to.
    """
    folder, record_id = exhibit.folder, exhibit.result.record_id
    keyid = exhibit.result.opened.record.envelope.keyid
    pem = (folder / "public-key.pem").read_bytes()
    key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid=keyid)
    signed = (folder / "envelope.json").read_bytes()
    try:
        accepted = Envelope.from_dict(json.loads(signed)).verify([key], 1)
    except VerificationError as error:
        raise BadSignature(f"refused by securesystemslib: {error}", field=str(folder)) from error
    payload = (folder / "payload.json").read_bytes()
    digest = hashlib.sha256(payload).hexdigest()
    if digest != record_id:
        raise BadSignature(f"expected the record {record_id}, got {digest}", field=str(folder))
    return {
        "signature": f"good, by {', '.join(accepted)}",
        "record id": "is the SHA-256 of payload.json",
        "sections": _check_sections(folder, json.loads(payload)),
        "forged copy": _check_forgery(signed, key),
    }


def _check_sections(folder: Path, statement: Any) -> str:
    committed = {s["digest"]["sha256"]: s["name"] for s in statement["predicate"]["sections"]}
    present = []
    for file in sorted((folder / "disclosures").glob("*.txt")):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        if digest not in committed:
            raise BadDisclosure(f"expected a digest of the header, got {digest}", field=file.name)
        present.append(committed.pop(digest))
    withheld = ", ".join(sorted(committed.values())) or "none"
    return f"{len(present)} match their digests in the header; withheld: {withheld}"


def _check_forgery(signed: bytes, key: SSlibKey) -> str:
    envelope = Envelope.from_dict(json.loads(signed))
    envelope.payload = envelope.payload.replace(b"Sample card", b"Forged card", 1)
    try:
        envelope.verify([key], 1)
    except VerificationError as error:
        return f"refused: {error}"
    raise BadSignature("expected the forged copy to be refused, got it accepted")
