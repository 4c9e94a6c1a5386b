"""Trusted roots for stock tools: read, written again, and refused where malformed."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comity.record.errors import BadEvidence
from comity.record.note import WITNESS_KEY, NoteSigner, Verifier
from comity.record.trusted_root import read_trusted_root, trusted_root
from tests.support.changed_copies import JsonPath, changed_json, to
from tests.support.notes import fixed_signer
from tests.support.paths import VECTORS

SIGSTORE = VECTORS / "sigstore"
ROOT = (SIGSTORE / "trusted_root.json").read_bytes()
LOG = Verifier.parse((SIGSTORE / "log.vkey").read_text().strip())


def test_the_trusted_root_that_stock_tools_accept_is_read_and_written_again() -> None:
    assert read_trusted_root(ROOT) == (LOG,)
    assert trusted_root([LOG]) == ROOT


TLOG = ("tlogs", 0)

MALFORMED_ROOT: list[tuple[JsonPath, Any, str]] = [
    (("mediaType",), "application/vnd.dev.sigstore.trustedroot.v0.2+json", "mediaType"),
    (("certificateAuthorities",), [], "certificateAuthorities: unknown field"),
    (("tlogs",), [], "tlogs"),
    ((*TLOG, "hashAlgorithm"), "SHA2_512", "hashAlgorithm"),
    ((*TLOG, "baseUrl"), "http://log.uk.aisi.example", "baseUrl: expected a lower-case DNS name"),
    ((*TLOG, "baseUrl"), "https://log.uk.aisi.example/", "baseUrl: expected a lower-case DNS name"),
    ((*TLOG, "baseUrl"), "log.uk.aisi.example", "baseUrl: expected https://log.uk.aisi.example"),
    ((*TLOG, "baseUrl"), "https://log.fr.aisi.example", r"tlogs\[0\]\.logId\.keyId"),
    ((*TLOG, "logId", "keyId"), base64.b64encode(bytes(32)).decode(), "logId.keyId"),
    ((*TLOG, "publicKey", "keyDetails"), "PKIX_ECDSA_P256_SHA_256", "keyDetails"),
    ((*TLOG, "publicKey", "rawBytes"), base64.b64encode(bytes(44)).decode(), "rawBytes"),
    ((*TLOG, "publicKey", "rawBytes"), base64.b64encode(LOG.public).decode(), "rawBytes"),
    ((*TLOG, "publicKey", "validFor"), {"start": "2026-01-01T00:00:00Z"}, "validFor.start"),
]


@pytest.mark.parametrize(("path", "value", "message"), MALFORMED_ROOT)
def test_a_malformed_trusted_root_is_refused_with_the_field(
    path: JsonPath, value: Any, message: str
) -> None:
    with pytest.raises(BadEvidence, match=message):
        read_trusted_root(changed_json(ROOT, path, to(value)))


def test_only_logs_named_by_a_bare_host_name_are_put_into_a_trusted_root() -> None:
    witness = NoteSigner("witness.uk.aisi.example", WITNESS_KEY, Ed25519PrivateKey.generate())
    for verifier in (witness.verifier, fixed_signer("uk.aisi.example/log").verifier):
        with pytest.raises(BadEvidence):
            trusted_root([verifier])
