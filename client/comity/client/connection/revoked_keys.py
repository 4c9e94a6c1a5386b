"""Records of revoked keys: does the issuer's log show that a record is older than the revocation?

A node keeps such a record, and its people still see it. Invariant: the record's age is believed
only by a proof that this client checks (``comity.record.revocation``), never by the node's word.
"""

from __future__ import annotations

from dataclasses import replace

from comity.client.connection.log_client import LogClient
from comity.record.bundle import TrustBundle
from comity.record.errors import ComityError, RevokedKey, Unavailable
from comity.record.record import OpenedRecord
from comity.record.revocation import check_revocation, revoked_from
from comity.record.tlog_proof import TlogProof


class RevokedKeys:
    """Asks the node's ``log`` for the proofs that records of revoked keys need."""

    def __init__(self, log: LogClient) -> None:
        self._log = log
        self._silent: dict[str, ComityError] = {}

    async def problem(self, opened: OpenedRecord, issuer: TrustBundle) -> str:
        """Return why a record is not known to be older than its key's revocation.

        Empty text means that ``issuer``, the bundle of the record's issuer, does not revoke the
        key, or that the log shows the record before the revocation.
        """
        keyid = opened.record.envelope.keyid
        index = revoked_from(issuer, keyid)
        if index is None:
            return ""

        try:
            proof = await self._inclusion(opened.record_id, issuer.institute)
            check_revocation(replace(opened.record, inclusion=proof.to_bytes()), issuer)
        except RevokedKey as error:
            return str(error)
        except ComityError as error:
            told = f"{keyid} is revoked from index {index} of its log"
            return f"{told}, and that this record is older cannot be shown: {error}"
        return ""

    async def _inclusion(self, record_id: str, institute: str) -> TlogProof:
        # an issuer that does not answer is waited for once, not once for each of its records
        if institute in self._silent:
            raise self._silent[institute]
        try:
            return await self._log.inclusion(record_id)
        except Unavailable as error:
            self._silent[institute] = error
            raise
