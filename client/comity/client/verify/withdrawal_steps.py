"""The step that tells whether the issuer has withdrawn a record.

Nothing in a record can show that it stands: a notice may have come later. So the step passes only
on a node's word, is skipped where there is none, and says "withdrawn" where there is a notice.

Invariant: a record is called withdrawn only by a notice whose signature was checked.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from comity.client.verify.steps import Verification, Walk
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring
from comity.record.envelope import Envelope
from comity.record.errors import ComityError, WithdrawnRecord
from comity.record.record import FindKey, OpenedRecord, Record, open_record
from comity.record.times import format_time
from comity.record.withdrawal import Withdrawal, open_withdrawal

NOT_ASKED: Final = "cannot be seen offline; comity verify --ask asks your node"

_NAME: Final = "withdrawal"
_SPEC: Final = "Comity, record.withdrawal"


def check_notice(verification: Verification, notice: Envelope | None, trust: Trust) -> Verification:
    """Take the step with the notice that lies beside a record; None if there is none."""
    walk = Walk(verification.steps)
    if notice is None:
        walk.skip(_NAME, _SPEC, NOT_ASKED)
        return replace(verification, steps=walk.steps)

    find_key = Keyring(trust.bundles).find
    withdrawal = _open(verification.record, notice, find_key)
    walk.take(_NAME, _SPEC, partial(_tell, withdrawal), "key", "signature", "statement", "issuer")
    found = withdrawal if isinstance(withdrawal, Withdrawal) else None
    return replace(verification, steps=walk.steps, withdrawal=found)


def add_word(verification: Verification, withdrawal: Withdrawal | None, said: str) -> Verification:
    """Replace the step by a node's word: its notice, or else ``said``, that it knows of none."""
    if verification.withdrawal is not None:
        return verification

    walk = Walk(step for step in verification.steps if step.name != _NAME)
    walk.take(_NAME, _SPEC, (lambda: said) if withdrawal is None else partial(_tell, withdrawal))
    return replace(verification, steps=walk.steps, withdrawal=withdrawal)


def _open(record: Record, notice: Envelope, find_key: FindKey) -> Withdrawal | ComityError:
    try:
        # the header is enough to tell whose record it is
        opened: OpenedRecord = open_record(Record(record.envelope), find_key)
        return open_withdrawal(notice, opened, find_key)
    except ComityError as error:
        return error


def _tell(withdrawal: Withdrawal | ComityError) -> str:
    if isinstance(withdrawal, ComityError):
        raise withdrawal
    when, notice = format_time(withdrawal.time), withdrawal.notice.record_id
    raise WithdrawnRecord(f"withdrawn by {withdrawal.issuer} at {when}, notice {notice}")
