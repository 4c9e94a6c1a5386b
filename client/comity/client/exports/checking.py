"""Exports, read back and verified: folders and zips, with evidence or without.

Steps 1 to 8 are the record's (``verification``); then

(9) files     the other files say the same as the envelope, and SHA256SUMS of all of them
(…)           ``log_steps`` where there is evidence, ``key_steps`` where keys or roots call for it

Invariants: of a folder only files that an export has are read; everything is read once, within
limits, and nothing is written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from comity.client.exports.writing import (
    DISCLOSURES,
    ENVELOPE_FILE,
    PUBLIC_KEY_FILE,
    RECORD_FILE,
    SUMS_FILE,
    signed_files,
)
from comity.client.exports.zip_archive import (
    MAX_ARCHIVE_BYTES,
    MAX_ARCHIVE_FILES,
    ZIP_SUFFIX,
    read_archive,
)
from comity.client.files import BUNDLE_SUFFIX, ROOT_SUFFIX, load_record, naming, read_file
from comity.client.verify import evidence
from comity.client.verify.key_steps import check_keys
from comity.client.verify.log_steps import LogSteps
from comity.client.verify.record_steps import check_record
from comity.client.verify.steps import Verification, Walk
from comity.client.verify.trust import Trust
from comity.record.envelope import Envelope
from comity.record.errors import BadConfig, BadEvidence, InvalidInput
from comity.record.keys import RecordKey
from comity.record.record import Record
from comity.record.tlog_policy import LogPolicy

_NAMES: Final = (
    *(RECORD_FILE, ENVELOPE_FILE, PUBLIC_KEY_FILE, SUMS_FILE),
    *("payload.json", "pae.bin", "signature.der"),
    *(evidence.PROOF_FILE, evidence.CHECKPOINT_FILE, evidence.SIGSTORE_FILE, evidence.LEAF_FILE),
    *(evidence.TRUSTED_ROOT_FILE, evidence.LOG_KEY_FILE, evidence.LOG_PEM_FILE),
    evidence.WITNESS_KEY_FILE,
)
_PATTERNS: Final = (f"{DISCLOSURES}/*.txt", f"*{BUNDLE_SUFFIX}", f"*{ROOT_SUFFIX}")


def verify_path(
    path: Path, trust: Trust, now: datetime, policy: LogPolicy | None = None
) -> Verification:
    """Take all steps on a record file, or on an exported folder or zip.

    Raises:
        BadConfig: missing or unreadable, or there is no envelope in it.
        BadArchive: a zip that is not let in.
        LimitExceeded, MalformedJson, MalformedEnvelope: there is no envelope to verify.
    """
    exported = path.is_dir() or path.suffix == ZIP_SUFFIX
    files = _read(path) if exported else {}
    record = _record(path, files) if exported else load_record(path)
    verification = check_record(record, trust, now)
    walk = Walk(verification.steps)
    if exported:
        check = partial(_check_files, files, record)
        walk.take("files", "the other files say the same", check)
    log_steps = LogSteps(files, verification, trust, now, policy)
    log_steps.take(walk)
    verification = replace(verification, steps=walk.steps, witnessed_time=log_steps.witnessed_time)
    return check_keys(verification, trust, now, log_steps.index)


def _read(path: Path) -> dict[str, bytes]:
    return _read_folder(path) if path.is_dir() else read_archive(path)


def _read_folder(folder: Path) -> dict[str, bytes]:
    named = (folder / name for name in _NAMES)
    globbed = (path for pattern in _PATTERNS for path in sorted(folder.glob(pattern)))
    # a pipe would be waited for, for ever
    found = [path for path in (*named, *globbed) if path.is_file()]
    MAX_ARCHIVE_FILES.check(len(found), str(folder))
    files: dict[str, bytes] = {}
    used = 0
    for path in found:
        data = read_file(path, MAX_ARCHIVE_BYTES, used)
        files[path.relative_to(folder).as_posix()] = data
        used += len(data)
    return files


def _record(path: Path, files: Mapping[str, bytes]) -> Record:
    if ENVELOPE_FILE not in files:
        raise BadConfig(f"expected an export, with {ENVELOPE_FILE} in it", field=str(path))
    names = sorted(name for name in files if name.startswith(f"{DISCLOSURES}/"))
    with naming(path / ENVELOPE_FILE):
        envelope = Envelope.from_json(files[ENVELOPE_FILE])
    return Record(envelope, tuple(files[name] for name in names))


def _check_files(files: Mapping[str, bytes], record: Record) -> str:
    differing = list(dict.fromkeys([*_compare(files, record), *_compare_sums(files)]))
    if differing:
        raise BadEvidence(f"not what the envelope says: {', '.join(differing)}")
    return "agree"


def _compare(files: Mapping[str, bytes], record: Record) -> Iterator[str]:
    """Yield the names of files that are missing or do not follow from the record."""
    for name, expected in signed_files(record.envelope).items():
        if files.get(name) != expected:
            yield name
    if _keyid(files.get(PUBLIC_KEY_FILE, b"")) != record.envelope.keyid:
        yield PUBLIC_KEY_FILE
    try:
        whole = Record.from_json(files.get(RECORD_FILE, b""))
    except InvalidInput:
        yield RECORD_FILE
        return
    same_sections = set(whole.disclosures) == set(record.disclosures)
    if whole.envelope != record.envelope or not same_sections:
        yield RECORD_FILE


def _compare_sums(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the names of files that are missing or differ from what SHA256SUMS says."""
    if SUMS_FILE not in files:
        yield SUMS_FILE
    for line in files.get(SUMS_FILE, b"").decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        if name not in files or hashlib.sha256(files[name]).hexdigest() != digest:
            yield name


def _keyid(pem: bytes) -> str:
    try:
        return RecordKey.from_pem(pem.decode()).keyid
    except (UnicodeDecodeError, InvalidInput):
        return ""
