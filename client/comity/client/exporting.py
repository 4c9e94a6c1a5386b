"""Exports: a record as plain files, for tools that know nothing of Comity.

    record.record.json          the record file
    envelope.json               DSSE, JSON form
    payload.json                the exact payload; its SHA-256 is the record id
    pae.bin                     the exact bytes that were signed
    signature.der               ECDSA P-256, DER
    public-key.pem              the signing key, from its institute's trust bundle
    disclosures/00-risks.txt    one a disclosed section; its SHA-256 stands in the header
    SHA256SUMS                  of all of these
    CHECK.md                    how to check them with openssl, sha256sum and securesystemslib

Invariants: only a record that passed every check is exported; file names are made of
``[a-z0-9-]``, whatever a section is called; nothing is ever overwritten.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from comity.client.files import (
    MAX_RECORD_FILE_BYTES,
    load_record,
    naming,
    read_file,
    write_file,
)
from comity.client.verification import Outcome, Step, Verification, verify_record
from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.envelope import Envelope, pae
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import RecordKey
from comity.record.limits import MAX_DISCLOSURE_BYTES, MAX_SECTIONS
from comity.record.record import OpenedRecord, Record

ENVELOPE_FILE: Final = "envelope.json"
RECORD_FILE: Final = "record.record.json"
PUBLIC_KEY_FILE: Final = "public-key.pem"
_UNSAFE: Final = re.compile(r"[^a-z0-9]+")
_MAX_STEM: Final = 40


def export_record(opened: OpenedRecord, key: RecordKey, folder: Path) -> None:
    """Write the files of a record into ``folder``, which is made; ``key`` signed it.

    Raises:
        BadConfig: the folder is not empty, or cannot be written.
    """
    envelope = opened.record.envelope
    files = {
        RECORD_FILE: opened.record.to_json(),
        ENVELOPE_FILE: ijson.canonical(envelope.to_json()) + b"\n",
        **_signed_files(envelope),
        PUBLIC_KEY_FILE: key.pem.encode(),
    }
    files |= {f"disclosures/{name}": data for name, data in _disclosure_files(opened).items()}
    files["SHA256SUMS"] = _sums(files)
    files["CHECK.md"] = _instructions(opened).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            message = "expected an empty or new folder, got one with files in it"
            raise BadConfig(message, field=str(folder))
        (folder / "disclosures").mkdir()
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(folder)) from error
    for name, data in files.items():
        write_file(folder / name, data)


def verify_export(folder: Path, bundles: Iterable[TrustBundle], now: datetime) -> Verification:
    """Verify an exported folder: what its envelope and disclosures say, and then the other files.

    Raises:
        BadConfig: a file is missing or unreadable.
        LimitExceeded, MalformedJson, MalformedEnvelope: there is no envelope to verify.
    """
    record = _load(folder)
    verification = verify_record(record, bundles, now)
    differing = [name for name, same in _compare(folder, record) if not same]
    detail = f"not what the envelope says: {', '.join(differing)}" if differing else "agree"
    step = Step(
        number=len(verification.steps) + 1,
        name="files",
        spec="the other files say the same",
        outcome=Outcome.FAILED if differing else Outcome.OK,
        detail=detail,
        reason=InvalidInput.reason if differing else "",
    )
    return replace(verification, steps=(*verification.steps, step))


def _load(folder: Path) -> Record:
    data = read_file(folder / ENVELOPE_FILE, "MAX_RECORD_FILE_BYTES", MAX_RECORD_FILE_BYTES)
    paths = sorted((folder / "disclosures").glob("*.txt"))[: MAX_SECTIONS + 1]
    limit, maximum = "MAX_DISCLOSURE_BYTES", MAX_DISCLOSURE_BYTES
    disclosures = tuple(read_file(path, limit, maximum) for path in paths)
    with naming(folder / ENVELOPE_FILE):
        return Record(Envelope.from_json(data), disclosures)


def _compare(folder: Path, record: Record) -> Iterator[tuple[str, bool]]:
    for name, expected in _signed_files(record.envelope).items():
        data = read_file(folder / name, "MAX_RECORD_FILE_BYTES", MAX_RECORD_FILE_BYTES)
        yield name, data == expected
    pem = read_file(folder / PUBLIC_KEY_FILE, "MAX_RECORD_FILE_BYTES", MAX_RECORD_FILE_BYTES)
    yield PUBLIC_KEY_FILE, _keyid(pem) == record.envelope.keyid
    whole = load_record(folder / RECORD_FILE)
    same_sections = set(whole.disclosures) == set(record.disclosures)
    yield RECORD_FILE, whole.envelope == record.envelope and same_sections


def _keyid(pem: bytes) -> str:
    try:
        return RecordKey.from_pem(pem.decode()).keyid
    except (UnicodeDecodeError, InvalidInput):
        return ""


def _signed_files(envelope: Envelope) -> dict[str, bytes]:
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
    # section names come from strangers: ../../.bashrc must stay inside the folder
    stem = _UNSAFE.sub("-", section.lower()).strip("-")[:_MAX_STEM]
    return f"-{stem}" if stem else ""


def _sums(files: dict[str, bytes]) -> bytes:
    lines = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    return "".join(lines).encode()


def _instructions(opened: OpenedRecord) -> str:
    envelope = opened.record.envelope
    rows = [
        f"| `disclosures/{name}` | `{hashlib.sha256(data).hexdigest()}` |"
        for name, data in _disclosure_files(opened).items()
    ]
    withheld = len(opened.statement.predicate.sections) - len(rows)
    return _CHECK.format(
        record_id=opened.record_id,
        keyid=envelope.keyid,
        institute=opened.statement.issuer.institute,
        payload_type=envelope.payload_type,
        type_length=len(envelope.payload_type),
        payload_length=len(envelope.payload),
        disclosures="\n".join(rows) or "| none | |",
        withheld=withheld,
    )


_CHECK: Final = """\
# How to check this record

