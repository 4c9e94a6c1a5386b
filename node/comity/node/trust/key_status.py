"""The institute's keys and the state of each.

A key is *current* if it signs now. It is *staged* until the bundle lists it; an authority is staged
until the node has a certificate by it. It is *retired* once a newer key signs in its place; its
signatures stay valid. It is *revoked* if the bundle says so, or lists it no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from comity.node.database.clock import to_datetime
from comity.node.home.key_files import KeyUse, generations
from comity.node.trust.root_chains import list_roots
from comity.node.trust.site import Site
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, InvalidInput, NotFound
from comity.record.keys import fingerprint
from comity.record.times import format_time


class KeyState(StrEnum):
    """The state of a key; the module describes each."""

    CURRENT = "current"
    STAGED = "staged"
    RETIRED = "retired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A key of the institute and its state.

    ``use`` is a ``KeyUse``, or "node" for the key of the node's certificate. ``keyid`` is a
    fingerprint, or name and id of a verifier key. ``since`` is when the bundle first listed the
    key, or when its file was made. ``revoked_from`` is the log index from which a record key is
    not trusted.
    """

    use: str
    keyid: str
    state: KeyState
    since: datetime
    revoked_from: int | None = None

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "use": str(self.use),
            "keyid": self.keyid,
            "state": str(self.state),
            "since": format_time(self.since),
            "revokedFrom": self.revoked_from,
        }


def list_keys(site: Site) -> list[KeyStatus]:
    """Return all keys that the bundle lists or the home has, by use, oldest first.

    Raises:
        BadConfig: a file of the home is missing or malformed.
    """
    notes = [*_note_keys(site, KeyUse.LOG), *_note_keys(site, KeyUse.WITNESS)]
    return [*_record_keys(site), *notes, *_authorities(site), _node_key(site)]


def find_key(site: Site, text: str) -> tuple[KeyUse, str]:
    """Return use and keyid of a key, given its keyid or an unambiguous beginning of it.

    Raises:
        NotFound: no keyid begins with ``text``.
        InvalidInput: several keyids do, or the key is the node's own, which is renewed instead.
    """
    # a complete keyid may also be the beginning of a longer one
    found = [key for key in list_keys(site) if key.keyid.startswith(text)]
    exact = [key for key in found if key.keyid == text] or found

    if not exact:
        hint = "comity-node keys list shows the keys"
        raise NotFound(f"no key {text!r:.100}", field="KEYID", hint=hint)
    if len(exact) > 1:
        raise InvalidInput(
            f"expected one key, {len(exact)} begin with {text!r:.100}", field="KEYID"
        )
    if exact[0].use == "node":
        hint = "comity-node certificate renew gives the node another"
        raise InvalidInput("expected a key that the bundle lists", field="KEYID", hint=hint)
    return KeyUse(exact[0].use), exact[0].keyid


def note_id(key: str) -> str:
    """Return name and id of a verifier key, without the key itself (C2SP signed-note)."""
    # the base64 of the key may contain more plus signs
    name, keyid, _ = key.split("+", 2)
    return f"{name}+{keyid}"


def authority_id(authority: x509.Certificate) -> str:
    """Return the fingerprint of an authority's key.

    Raises:
        BadConfig: the key is not an elliptic curve key.
    """
    public = authority.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise BadConfig(f"expected an ECDSA P-256 key, got {type(public).__name__}")
    return fingerprint(public)


def _record_keys(site: Site) -> Iterator[KeyStatus]:
    bundle, held = site.bundle, [key.key.keyid for key in site.own.keychain.record]
    in_force = [k.keyid for k in bundle.record_keys if k.revoked_from is None and k.keyid in held]
    current = max(in_force, key=held.index, default="")

    for key in bundle.record_keys:
        state = KeyState.CURRENT if key.keyid == current else KeyState.RETIRED
        if key.revoked_from is not None:
            state = KeyState.REVOKED
        since = _since(site, KeyUse.RECORD, key.keyid, held)
        yield KeyStatus(KeyUse.RECORD, key.keyid, state, since, key.revoked_from)

    for keyid in held:
        if keyid not in bundle.keys_by_id:
            since = _since(site, KeyUse.RECORD, keyid, held)
            yield KeyStatus(KeyUse.RECORD, keyid, KeyState.STAGED, since)


def _note_keys(site: Site, use: KeyUse) -> Iterator[KeyStatus]:
    keychain = site.own.keychain
    signers = keychain.log if use is KeyUse.LOG else keychain.witness
    held = [note_id(str(signer.verifier)) for signer in signers]
    yield from _unrevoked(site, use, held, _listed(site.bundle, use), lambda keyid: keyid in held)


def _authorities(site: Site) -> Iterator[KeyStatus]:
    authorities = site.own.keychain.authorities
    held = [authority_id(authority) for authority in authorities]
    signing = {authority_id(a) for a in authorities if site.home.is_certified_by(a)}
    listed = _listed(site.bundle, KeyUse.CA)
    yield from _unrevoked(site, KeyUse.CA, held, listed, lambda keyid: keyid in signing)


def _unrevoked(
    site: Site, use: KeyUse, held: list[str], listed: list[str], signs: Callable[[str], bool]
) -> Iterator[KeyStatus]:
    """Yield the state of keys that the bundle drops once they are revoked."""
    # a key in the home that is newer than every key in use waits for its turn, unless a published
    # root listed it: then it was revoked
    used = [place for place, keyid in enumerate(held) if keyid in listed and signs(keyid)]
    dropped = _ever_listed(site, use) - set(listed)

    for keyid in [*listed, *(keyid for keyid in held if keyid not in listed)]:
        place = held.index(keyid) if keyid in held else -1
        if keyid in listed and signs(keyid):
            state = KeyState.CURRENT
        elif place > max(used, default=-1) and keyid not in dropped:
            state = KeyState.STAGED
        else:
            state = KeyState.RETIRED if keyid in listed else KeyState.REVOKED
        yield KeyStatus(use, keyid, state, _since(site, use, keyid, held))


def _node_key(site: Site) -> KeyStatus:
    leaf = x509.load_pem_x509_certificate(site.home.node_identity()[0])
    return KeyStatus("node", authority_id(leaf), KeyState.CURRENT, leaf.not_valid_before_utc)


def _listed(bundle: TrustBundle, use: KeyUse) -> list[str]:
    if use is KeyUse.RECORD:
        return list(bundle.keys_by_id)
    if use is KeyUse.CA:
        return [authority_id(authority) for authority in bundle.authorities]
    return [note_id(key) for key in (bundle.log_keys if use is KeyUse.LOG else bundle.witness_keys)]


def _ever_listed(site: Site, use: KeyUse) -> set[str]:
    with site.store.read() as session:
        roots = list_roots(session, site.institute)
    return {keyid for root, _ in roots for keyid in _listed(root.profile, use)}


def _since(site: Site, use: KeyUse, keyid: str, held: list[str]) -> datetime:
    # a key without a root, or not yet in one, dates from its file
    with site.store.read() as session:
        for root, accepted in list_roots(session, site.institute):
            if keyid in _listed(root.profile, use):
                return to_datetime(accepted)

    file = generations(site.home.path, use)[held.index(keyid)]
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)
