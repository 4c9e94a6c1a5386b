"""Steps on keys over time: is the key revoked, and does the issuer's profile still hold?

(h) key validity    a key that is revoked from index n of its log speaks for entries before n only
(i) profile         the issuer's root has not expired (TUF 1.0, section 5.3.10)

The letters go on from ``log_steps``. Invariant: a clock alone never makes a record invalid. A
record of a revoked key counts by its place in the log; an expired profile makes a record stale.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial

from comity.client.verify.steps import Verification, Walk
from comity.client.verify.trust import Trust
from comity.record.bundle import TrustBundle
from comity.record.errors import RevokedKey, Unproven
from comity.record.root import Root
from comity.record.times import format_time


def check_keys(
    verification: Verification, trust: Trust, now: datetime, index: int | None = None
) -> Verification:
    """Take steps (h) and (i), if they apply.

    ``index`` is the record's proved place in its issuer's log, from 0. None means that no place was
    proved.
    """
    if verification.statement is None:
        return verification
    institute = verification.statement.issuer.institute
    walk = Walk(verification.steps)

    # (h) the time in the record does not count: a thief of the key can write any time
    revoked = _revoked_from(trust.bundle(institute), verification.record.envelope.keyid)
    if revoked is not None:
        check = partial(_check_revocation, revoked, index)
        walk.take("key validity", "revocation by log index", check, "issuer")

    # (i) TUF 1.0, section 5.3.10: expiry of the root
    root = trust.root(institute)
    if root is not None:
        walk.take("profile", "TUF 1.0, section 5.3.10", partial(_check_fresh, root, now))

    expiry = root.expires if root else None
    return replace(verification, steps=walk.steps, expiry=expiry)


def _revoked_from(bundle: TrustBundle | None, keyid: str) -> int | None:
    listed = bundle.record_keys if bundle else ()
    return next((key.revoked_from for key in listed if key.keyid == keyid), None)


def _check_revocation(revoked: int, index: int | None) -> str:
    told = f"the key is revoked from index {revoked} of its log"
    if index is None:
        raise Unproven(f"{told}, and there is no proof of where the record stands")
    if index >= revoked:
        raise RevokedKey(f"{told}: expected a lower index, got {index}")
    return f"{told}: {index} is before"


def _check_fresh(root: Root, now: datetime) -> str:
    root.check_fresh(now)
    return f"version {root.version}, good until {format_time(root.expires)}"
