"""Roots: what follows from what is believed, and what does not (TUF client workflow 5.3)."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from tuf.api.metadata import Metadata
from tuf.api.metadata import Root as TufRoot

from comity.record.bundle import TrustBundle
from comity.record.errors import (
    BadBundle,
    BadRoot,
    ComityError,
    ExpiredRoot,
    MalformedJson,
)
from comity.record.keys import fingerprint
from comity.record.root import Root, first, follow
from tests.support.network import make_home
from tests.support.roots import ADA, BOB, CYD, DAN, EVE, EXPIRES, NOW, changed_root, make_root

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture(scope="module")
def uk(tmp_path_factory: pytest.TempPathFactory) -> TrustBundle:
    return make_home(tmp_path_factory.mktemp("uk"), UK).bundle()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TrustBundle:
    return make_home(tmp_path_factory.mktemp("ca"), CA).bundle()


def test_a_version_signed_by_both_generations_of_keys_follows(uk: TrustBundle) -> None:
    one = first(make_root(uk))
    two = follow(one, make_root(uk, 2, (BOB, CYD), signed_by=(ADA, BOB, CYD)))
    three = follow(two, make_root(uk, 3, (DAN, EVE), signed_by=(BOB, CYD, DAN, EVE)))
    assert (three.version, three.profile, set(three.keys)) == (
        3,
        uk,
        {DAN.key.keyid, EVE.key.keyid},
    )


def test_a_root_survives_being_written_and_read(uk: TrustBundle) -> None:
    root = make_root(uk)
    again = Root.parse(root.document)
    assert (again.digest, again.expires, again.threshold) == (root.digest, EXPIRES, 2)
    assert again.profile.to_json() == uk.to_json()


def test_stock_tuf_accepts_a_chain(uk: TrustBundle) -> None:
    one, two = make_root(uk), make_root(uk, 2, (CYD, DAN), signed_by=(ADA, BOB, CYD, DAN))
    stock: list[Metadata[TufRoot]] = [Metadata.from_bytes(r.document) for r in (one, two)]
    for trusted in stock:
        trusted.signed.verify_delegate("root", stock[1].signed_bytes, stock[1].signatures)
    assert stock[1].signed.unrecognized_fields["profile"]["institute"] == UK


def test_the_leaf_holds_digest_signature_and_key_of_who_signed(uk: TrustBundle) -> None:
    root = make_root(uk)
    body = json.loads(root.leaf())["spec"]["hashedRekordV002"]
    assert base64.b64decode(body["data"]["digest"]).hex() == root.digest
    assert root.digest == hashlib.sha256(root.signed_bytes).hexdigest()
    public: Any = load_der_public_key(
        base64.b64decode(body["signature"]["verifier"]["publicKey"]["rawBytes"])
    )
    key = root.keys[fingerprint(public)]
    key.verify(base64.b64decode(body["signature"]["content"]), root.signed_bytes)


def test_the_leaf_is_the_same_in_whatever_order_was_signed(uk: TrustBundle) -> None:
    root = make_root(uk)
    reversed_ = Root.parse(changed_root(root, lambda value: value["signatures"].reverse()))
    assert reversed_.leaf() == root.leaf()


def test_signing_again_replaces_the_signature(uk: TrustBundle) -> None:
    root = make_root(uk).sign(ADA)
    assert len(json.loads(root.document)["signatures"]) == 2
    first(root)


def test_a_stranger_signature_counts_for_nothing(uk: TrustBundle) -> None:
    first(make_root(uk, signed_by=(ADA, BOB, EVE)))
    with pytest.raises(BadRoot, match="expected signatures of 2 of its own 2 keys, got 1"):
        first(make_root(uk, signed_by=(ADA, EVE)))


# --- what does not follow ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "got"), [(3, "3"), (1, "1"), (2**31 - 1, "2147483647")], ids=str
)
def test_a_version_that_skips_or_repeats_is_refused(
    uk: TrustBundle, version: int, got: str
) -> None:
    with pytest.raises(BadRoot, match=f"expected version 2, got {got}") as caught:
        follow(make_root(uk), make_root(uk, version))
    assert caught.value.field == "signed.version"


def test_a_version_that_goes_back_is_refused(uk: TrustBundle) -> None:
    two = follow(make_root(uk), make_root(uk, 2))
    with pytest.raises(BadRoot, match="expected version 3, got 1"):
        follow(two, make_root(uk))


def test_a_version_signed_by_the_old_keys_only_is_refused(uk: TrustBundle) -> None:
    new = make_root(uk, 2, (CYD, DAN), signed_by=(ADA, BOB))
    with pytest.raises(BadRoot, match="version 2: expected signatures of 2 of its own 2 keys"):
        follow(make_root(uk), new)


def test_a_version_signed_by_the_new_keys_only_is_refused(uk: TrustBundle) -> None:
    new = make_root(uk, 2, (CYD, DAN))
    with pytest.raises(BadRoot, match="expected signatures of 2 of version 1's 2 keys, got 0"):
        follow(make_root(uk), new)


def test_a_threshold_that_is_not_met_is_refused(uk: TrustBundle) -> None:
    new = make_root(uk, 2, (ADA, BOB, CYD), signed_by=(ADA,))
    with pytest.raises(BadRoot, match="got 1"):
        follow(make_root(uk), new)


def test_a_lower_threshold_does_not_count_for_the_step_that_lowers_it(uk: TrustBundle) -> None:
    with pytest.raises(BadRoot, match="2 of version 1's 2 keys, got 1"):
        follow(make_root(uk), make_root(uk, 2, threshold=1, signed_by=(ADA,)))


def test_a_change_after_signing_is_refused(uk: TrustBundle) -> None:
    def readdress(value: Any) -> None:
        value["signed"]["profile"]["address"] = "mallory.example:7000"

    with pytest.raises(BadRoot, match="got 0"):
        first(Root.parse(changed_root(make_root(uk), readdress)))


def test_two_signatures_of_one_key_are_refused(uk: TrustBundle) -> None:
    def double(value: Any) -> None:
        value["signatures"] *= 2

    with pytest.raises(BadRoot, match="Multiple signatures"):
        Root.parse(changed_root(make_root(uk, signed_by=(ADA,)), double))


def test_one_key_under_two_names_is_refused(uk: TrustBundle) -> None:
    def rename(value: Any) -> None:
        signed = value["signed"]
        signed["keys"]["another"] = signed["keys"][ADA.key.keyid]
        for role in signed["roles"].values():
            role["keyids"].append("another")

    with pytest.raises(BadRoot, match="expected the key's fingerprint SHA256:"):
        Root.parse(changed_root(make_root(uk), rename))


def test_a_root_of_another_institute_is_refused(uk: TrustBundle, ca: TrustBundle) -> None:
    with pytest.raises(BadRoot, match=f"expected {UK}, got {CA}") as caught:
        follow(make_root(uk), make_root(ca, 2))
    assert caught.value.field == "signed.profile.institute"


# --- time ----------------------------------------------------------------------------------------


def test_an_expired_root_is_stale_and_still_leads_on(uk: TrustBundle) -> None:
    one = first(make_root(uk, expires=NOW - timedelta(days=1)))
    with pytest.raises(ExpiredRoot, match="expected a time before 2026-05-20T09:00:00Z"):
        one.check_fresh(NOW)
    follow(one, make_root(uk, 2)).check_fresh(NOW)


def test_a_root_ends_in_the_second_that_it_names(uk: TrustBundle) -> None:
    root = make_root(uk)
    root.check_fresh(EXPIRES - timedelta(seconds=1))
    with pytest.raises(ExpiredRoot):
        root.check_fresh(EXPIRES)


# --- bundles -------------------------------------------------------------------------------------


def test_a_bundle_without_revocations_keeps_its_bytes(uk: TrustBundle) -> None:
    assert b"revoked" not in uk.to_json()
    assert set(json.loads(uk.to_json())["recordKeys"][0]) == {"keyid", "publicKey"}


def test_a_revoked_key_stays_in_its_bundle(uk: TrustBundle) -> None:
    value = uk.to_value()
    value["recordKeys"][0]["revokedFrom"] = 7
    revoked = TrustBundle.from_json(json.dumps(value).encode())
    assert revoked.record_keys[0].revoked_from == 7
    assert revoked.fingerprint != uk.fingerprint
    assert revoked.keys_by_id.keys() == uk.keys_by_id.keys()


@pytest.mark.parametrize("index", [-1, 2**53, 1.5, "7", True])
def test_a_revocation_from_no_index_is_refused(uk: TrustBundle, index: Any) -> None:
    value = uk.to_value()
    value["recordKeys"][0]["revokedFrom"] = index
    with pytest.raises(ComityError) as caught:
        TrustBundle.from_json(json.dumps(value).encode())
    assert isinstance(caught.value, BadBundle | MalformedJson)
