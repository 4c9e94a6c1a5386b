"""TUF root metadata, read strictly (The Update Framework specification 1.0, section 4.3).

python-tuf is lenient: it does not check types, keeps unknown fields, and accepts any name for a
key. Invariants of the metadata that this module returns: it is written in the spelling in which it
is signed; it has no unknown field; its keys are ECDSA P-256 and named by their fingerprint, so that
no key counts twice; the four roles that TUF demands name the same keys and threshold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from securesystemslib.signer import Key, SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import TOP_LEVEL_ROLE_NAMES, Metadata, Role
from tuf.api.metadata import Root as TufRoot

from comity.record import ijson
from comity.record.errors import BadRoot, InvalidInput
from comity.record.keys import RecordKey
from comity.record.limits import (
    MAX_ROOT_BYTES,
    MAX_ROOT_KEYS,
    MAX_ROOT_SIGNATURES,
    MAX_ROOT_VERSION,
)

ROOT: Final = "root"
SPECIFICATION: Final = "1.0.31"

_SIGNATURE: Final = re.compile(r"(?:[0-9a-f]{2}){8,80}")
_FIELDS: Final = {"signatures", "signed"}
_SIGNED_FIELDS: Final = {
    "_type",
    "consistent_snapshot",
    "expires",
    "keys",
    "profile",
    "roles",
    "spec_version",
    "version",
}


def read_metadata(data: bytes) -> Metadata[TufRoot]:
    """Read a root's file. Neither signatures nor the profile are checked.

    Raises:
        LimitExceeded: over MAX_ROOT_BYTES or MAX_ROOT_KEYS.
        MalformedJson: not I-JSON.
        BadRoot: not TUF root metadata in this form; names the field.
    """
    MAX_ROOT_BYTES.check(len(data), "root")
    value = ijson.loads(data, field="root")
    _check_shape(value)

    # parsed a second time, because python-tuf takes apart the value that it is given
    metadata = _parse(ijson.loads(data))
    if metadata.signed.to_dict() != value["signed"]:
        raise BadRoot("expected TUF root metadata in its one spelling", field="signed")
    return metadata


def write_metadata(signed: Mapping[str, Any], signatures: list[dict[str, str]]) -> bytes:
    """Return a root's file: the JCS form and a line feed."""
    return ijson.canonical({"signatures": signatures, "signed": signed}) + b"\n"


def unsigned(
    keys: Mapping[str, RecordKey], threshold: int, expires: str, version: int, profile: Any
) -> dict[str, Any]:
    """Return the field ``signed`` of a root."""
    # TUF demands four roles; Comity has no use for the other three, so all name the same keys
    roles = {
        name: {"keyids": sorted(keys), "threshold": threshold} for name in TOP_LEVEL_ROLE_NAMES
    }

    return {
        "_type": ROOT,
        "consistent_snapshot": True,
        "expires": expires,
        "keys": {keyid: _described(key) for keyid, key in keys.items()},
        "profile": profile,
        "roles": roles,
        "spec_version": SPECIFICATION,
        "version": version,
    }


def read_keys(signed: TufRoot) -> dict[str, RecordKey]:
    """Return the keys of a root by keyid.

    Raises:
        BadRoot: a key is not ECDSA P-256, is not named by its fingerprint, or the roles differ.
    """
    keys = {keyid: _key(keyid, key) for keyid, key in signed.keys.items()}
    for name in sorted(TOP_LEVEL_ROLE_NAMES):
        _check_role(name, signed.roles[name], signed.roles[ROOT], set(keys))
    return keys


def _check_shape(value: Any) -> None:
    """Check types, lengths and field names, which python-tuf does not check."""
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise BadRoot(f"expected {_names(_FIELDS)}, got {_names(value)}", field="root")

    signed, signatures = value["signed"], value["signatures"]
    if not isinstance(signed, dict) or set(signed) != _SIGNED_FIELDS:
        raise BadRoot(f"expected {_names(_SIGNED_FIELDS)}, got {_names(signed)}", field="signed")

    # a bool is an int to Python, so isinstance would accept true
    version = signed["version"]
    if type(version) is not int or not 1 <= version <= MAX_ROOT_VERSION:
        message = f"expected a version from 1 to {MAX_ROOT_VERSION}, got {version!r:.80}"
        raise BadRoot(message, field="signed.version")

    if not isinstance(signed["keys"], dict):
        raise BadRoot("expected an object", field="signed.keys")
    MAX_ROOT_KEYS.check(len(signed["keys"]), "signed.keys")
    _check_signatures(signatures)


def _check_signatures(signatures: Any) -> None:
    if not isinstance(signatures, list):
        raise BadRoot("expected a list", field="signatures")
    MAX_ROOT_SIGNATURES.check(len(signatures), "signatures")
    for position, item in enumerate(signatures):
        field = f"signatures[{position}]"
        if not isinstance(item, dict) or set(item) != {"keyid", "sig"}:
            raise BadRoot(f"expected keyid, sig, got {_names(item)}", field=field)
        if not isinstance(item["keyid"], str):
            raise BadRoot("expected text", field=f"{field}.keyid")
        if not isinstance(item["sig"], str) or not _SIGNATURE.fullmatch(item["sig"]):
            raise BadRoot("expected 8 to 80 bytes in lower-case hex", field=f"{field}.sig")


def _parse(value: Any) -> Metadata[TufRoot]:
    try:
        # python-tuf refuses two signatures under one keyid, and roles other than the four
        metadata: Metadata[TufRoot] = Metadata.from_dict(value)
        _ = metadata.signed_bytes
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRoot(f"expected TUF root metadata: {error!s:.200}", field="root") from error
    except RepositoryError as error:
        message = "expected what canonical JSON can express: no fractions"
        raise BadRoot(message, field="signed") from error
    if not isinstance(metadata.signed, TufRoot):
        raise BadRoot(f"expected root, got {metadata.signed.type}", field="signed._type")
    return metadata


def _key(keyid: str, key: Key) -> RecordKey:
    field = f"signed.keys.{keyid:.80}"
    try:
        found = RecordKey.from_pem(str(key.keyval.get("public")))
    except InvalidInput as error:
        raise BadRoot(error.message, field=field) from error

    # under a second name the same key would count twice towards the threshold
    if found.keyid != keyid:
        raise BadRoot(f"expected the key's fingerprint {found.keyid}", field=field)
    if key.to_dict() != _described(found):
        raise BadRoot("expected ecdsa-sha2-nistp256 and a public key in PEM", field=field)
    return found


def _check_role(name: str, role: Role, root: Role, keyids: set[str]) -> None:
    field = f"signed.roles.{name}"
    if set(role.keyids) != keyids or not keyids:
        message = f"expected all {len(keyids)} keys, and at least 1, got {len(role.keyids)}"
        raise BadRoot(message, field=f"{field}.keyids")
    if type(role.threshold) is not int or not 1 <= role.threshold <= len(keyids):
        message = f"expected 1 to {len(keyids)}, got {role.threshold!r:.80}"
        raise BadRoot(message, field=f"{field}.threshold")
    if role != root:
        raise BadRoot("expected the keys and threshold of root", field=field)


def _described(key: RecordKey) -> dict[str, Any]:
    described: dict[str, Any] = SSlibKey.from_crypto(key.public, keyid=key.keyid).to_dict()
    return described


def _names(value: Any) -> str:
    if isinstance(value, dict | set):
        return f"{', '.join(sorted(value))!s:.200}" or "nothing"
    return type(value).__name__
