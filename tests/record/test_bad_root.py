"""What is no root, and is refused with the field that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from comity.record.bundle import TrustBundle
from comity.record.errors import (
    BadRoot,
    LimitExceeded,
    MalformedJson,
)
from comity.record.keys import SigningKey
from comity.record.limits import MAX_ROOT_BYTES, MAX_ROOT_KEYS
from comity.record.root import Root
from tests.support.network import make_home
from tests.support.roots import ADA, changed_root, make_root

UK = "uk.aisi.example"


@pytest.fixture(scope="module")
def uk(tmp_path_factory: pytest.TempPathFactory) -> TrustBundle:
    return make_home(tmp_path_factory.mktemp("uk"), UK).bundle()


def put(*path: Any, to: Any) -> Callable[[Any], None]:
    """Return a change that puts a value in a place."""

    def change(value: Any) -> None:
        for step in path[:-1]:
            value = value[step]
        value[path[-1]] = to

    return change


def spoil_expiry(value: Any) -> None:
    value["signed"]["expires"] = "2027-5-21T9:0:0Z"


def spoil_pem(value: Any) -> None:
    key = value["signed"]["keys"][ADA.key.keyid]["keyval"]
    key["public"] = "\n" + key["public"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (put("signed", "_type", to="targets"), "root"),
        (put("signed", "spec_version", to="2.0.0"), "root"),
        (put("signed", "version", to=0), "signed.version"),
        (put("signed", "version", to=True), "signed.version"),
        (put("signed", "version", to=2**31), "signed.version"),
        (put("signed", "version", to="1"), "signed.version"),
        (put("signed", "expires", to="tomorrow"), "root"),
        (spoil_expiry, "signed"),
        (put("signed", "keys", to=[]), "signed.keys"),
        (put("signed", "keys", ADA.key.keyid, "scheme", to="ed25519"), "root"),
        (put("signed", "keys", ADA.key.keyid, "keyval", "public", to="x"), "signed.keys"),
        (spoil_pem, "signed.keys"),
        (put("signed", "keys", ADA.key.keyid, "note", to="x"), "signed.keys"),
        (put("signed", "roles", "root", "threshold", to=0), "root"),
        (put("signed", "roles", "root", "threshold", to=3), "signed.roles.root.threshold"),
        (put("signed", "roles", "root", "threshold", to=True), "signed.roles.root.threshold"),
        (put("signed", "roles", "targets", "threshold", to=1), "signed.roles.targets"),
        (put("signed", "roles", "targets", "keyids", to=[]), "signed.roles.targets.keyids"),
        (put("signed", "roles", "extra", to={}), "root"),
        (put("signed", "consistent_snapshot", to=0.5), "signed"),
        (put("signed", "profile", to=7), "signed.profile"),
        (put("signed", "profile", "address", to="nowhere"), "signed.profile.address"),
        (put("signed", "profile", "extra", to=1), "signed.profile.extra"),
        (put("signed", "extra", to=1), "signed"),
        (put("extra", to=1), "root"),
        (put("signatures", to={}), "signatures"),
        (put("signatures", 0, to=[]), "signatures[0]"),
        (put("signatures", 0, "sig", to="zz"), "signatures[0].sig"),
        (put("signatures", 0, "sig", to="AB" * 20), "signatures[0].sig"),
        (put("signatures", 0, "keyid", to=1), "signatures[0].keyid"),
    ],
)
def test_what_is_no_root_is_refused_with_the_field(
    uk: TrustBundle, change: Callable[[Any], None], field: str
) -> None:
    with pytest.raises(BadRoot) as caught:
        Root.parse(changed_root(make_root(uk), change))
    assert caught.value.field.startswith(field)


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b'{"signed":1,"signed":2}'])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        Root.parse(data)


@pytest.mark.parametrize("data", [b"[]", b"{}", b'"root"', b'{"signed":[],"signatures":[]}'])
def test_json_that_is_no_root_is_refused(data: bytes) -> None:
    with pytest.raises(BadRoot):
        Root.parse(data)


def test_a_trust_bundle_is_no_root(uk: TrustBundle) -> None:
    with pytest.raises(BadRoot, match="expected signatures, signed, got address"):
        Root.parse(uk.to_json())


def test_oversize_roots_are_refused_unread(uk: TrustBundle) -> None:
    with pytest.raises(LimitExceeded, match="MAX_ROOT_BYTES"):
        Root.parse(make_root(uk).document + b" " * MAX_ROOT_BYTES)


def test_too_many_keys_and_signatures_are_refused(uk: TrustBundle) -> None:
    keys = [SigningKey.generate() for _ in range(MAX_ROOT_KEYS + 1)]
    with pytest.raises(LimitExceeded, match="MAX_ROOT_KEYS"):
        make_root(uk, keys=tuple(keys), signed_by=())

    def multiply(value: Any) -> None:
        value["signatures"] *= MAX_ROOT_KEYS + 1

    with pytest.raises(LimitExceeded, match="signatures"):
        Root.parse(changed_root(make_root(uk), multiply))


def test_a_profile_too_large_to_pin_is_refused(uk: TrustBundle) -> None:
    names = {f"en-{n:02}": "n" * 8000 for n in range(40)}
    with pytest.raises(LimitExceeded, match="MAX_BUNDLE_BYTES"):
        make_root(uk.model_copy(update={"names": names}), signed_by=())


def test_a_threshold_that_the_keys_cannot_meet_is_refused(uk: TrustBundle) -> None:
    with pytest.raises(BadRoot, match="expected 1 to 2, got 3"):
        make_root(uk, threshold=3)
    with pytest.raises(BadRoot, match="at least 1"):
        make_root(uk, keys=(), threshold=1)
