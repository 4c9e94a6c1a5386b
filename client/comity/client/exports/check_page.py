"""CHECK.md: a page that tells how to check an export without Comity, by commands to copy.

Invariant: everything put into a command was computed here, or has a form that was checked (digests,
key ids, institute ids). Text that a stranger chose, such as a section's name, never is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from comity.client.exports.check_page_text import (
    CHECK_TEXT,
    LOG_TEXT,
    NO_PROOF_TEXT,
    WITHDRAWN_TEXT,
)
from comity.client.verify.evidence import Evidence
from comity.record.checkpoint import Checkpoint
from comity.record.note import Note, Verifier
from comity.record.record import OpenedRecord
from comity.record.times import format_time
from comity.record.tlog_proof import TlogProof
from comity.record.withdrawal import Withdrawal

_KEYID_CHARS: Final = 5
"""Base64 digits of a signature line that depend on nothing but the key id's 4 bytes."""


def check_page(
    opened: OpenedRecord,
    disclosures: Mapping[str, bytes],
    evidence: Evidence | None,
    withdrawal: Withdrawal | None,
) -> str:
    """Return the page for an export. ``disclosures`` holds the files of that folder by name.

    ``evidence`` None means that the export was made without evidence. ``withdrawal`` None means
    that no notice of withdrawal was known.
    """
    # steps 1 to 5 of the page: files, key, signature and sections
    envelope = opened.record.envelope
    rows = [
        f"| `disclosures/{name}` | `{hashlib.sha256(data).hexdigest()}` |"
        for name, data in disclosures.items()
    ]
    page = CHECK_TEXT.format(
        record_id=opened.record_id,
        keyid=envelope.keyid,
        institute=opened.statement.issuer.institute,
        payload_type=envelope.payload_type,
        type_length=len(envelope.payload_type),
        payload_length=len(envelope.payload),
        disclosures="\n".join(rows) or "| none | |",
        withheld=len(opened.statement.predicate.sections) - len(rows),
        withdrawn=_withdrawn(withdrawal),
        tools="for step 5 Python with securesystemslib and cryptography" + _more_tools(evidence),
    )

    # steps 6 and 7 of the page: the log
    if evidence is None:
        return page
    if evidence.proof is None:
        return page + NO_PROOF_TEXT.format(institute=evidence.bundle.institute)
    return page + _on_the_log(opened, evidence, evidence.proof)


def _withdrawn(withdrawal: Withdrawal | None) -> str:
    if withdrawal is None:
        return ""
    # ids and a time only: the notice's own words come from a stranger
    return WITHDRAWN_TEXT.format(
        issuer=withdrawal.issuer,
        time=format_time(withdrawal.time),
        notice=withdrawal.notice.record_id,
    )


def _more_tools(evidence: Evidence | None) -> str:
    return ",\nfor step 7 cosign 3.0.4 or newer" if evidence and evidence.proof else ""


def _on_the_log(opened: OpenedRecord, evidence: Evidence, proof: TlogProof) -> str:
    note = Note.parse(proof.checkpoint)
    checkpoint = Checkpoint.parse(note.text)
    # the key that signed the checkpoint
    log_key = evidence.log_keys[0]
    return LOG_TEXT.format(
        institute=evidence.bundle.institute,
        log_key=log_key,
        line=_line_of(log_key),
        index=proof.index,
        size=checkpoint.size,
        path="\n".join(_path(proof, checkpoint.size)),
        witnesses="\n".join(f"- `{key}`" for key in evidence.witnesses) or "- none",
        predicate_type=opened.statement.predicate_type,
        digest=opened.statement.subject[0].digest.sha256,
    )


def _line_of(log_key: Verifier) -> str:
    """Return the beginning of the key's signature line in a note (C2SP signed-note)."""
    # the base64 is of key id and signature together
    keyid = base64.b64encode(log_key.keyid).decode()[:_KEYID_CHARS]
    return f"\N{EM DASH} {log_key.name} {keyid}"


def _path(proof: TlogProof, size: int) -> Iterator[str]:
    """Yield a line of shell for each hash, from the leaf to the root.

    RFC 9162, section 2.1.3.2, where ``node`` is *fn* and ``last`` is *sn*.
    """
    node, last = proof.index, size - 1
    for value in proof.hashes:
        if node % 2 or node == last:
            # the sibling is on the left; a last node without one moves up unchanged
            yield f'root=$(node {value.hex()} "$root")'
            while node and node % 2 == 0:
                node, last = node // 2, last // 2
        else:
            yield f'root=$(node "$root" {value.hex()})'
        node, last = node // 2, last // 2