Record `{record_id}`,
signed with key `{keyid}` of `{institute}`.

Run the commands in this folder. They need openssl, ssh-keygen and coreutils, and for step 5
Python with securesystemslib and cryptography; nothing of Comity.

## 1. The files are those that were exported

```sh
sha256sum --check --strict SHA256SUMS
```

## 2. The key is the institute's

```sh
ssh-keygen -i -m PKCS8 -f public-key.pem | ssh-keygen -l -f -
```

must print `{keyid}`. That this key
is `{institute}`'s cannot be seen from these files: compare it with the institute's
trust bundle, or ask the institute.

## 3. The signature is good

```sh
printf 'DSSEv1 {type_length} {payload_type} {payload_length} ' | cat - payload.json | cmp - pae.bin
openssl dgst -sha256 -verify public-key.pem -signature signature.der pae.bin
```

must print nothing and then `Verified OK`. The record id is the payload's digest:

```sh
sha256sum payload.json
```

## 4. The sections are those that were signed

```sh
for file in disclosures/*.txt; do
  [ -e "$file" ] || continue
  grep -q "$(sha256sum < "$file" | cut -d ' ' -f 1)" payload.json && echo "$file: OK"
done
```

must print a line for each of these; {withheld} more sections were withheld.

| file | SHA-256, as in payload.json |
| --- | --- |
{disclosures}

To read one: `basenc --decode --base64url` after padding it with `=` to a multiple of 4.

## 5. The same with securesystemslib

```sh
python3 - <<'EOF'
import json, pathlib
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

key = SSlibKey.from_crypto(
    load_pem_public_key(pathlib.Path("public-key.pem").read_bytes()),
    keyid="{keyid}",
)
envelope = Envelope.from_dict(json.loads(pathlib.Path("envelope.json").read_text()))
print("accepted:", ", ".join(envelope.verify([key], 1)))
EOF
```
"""
