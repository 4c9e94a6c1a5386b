"""Who the caller is, and which methods it may call (invariant 9).

The server accepts TLS certificates from every pinned authority, so TLS alone shows only that some
pinned institute vouches for the caller: one institute's authority can sign a certificate that
names another. Invariants: a certificate's name is believed only if the certificate chains to the
bundle of the very institute that it names; the clock is read on every call, since a connection may
outlive a certificate; a method that is not in the table is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from comity.record.bundle import SpiffeBundle, TrustBundle
from comity.record.errors import Forbidden, InvalidInput, Unauthenticated
from comity.record.spiffe import Role, SpiffeId
from comity.record.times import format_time

CACHED_CERTIFICATES: Final = 1024
"""Certificates whose checked signature is kept: more than a node has people and peers."""

Period = tuple[datetime, datetime]

_OPERATOR: Final = frozenset({Role.OPERATOR})
_AUDIT: Final = frozenset({Role.AUDITOR, Role.OPERATOR})
_PEOPLE: Final = frozenset({Role.ANALYST, Role.AUDITOR, Role.OPERATOR})
_NOBODY: Final[frozenset[Role]] = frozenset()

_OPEN_SERVICES: Final = frozenset(
    {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
)


@dataclass(frozen=True, slots=True)
class Callers:
    """Roles that may call a method: of the node's own institute, and of pinned peers.

    ``suspended`` says that peers may call it also while they are suspended.
    """

    own: frozenset[Role]
    peers: frozenset[Role] = _NOBODY
    suspended: bool = False

    def words(self, institute: str) -> str:
        """Name these callers, as a refusal of ``institute``'s node does."""
        sides = ((self.own, institute), (self.peers, "a peer"))
        return ", or ".join(f"{' or '.join(sorted(r))} of {whose}" for r, whose in sides if r)


_OPERATORS: Final = Callers(_OPERATOR)
_AUDITORS: Final = Callers(_AUDIT)
_OWN_PEOPLE: Final = Callers(_PEOPLE)
_PEER_NODES: Final = Callers(_NOBODY, frozenset({Role.NODE}))
# what a suspended peer needs to check what it holds: the log's proofs, newer keys, both ledgers
_LOG_READERS: Final = Callers(_PEOPLE, frozenset({Role.NODE, Role.AUDITOR}), suspended=True)
_FORMER_NODES: Final = Callers(_NOBODY, frozenset({Role.NODE}), suspended=True)

CALLERS: Final[Mapping[str, Callers]] = MappingProxyType(
    {
        "/comity.v1.RecordsService/PublishRecord": _OPERATORS,
        "/comity.v1.RecordsService/GetRecord": _OWN_PEOPLE,
        "/comity.v1.RecordsService/SearchRecords": _OWN_PEOPLE,
        "/comity.v1.RecordsService/WatchRecords": _OWN_PEOPLE,
        "/comity.v1.RecordsService/ListBundles": _OWN_PEOPLE,
        "/comity.v1.AuditService/ListReleases": _AUDITORS,
        "/comity.v1.AuditService/ListReceipts": _AUDITORS,
        "/comity.v1.AuditService/ListQuarantine": _AUDITORS,
        "/comity.v1.AuditService/GetCheckpoint": _LOG_READERS,
        "/comity.v1.AuditService/GetTiles": _LOG_READERS,
        "/comity.v1.AuditService/GetInclusionProof": _LOG_READERS,
        "/comity.v1.AuditService/ListWitnessedLogs": _OWN_PEOPLE,
        "/comity.v1.AuditService/ListSplitViews": _OWN_PEOPLE,
        "/comity.v1.AdminService/GetStatus": _AUDITORS,
        "/comity.v1.AdminService/ExplainPolicy": _AUDITORS,
        "/comity.v1.ExchangeService/Replicate": _PEER_NODES,
        "/comity.v1.ExchangeService/GetStanding": _PEER_NODES,
        "/comity.v1.ExchangeService/ListLedger": _FORMER_NODES,
        "/comity.v1.ExchangeService/ListRoots": _FORMER_NODES,
        "/comity.v1.ExchangeService/AddCosignature": _PEER_NODES,
        "/comity.v1.ExchangeService/ShareCheckpoints": _PEER_NODES,
    }
)
"""The callers of each method; a method that is not here is refused."""


