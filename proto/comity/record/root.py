"""Roots: versions of an institute's profile, each signed by its offline keys (TUF).

A root is TUF root metadata (The Update Framework specification 1.0, section 4.3), read, checked and
written through python-tuf. Its field ``profile`` is a trust bundle: the data that peers pin of the
institute. TUF does not know this field, but keeps it and signs it with the other fields:

    {"signatures": [{"keyid": "SHA256:…", "sig": "<hex>"}, …],
     "signed": {"_type": "root", "spec_version": "1.0.31", "consistent_snapshot": true,
                "version": 3, "expires": "2027-01-31T00:00:00Z",
                "keys": {"SHA256:…": {…}}, "roles": {"root": {…}, …}, "profile": {…}}}

A client that trusts version N trusts version N+1 as well if (client workflow, section 5.3)
(1) 5.3.4 at least the threshold of keys of version N signed it, (2) 5.3.4 at least the threshold of
its own keys signed it, (3) 5.3.5 its version is exactly N+1, (4) it is of the same institute.
Whether the root is expired (5.3.10) is checked apart: an expired root is stale, not false.

``metadata`` checks the form, and that no key counts twice. Invariant: at every step of a chain,
a threshold of the offline keys signed the next version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tuf.api.metadata import Metadata
from tuf.api.metadata import Root as TufRoot

from comity.record import ijson, log
from comity.record.bundle import TrustBundle
from comity.record.errors import BadBundle, BadRoot, ExpiredRoot
from comity.record.keys import RecordKey, SigningKey
from comity.record.limits import MAX_BUNDLE_BYTES
from comity.record.metadata import ROOT, read_keys, read_metadata, unsigned, write_metadata
from comity.record.times import format_time


@dataclass(frozen=True)
class Root:
    """One version of an institute's root, well formed; its signatures are not yet verified.

    ``document`` is the file, byte by byte. ``keys`` are the offline keys by keyid; at least
    ``threshold`` of them must sign. ``expires`` is an aware UTC datetime in whole seconds.
    """

    document: bytes
    version: int
    expires: datetime
    threshold: int
    keys: Mapping[str, RecordKey]
    profile: TrustBundle
    _metadata: Metadata[TufRoot]

    @classmethod
    def parse(cls, data: bytes) -> Root:
        """Read a root's file.

        Raises:
            LimitExceeded: over MAX_ROOT_BYTES or MAX_ROOT_KEYS.
            MalformedJson: not I-JSON.
            BadRoot: not a root, or its profile is no trust bundle; names the field.
        """
        metadata = read_metadata(data)
        signed = metadata.signed
        return cls(
            document=data,
            version=signed.version,
            expires=signed.expires,
            threshold=signed.roles[ROOT].threshold,
            keys=read_keys(signed),
            profile=_profile(signed.unrecognized_fields["profile"]),
            _metadata=metadata,
        )

    @classmethod
    def draft(
        cls,
        profile: TrustBundle,
        keys: Iterable[RecordKey],
        threshold: int,
        expires: datetime,
        version: int = 1,
    ) -> Root:
        """Return a version without signatures. ``expires`` is an aware datetime.

        Raises:
            LimitExceeded: over MAX_ROOT_BYTES or MAX_ROOT_KEYS.
            BadRoot: there are no keys, fewer keys than ``threshold``, or ``version`` is not from 1
                to MAX_ROOT_VERSION.
        """
        known = {key.keyid: key for key in keys}
        signed = unsigned(known, threshold, format_time(expires), version, profile.to_value())
        return cls.parse(write_metadata(signed, []))

    @property
    def institute(self) -> str:
        """Institute id."""
        return self.profile.institute

    @cached_property
    def signed_bytes(self) -> bytes:
        """The signed bytes: OLPC canonical JSON of the field ``signed`` (TUF, section 4.2.1)."""
        return self._metadata.signed_bytes

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the signed bytes, lower-case hex: the fingerprint that people compare."""
        return hashlib.sha256(self.signed_bytes).hexdigest()

    def signers(self, trusted: Root) -> list[str]:
        """Return the keyids of ``trusted`` that have signed this version, sorted."""
        signatures = self._metadata.signatures
        # python-tuf verifies the signatures and counts each keyid of the role once
        signed = trusted._metadata.signed
        return sorted(signed.get_verification_result(ROOT, self.signed_bytes, signatures).signed)

    def sign(self, key: SigningKey) -> Root:
        """Return this version with a signature of ``key``, which replaces an earlier one."""
        # TUF, section 4.2.1: one signature for each keyid
        value = ijson.loads(self.document)
        others = [item for item in value["signatures"] if item["keyid"] != key.key.keyid]
        made = {"keyid": key.key.keyid, "sig": key.sign(self.signed_bytes).hex()}
        return Root.parse(write_metadata(value["signed"], [*others, made]))

    def leaf(self) -> bytes:
        """Return the leaf of this version in the institute's log.

        It holds the first signature, in the order of keyids, of one of its own keys.

        Raises:
            BadRoot: no signature of its own keys verifies.
        """
        signers = self.signers(self)
        if not signers:
            raise BadRoot("expected a signature of one of its keys, got none", field="signatures")
        signature = bytes.fromhex(self._metadata.signatures[signers[0]].signature)
        return log.hashedrekord(self.signed_bytes, signature, self.keys[signers[0]])

    def check_fresh(self, now: datetime) -> None:
        """Check that the root is not expired (TUF, 5.3.10). ``now`` is an aware datetime.

        Raises:
            ExpiredRoot: ``now`` is not before ``expires``.
        """
        if now >= self.expires:
            message = f"expected a time before {format_time(self.expires)}, got {format_time(now)}"
            message += " by this clock"
            hint = f"{self.institute} has to publish a new version of its root"
            raise ExpiredRoot(message, field="signed.expires", hint=hint)


def first(root: Root) -> Root:
    """Check the first root of a chain, whose fingerprint a person has compared; return it.

    Raises:
        BadRoot: fewer of its own keys than its threshold signed it.
    """
    _check_threshold(root, root, "its own")
    return root


def follow(current: Root, new: Root) -> Root:
    """Check that ``new`` is the version after ``current``, which is trusted; return ``new``.

    Raises:
        BadRoot: one of the steps (1) to (4) failed; says which and how.
    """
    _check_threshold(new, current, f"version {current.version}'s")  # (1) 5.3.4
    _check_threshold(new, new, "its own")  # (2) 5.3.4
    if new.version != current.version + 1:  # (3) 5.3.5
        message = f"expected version {current.version + 1}, got {new.version}"
        raise BadRoot(message, field="signed.version")
    if new.institute != current.institute:  # (4)
        message = f"expected {current.institute}, got {new.institute}"
        raise BadRoot(message, field="signed.profile.institute")
    return new


def _check_threshold(root: Root, trusted: Root, whose: str) -> None:
    got, wanted = len(root.signers(trusted)), trusted.threshold
    if got < wanted:
        keys = f"{whose} {len(trusted.keys)} keys"
        message = f"expected signatures of {wanted} of {keys}, got {got}"
        raise BadRoot(f"version {root.version}: {message}", field="signatures")


def _profile(value: Any) -> TrustBundle:
    try:
        profile = TrustBundle.from_value(value)
    except BadBundle as error:
        field = f"signed.profile.{error.field}".removesuffix(".bundle")
        raise BadRoot(error.message, field=field) from error
    # a profile is pinned, so it must fit where a bundle fits
    MAX_BUNDLE_BYTES.check(len(profile.to_json()), "signed.profile")
    return profile
