"""Verification of exports: folders and zips, with evidence or without.

(1) to (8)    those of ``record_steps``
(9) files     the other files say the same as the envelope, and SHA256SUMS fits them
(a) to (g)    those of ``log_steps``, if there is evidence or a policy
(h), (i)      those of ``key_steps``, if a revoked key or a root calls for them
(j)           that of ``withdrawal_steps``

Invariants: only files that an export can have are read from a folder. Each is read once, within
limits, and nothing is written.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from comity.client.exports.record_page import PAGE_FILE, record_page
from comity.client.exports.writing import (
    DISCLOSURES,
    ENVELOPE_FILE,
    PUBLIC_KEY_FILE,
    RECORD_FILE,
    SUMS_FILE,
    WITHDRAWAL_FILE,
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
from comity.client.verify.withdrawal_steps import check_notice
from comity.record.envelope import Envelope
from comity.record.errors import BadConfig, BadEvidence, InvalidInput
from comity.record.keys import RecordKey
from comity.record.record import Record
from comity.record.tlog_policy import LogPolicy
from comity.record.tlog_proof import TlogProof

_NAMES: Final = (
    *(RECORD_FILE, ENVELOPE_FILE, PUBLIC_KEY_FILE, WITHDRAWAL_FILE, SUMS_FILE),
    *("payload.json", "pae.bin", "signature.der"),
    *(evidence.PROOF_FILE, evidence.CHECKPOINT_FILE, evidence.SIGSTORE_FILE, evidence.LEAF_FILE),
    *(evidence.TRUSTED_ROOT_FILE, evidence.LOG_KEY_FILE, evidence.LOG_PEM_FILE),
    *(evidence.WITNESS_KEY_FILE, PAGE_FILE),
)
_CHECKED: Final = frozenset(
    {
        *(RECORD_FILE, ENVELOPE_FILE, PUBLIC_KEY_FILE, WITHDRAWAL_FILE, SUMS_FILE),
        *("payload.json", "pae.bin", "signature.der"),
        *(evidence.PROOF_FILE, evidence.CHECKPOINT_FILE, evidence.SIGSTORE_FILE),
        evidence.LEAF_FILE,
    }
)
"""Files that the envelope determines, or that a step of the log or the withdrawal checks."""

_SHOWN_NAMES: Final = 12
"""Names of files that a step lists; a folder can hold any number."""

_PATTERNS: Final = (f"{DISCLOSURES}/*.txt", f"*{BUNDLE_SUFFIX}", f"*{ROOT_SUFFIX}")


def verify_path(
    path: Path, trust: Trust, now: datetime, policy: LogPolicy | None = None
) -> Verification:
    """Take all steps on a record file, or on an exported folder or zip.

    ``policy`` names the witnesses whose cosignatures evidence must have; None means any or none.

    Raises:
        BadConfig: the path is missing or unreadable, or holds no envelope.
        BadArchive: the zip is malformed, or holds a name or file that is not accepted.
        LimitExceeded, MalformedJson, MalformedEnvelope: there is no envelope to verify.
    """
    exported = path.is_dir() or path.suffix == ZIP_SUFFIX
    files = _read(path) if exported else {}
    record = _record(path, files) if exported else load_record(path)

    # (1) to (8) the record
    verification = check_record(record, trust, now)
    walk = Walk(verification.steps)

    # (9) the files beside it
    if exported:
        check = partial(_check_files, files, _names(path, files), verification)
        walk.take("files", "the other files say the same", check)

    # (a) to (g) the log
    log_steps = LogSteps(files, verification, trust, now, policy)
    log_steps.take(walk)
    verification = replace(verification, steps=walk.steps, witnessed_time=log_steps.witnessed_time)

    # (h) and (i) the keys over time, by the record's proved place in the log
    verification = check_keys(verification, trust, now, log_steps.index)

    # (j) the notice of withdrawal
    return check_notice(verification, _notice(files), trust)


def _read(path: Path) -> dict[str, bytes]:
    return _read_folder(path) if path.is_dir() else read_archive(path)


def _read_folder(folder: Path) -> dict[str, bytes]:
    named = (folder / name for name in _NAMES)
    globbed = (path for pattern in _PATTERNS for path in sorted(folder.glob(pattern)))
    # a pipe is no file: reading it would wait for ever
    found = [path for path in (*named, *globbed) if path.is_file()]
    MAX_ARCHIVE_FILES.check(len(found), str(folder))

    # the limit is of all files together, as for a zip
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


def _notice(files: Mapping[str, bytes]) -> Envelope | None:
    if WITHDRAWAL_FILE not in files:
        return None
    with naming(Path(WITHDRAWAL_FILE)):
        return Record.from_json(files[WITHDRAWAL_FILE]).envelope


def _names(path: Path, files: Mapping[str, bytes]) -> list[str]:
    """Return the names of all files of an export, also of those that are not read."""
    if not path.is_dir():
        return list(files)
    found = itertools.islice(path.rglob("*"), MAX_ARCHIVE_FILES + 1)
    return [file.relative_to(path).as_posix() for file in found if not file.is_dir()]


def _check_files(
    files: Mapping[str, bytes], names: Sequence[str], verification: Verification
) -> str:
    compared = (*_compare(files, verification.record), *_compare_sums(files))
    differing = list(dict.fromkeys(compared))
    if differing:
        raise BadEvidence(f"not what the envelope says: {', '.join(differing)}")
    # keys that lie beside a record prove nothing, and nobody signed the sums of other files
    sections = {name for name in files if name.startswith(f"{DISCLOSURES}/")}
    pages = {PAGE_FILE} if _is_own_page(files, verification) else set()
    other = sorted(set(names) - _CHECKED - sections - pages)
    shown = ", ".join(other[:_SHOWN_NAMES]) + (", …" if len(other) > _SHOWN_NAMES else "")
    return f"agree; not checked: {shown}" if other else "agree"


def _compare(files: Mapping[str, bytes], record: Record) -> Iterator[str]:
    """Yield the names of files that are missing or do not follow from the record."""
    # the envelope determines payload, signed bytes (DSSE v1, PAE) and signature
    for name, expected in signed_files(record.envelope).items():
        if files.get(name) != expected:
            yield name
    if _keyid(files.get(PUBLIC_KEY_FILE, b"")) != record.envelope.keyid:
        yield PUBLIC_KEY_FILE

    # the record file holds the same envelope and disclosures, in any order
    try:
        whole = Record.from_json(files.get(RECORD_FILE, b""))
    except InvalidInput:
        yield RECORD_FILE
        return
    same_sections = set(whole.disclosures) == set(record.disclosures)
    if whole.envelope != record.envelope or not same_sections:
        yield RECORD_FILE


def _is_own_page(files: Mapping[str, bytes], verification: Verification) -> bool:
    """Return True if the page is the one that this version of Comity writes of the record."""
    if verification.view is None or PAGE_FILE not in files:
        return False
    try:
        notice = Record.from_json(files[WITHDRAWAL_FILE]) if WITHDRAWAL_FILE in files else None
        shown = files.get(evidence.PROOF_FILE)
        proof = TlogProof.parse(shown) if shown else None
        return files[PAGE_FILE] == record_page(verification.view, notice, proof)
    except InvalidInput:
        return False


def _compare_sums(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the names of files that SHA256SUMS lists and that are missing or differ."""
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
