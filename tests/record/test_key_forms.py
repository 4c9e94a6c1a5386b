"""Keys and identities: their forms, and that a private one stays private."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.errors import (
    BadConfig,
    ComityError,
)
from comity.record.keys import RecordKey, SigningKey
from comity.record.spiffe import SpiffeId
from tests.support.records import UK, bundle_of

# made with ssh-keygen -t ecdsa -b 256, printed with ssh-keygen -e -m PKCS8 and ssh-keygen -l
SSH_KEY = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0PZaruSi/jywtPzCdWnIENdBgMdh
y+3D2XoLy/F9sNkTITIISSH2BSCDH7TmtGmAkAGolMNG2e69jSQzzyGO8Q==
-----END PUBLIC KEY-----
"""


SSH_FINGERPRINT = "SHA256:P8NomHMHFRB+/ZMy4rKVWFBh3Z/3OxzhGlIzPqc2EFc"


def test_keyid_is_the_fingerprint_that_ssh_keygen_prints() -> None:
    assert RecordKey.from_pem(SSH_KEY).keyid == SSH_FINGERPRINT


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://UK.aisi.example/node",
        "spiffe://localhost/node",
        "spiffe://uk.aisi.example/node/1",
        "spiffe://uk.aisi.example/analyst",
        "spiffe://uk.aisi.example/analyst/../node",
        "spiffe://uk.aisi.example/admin/x",
        "https://uk.aisi.example/node",
        "spiffe://uk.aisi.example:1/node",
    ],
)
def test_an_identity_out_of_form_is_refused(uri: str) -> None:
    with pytest.raises(ComityError):
        SpiffeId.parse(uri)


def test_a_private_key_is_written_once_and_only_for_its_owner(
    tmp_path: Path, signing_key: SigningKey
) -> None:
    path = tmp_path / "record.key"
    signing_key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadConfig, match="not overwritten"):
        signing_key.save(path)
    path.chmod(0o640)
    with pytest.raises(BadConfig, match="0640"):
        SigningKey.load(path)


def test_a_private_key_does_not_show_in_its_repr(signing_key: SigningKey) -> None:
    assert repr(signing_key) == f"SigningKey({signing_key.key.keyid})"


def test_a_bundle_whose_keyid_is_not_its_keys_is_refused(signing_key: SigningKey) -> None:
    bundle = json.loads(bundle_of(UK.institute, signing_key).to_json())
    bundle["recordKeys"][0]["keyid"] = SSH_FINGERPRINT
    with pytest.raises(ComityError, match=r"recordKeys\[0\]\.keyid"):
        TrustBundle.from_json(ijson.canonical(bundle))
