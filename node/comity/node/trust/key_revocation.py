"""Revoking a key: the change that it makes to the institute's bundle.

Invariants: a revoked record key stays in the bundle, with the log index from which it is not
trusted, and no later version raises a published index. Any other revoked key is removed from the
bundle. A key is revoked only if the home has another listed key of the same use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from comity.node.home.key_files import KeyUse
from comity.node.log.head import log_head
from comity.node.trust.key_status import authority_id, note_id
from comity.node.trust.site import Site
from comity.record.bundle import JsonWebKey, TrustBundle
from comity.record.errors import BadConfig, InvalidInput, NotFound
from comity.record.revocation import revoked_from
from comity.record.root import Root

BundleChange = Callable[[TrustBundle], TrustBundle]


def revoking_change(site: Site, use: KeyUse, keyid: str, index: int) -> BundleChange:
    """Return the change of a bundle that revokes a key.

    ``index`` is the first log index at which a record key is not trusted; other uses ignore it.

    Calling the change raises
        NotFound: the bundle does not list the key.
        InvalidInput: the published root revokes the key from a lower index.
        BadConfig: the home has no other listed key of that use.
    """

    def change(bundle: TrustBundle) -> TrustBundle:
        # a higher index would trust records again that peers have refused
        _check_not_raised(site.own.root, keyid, index)
        revoked = _CHANGES[use](bundle, keyid, index)
        _check_successor(site, use, revoked)
        return revoked

    return change


def _revoke_record(bundle: TrustBundle, keyid: str, index: int) -> TrustBundle:
    keys = list(bundle.record_keys)
    place = next((i for i, key in enumerate(keys) if key.keyid == keyid), None)
    if place is None:
        raise NotFound(f"{keyid} is not listed", field="KEYID")

    # the key stays listed, since records before the index are verified by it
    keys[place] = keys[place].model_copy(update={"revoked_from": index})
    return bundle.model_copy(update={"record_keys": tuple(keys)})


def _drop_log(bundle: TrustBundle, keyid: str, _: int) -> TrustBundle:
    return bundle.model_copy(update={"log_keys": _without(bundle.log_keys, keyid, note_id)})


def _drop_witness(bundle: TrustBundle, keyid: str, _: int) -> TrustBundle:
    left = _without(bundle.witness_keys, keyid, note_id)
    return bundle.model_copy(update={"witness_keys": left})


def _drop_authority(bundle: TrustBundle, keyid: str, _: int) -> TrustBundle:
    left = _without(bundle.spiffe.keys, keyid, _web_id)
    return bundle.model_copy(update={"spiffe": bundle.spiffe.model_copy(update={"keys": left})})


_CHANGES: Final[dict[KeyUse, Callable[[TrustBundle, str, int], TrustBundle]]] = {
    KeyUse.RECORD: _revoke_record,
    KeyUse.LOG: _drop_log,
    KeyUse.WITNESS: _drop_witness,
    KeyUse.CA: _drop_authority,
}


def _without(keys: tuple[Any, ...], keyid: str, name: Callable[[Any], str]) -> tuple[Any, ...]:
    left = tuple(key for key in keys if name(key) != keyid)
    if len(left) == len(keys):
        raise NotFound(f"{keyid} is not listed", field="KEYID")
    return left


def _check_not_raised(published: Root | None, keyid: str, index: int) -> None:
    former = revoked_from(published.profile, keyid) if published else None
    if former is not None and former < index:
        message = f"expected an index of at most {former}, from which it is revoked, got {index}"
        raise InvalidInput(message, field="--from-index")


def _check_successor(site: Site, use: KeyUse, bundle: TrustBundle) -> None:
    keychain = site.own.keychain
    # each fails if nothing of that use would be left to work with
    checks: dict[KeyUse, Callable[[TrustBundle], object]] = {
        KeyUse.RECORD: keychain.record_key,
        KeyUse.LOG: lambda bundle: keychain.log_signers(bundle, _present_log(site)),
        KeyUse.WITNESS: keychain.witness_signers,
        KeyUse.CA: lambda bundle: check_certified(site, bundle),
    }

    try:
        checks[use](bundle)
    except BadConfig as error:
        finish = " --finish" if use is KeyUse.CA else ""
        hint = f"first: comity-node keys rotate {use}{finish}"
        message = f"expected a {use} key here to take its place: {error.message}"
        raise BadConfig(message, field="KEYID", hint=hint) from error


def _present_log(site: Site) -> int:
    with site.store.read() as session:
        return log_head(session).log_number


def check_certified(site: Site, bundle: TrustBundle) -> None:
    """Check that an authority in the bundle signed the node's own certificate.

    Otherwise peers that pin the bundle would refuse the node's connections (invariant 9).

    Raises:
        BadConfig: no listed authority signed it.
    """
    if not any(site.home.is_certified_by(authority) for authority in bundle.authorities):
        message = "the authority that signed the node's certificate is not listed"
        hint = "comity-node keys rotate ca --finish gives the node a certificate of the new one"
        raise BadConfig(message, field="spiffe.keys", hint=hint)


def _web_id(key: JsonWebKey) -> str:
    return authority_id(key.certificate())
