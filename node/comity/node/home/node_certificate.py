"""The node's certificate: its lifetime and its renewal.

A certificate is due for renewal after two thirds of its lifetime. The new one has a new key and the
same lifetime.

Invariants: key and certificate are one file that is replaced whole, so they match after any crash.
Of the processes that share a home only one renews, and the others find the new file. A renewal that
fails leaves the old certificate in force.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from comity.node.home.certificate_authority import CLOCK_DRIFT, Authority
from comity.node.home.folder import NODE_FILE, Home
from comity.node.home.folder_lock import lock_folder
from comity.record.errors import BadConfig


@dataclass(frozen=True, slots=True)
class CertificateLife:
    """When a certificate was issued and when it expires, as aware datetimes in UTC."""

    start: datetime
    end: datetime

    @classmethod
    def of(cls, home: Home) -> CertificateLife:
        """Return the lifetime of the node's certificate.

        Raises:
            BadConfig: the file is missing, readable by others, or malformed.
        """
        try:
            certificate = x509.load_pem_x509_certificate(home.node_identity()[0])
        except ValueError as error:
            message = "expected the node's certificate in PEM"
            raise BadConfig(message, field=str(home.keys / NODE_FILE)) from error

        # validity begins CLOCK_DRIFT before the issue
        return cls(certificate.not_valid_before_utc + CLOCK_DRIFT, certificate.not_valid_after_utc)

    @property
    def due(self) -> datetime:
        """The time from which the certificate should be renewed."""
        return self.end - (self.end - self.start) / 3


def renew_certificate(home: Home, now: datetime, ca_key: Path | None = None) -> None:
    """Give the node a new key and a certificate for 90 days, even if the old one is not due.

    ``ca_key`` is the file of the CA's private key, by default the one in the home.

    Raises:
        BadConfig: the key is missing or not the CA's, or the home cannot be written; nothing has
            changed.
    """
    certify_node(home, home.authority if ca_key is None else home.authority_with(ca_key), now)


def certify_node(home: Home, authority: Authority, now: datetime) -> None:
    """Give the node a new key and a certificate by ``authority`` for 90 days.

    Raises:
        BadConfig: the home cannot be written; nothing has changed.
    """
    with lock_folder(home.keys):
        home.save_node_identity(authority.issue(home.node_id, now=now))


def renew_if_due(home: Home, now: datetime) -> bool:
    """Renew the node's certificate if it is due; return True if this call renewed it.

    Raises:
        BadConfig: as ``renew_certificate``.
    """
    if now < CertificateLife.of(home).due:
        return False

    with lock_folder(home.keys):
        # another process may have renewed it while this one waited for the lock
        old = CertificateLife.of(home)
        if now < old.due:
            return False
        home.save_node_identity(home.authority.issue(home.node_id, old.end - old.start, now))
    return True


def renewal_obstacle(home: Home, now: datetime) -> BadConfig | None:
    """Return the error that a renewal would meet; None if it is not due or would succeed."""
    if now < CertificateLife.of(home).due:
        return None
    try:
        _ = home.authority
    except BadConfig as error:
        return error
    return None
