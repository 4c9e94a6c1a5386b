"""The changes between two versions of a root, as lines of text for the holders who sign.

Invariant: every difference is one line, except ``spiffe_sequence``, which only counts versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.hashes import SHA256

from comity.node.trust.key_status import authority_id
from comity.record.bundle import TrustBundle
from comity.record.root import Root
from comity.record.times import format_time


def describe_changes(before: Root | None, after: Root) -> list[str]:
    """Return one line for each difference; if ``before`` is None, one for each field of ``after``.

    ``+`` is an addition, ``-`` a removal, ``!`` another state of a key, and ``name: old -> new``
    another value.
    """
    # holders first, since they decide about everything that follows
    lines = [*_listed("root key", _root_keys(before), _root_keys(after))]
    if before is None or before.threshold != after.threshold:
        lines.append(f"threshold: {_was(before and before.threshold)}{after.threshold}")
    lines.append(f"expires: {_was(before and format_time(before.expires))}{_expiry(after)}")
    lines += _profile(before.profile if before else None, after.profile)
    return lines


def _expiry(root: Root) -> str:
    return format_time(root.expires)


def _profile(before: TrustBundle | None, after: TrustBundle) -> Iterator[str]:
    for name in ("institute", "address"):
        old, new = before and getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {_was(old)}{new}"

    yield from _listed("name", before.names if before else {}, after.names)
    yield from _listed("record key", _record_keys(before), _record_keys(after))
    for use in ("log", "witness"):
        yield from _listed(f"{use} key", _note_keys(before, use), _note_keys(after, use))
    yield from _listed("authority", _authorities(before), _authorities(after))

    old = before.spiffe.spiffe_refresh_hint if before else None
    if old != after.spiffe.spiffe_refresh_hint:
        yield f"refresh hint: {_was(old)}{after.spiffe.spiffe_refresh_hint} s"


def _listed(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    # in the order of the version before, with the additions last
    for key in (*before, *(key for key in after if key not in before)):
        if key not in after:
            yield f"- {what} {key}"
        elif key not in before:
            yield f"+ {what} {key}{after[key] and f': {after[key]}'}"
        elif before[key] != after[key]:
            yield f"! {what} {key}: {before[key] or 'in force'} -> {after[key] or 'in force'}"


def _root_keys(root: Root | None) -> dict[str, str]:
    return dict.fromkeys(root.keys, "") if root else {}


def _record_keys(bundle: TrustBundle | None) -> dict[str, str]:
    return {
        key.keyid: "" if key.revoked_from is None else f"revoked from index {key.revoked_from}"
        for key in (bundle.record_keys if bundle else ())
    }


def _note_keys(bundle: TrustBundle | None, use: str) -> dict[str, str]:
    if bundle is None:
        return {}
    keys = bundle.log_keys if use == "log" else bundle.witness_keys
    return dict.fromkeys(keys, "")


def _authorities(bundle: TrustBundle | None) -> dict[str, str]:
    return {
        f"{authority_id(authority)}, certificate {authority.fingerprint(SHA256()).hex()}": ""
        for authority in (bundle.authorities if bundle else ())
    }


def _was(old: object) -> str:
    return "" if old is None else f"{old} -> "