def authenticate(
    auth_context: Mapping[str, Iterable[bytes]],
    find_bundle: Callable[[str], TrustBundle | None],
    now: datetime,
) -> SpiffeId:
    """Return the SPIFFE id of the caller.

    ``auth_context`` is gRPC's. ``find_bundle`` returns the bundle of this institute or of a pinned
    peer, and None for every other institute. ``now`` is aware UTC.

    (1) the certificate names one identity
    (2) it chains to the bundle of the institute in that identity, and of no other
    (3) it and its authority are in date

    Raises:
        Unauthenticated: no certificate; not exactly one SPIFFE id in it; an institute that is not
            pinned; a certificate that does not chain to that institute's bundle, or is out of date.

    """
    # (1)
    leaf = certificate_of(auth_context)
    who = _named_by(leaf)

    # (2)
    bundle = find_bundle(who.institute)
    if bundle is None:
        message = f"expected an identity of a pinned institute, got {who}"
        raise Unauthenticated(message, field="certificate")
    periods = _periods(leaf, who.institute, bundle.spiffe)

    # (3)
    if not any(start <= now <= end for start, end in periods):
        start, end = map(format_time, periods[-1])
        message = f"expected a certificate of {who} valid at {format_time(now)}"
        hint = "get a new certificate, or set the clock"
        got = f"got one valid from {start} to {end}"
        raise Unauthenticated(f"{message}, {got}", field="certificate", hint=hint)
    return who


def certificate_of(auth_context: Mapping[str, Iterable[bytes]]) -> bytes:
    """Return the caller's certificate in PEM; ``auth_context`` is gRPC's.

    Raises:
        Unauthenticated: there is none.

    """
    leaf = next(iter(auth_context.get("x509_pem_cert", ())), None)
    if leaf is None:
        raise Unauthenticated("expected a client certificate, got none", field="certificate")
    return leaf


@lru_cache(maxsize=CACHED_CERTIFICATES)
def end_of(leaf: bytes) -> datetime:
    """Return when a well-formed PEM certificate ends."""
    return x509.load_pem_x509_certificate(leaf).not_valid_after_utc


@lru_cache(maxsize=CACHED_CERTIFICATES)
def issuer_of(leaf: bytes) -> str:
    """Return the name of the authority that signed a PEM certificate (RFC 4514).

    Raises:
        Unauthenticated: the certificate is malformed.

    """
    try:
        return x509.load_pem_x509_certificate(leaf).issuer.rfc4514_string()
    except ValueError as error:
        message = f"expected a well-formed certificate: {error}"
        raise Unauthenticated(message, field="certificate") from error


def authorise(caller: SpiffeId, method: str, institute: str, *, suspended: bool = False) -> None:
    """Check that ``caller`` may call ``method`` (``/package.Service/Method``) of ``institute``.

    ``suspended`` says that the caller's institute is suspended here.

    Raises:
        Forbidden: it may not; the message names its role, or its status, and the method.

    """
    if method.strip("/").partition("/")[0] in _OPEN_SERVICES:
        return

    callers = CALLERS.get(method)
    if callers is None:
        raise Forbidden(f"expected a method of this node, got {method:.200}")
    if caller.role not in (callers.own if caller.institute == institute else callers.peers):
        expected, got = callers.words(institute), f"{caller.role} of {caller.institute}"
        raise Forbidden(f"{method}: expected {expected}, got {got}")

    if suspended and not callers.suspended:
        hint = "ask the operator of this node"
        raise Forbidden(f"{method}: {caller.institute} is suspended here", hint=hint)


@lru_cache(maxsize=CACHED_CERTIFICATES)
def _named_by(leaf: bytes) -> SpiffeId:
    """Return the one identity in a PEM certificate (SPIFFE X509-SVID, section 2)."""
    try:
        extensions = x509.load_pem_x509_certificate(leaf).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        message = "expected exactly one URI in the certificate, got none"
        raise Unauthenticated(message, field="certificate") from error
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        message = f"expected a well-formed certificate: {error}"
        raise Unauthenticated(message, field="certificate") from error

    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        message = f"expected exactly one URI in the certificate, got {len(uris)}"
        raise Unauthenticated(message, field="certificate")
    try:
        return SpiffeId.parse(uris[0])
    except InvalidInput as error:
        raise Unauthenticated(error.message, field="certificate") from error


@lru_cache(maxsize=CACHED_CERTIFICATES)
def _periods(leaf: bytes, institute: str, authorities: SpiffeBundle) -> tuple[Period, ...]:
    """Return the period in which the certificate is good, for each authority that signed it."""
    certificate = x509.load_pem_x509_certificate(leaf)

    periods, causes = [], []
    for authority in (key.certificate() for key in authorities.keys):
        start = max(certificate.not_valid_before_utc, authority.not_valid_before_utc)
        end = min(certificate.not_valid_after_utc, authority.not_valid_after_utc)

        # checked for the period's own start: the answer does not depend on now, and can be kept
        verifier = PolicyBuilder().store(Store([authority])).time(start).build_client_verifier()
        try:
            verifier.verify(certificate, [])
        except VerificationError as error:
            causes.append(error)
        else:
            periods.append((start, end))

    if not periods:
        issuer = certificate.issuer.rfc4514_string()
        expected = f"expected a certificate by an authority of {institute}"
        cause = causes[-1] if causes else None
        message = f"{expected}, got one by {issuer!r:.100} ({cause or 'all are revoked'})"
        raise Unauthenticated(message, field="certificate") from cause
    return tuple(periods)
