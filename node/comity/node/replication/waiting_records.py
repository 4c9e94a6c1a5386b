"""Waiting records: taken once they become acceptable, and their senders told what became of them.

Invariants: a record that waited passes the same examination and intake as one that arrives, so
there is one way in; a sender that lists what it believes to wait is told of everything that no
longer does, whatever was cut off in between, and this node keeps no account of what it told.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Final

from sqlmodel import Session, select

from comity.node.database.tables import PeerRow, QuarantineRow, RecordRow
from comity.node.log.travelling_proofs import keep_proof
from comity.node.records.admission import Intake
from comity.node.records.examination import ExaminedRecord, Examiner
from comity.node.records.quarantine import (
    Refusal,
    is_waiting,
    keep_waiting,
    waiting_records,
)
from comity.node.replication.own_receipts import RecordOutcomes, sign_receipt
from comity.node.trust.peers import pinned_peers
from comity.node.trust.site import Site
from comity.policies.facts import PeerStatus
from comity.record.bundle import Keyring
from comity.record.envelope import Envelope
from comity.record.errors import InvalidInput, NotFound, UnknownKey
from comity.record.limits import MAX_BATCH_RECORDS
from comity.record.wire import record_from_bytes

_RECORD_ID: Final = re.compile(r"[0-9a-f]{64}")


class WaitingRecords:
    """The records in quarantine that wait, of all peers."""

    def __init__(self, site: Site, examiner: Examiner, intake: Intake) -> None:
        self._site, self._examiner, self._intake = site, examiner, intake

    def retry(self) -> int:
        """Try all waiting records again; return how many were taken.

        Call this when a bundle was pinned: the peers that offered them will not offer them again.
        """
        with self._site.store.read() as session:
            waiting = waiting_records(session)
        return self._retry(waiting, due=False)

    def retry_due(self) -> int:
        """Try the records again whose time has come; return how many were taken."""
        with self._site.store.read() as session:
            waiting = waiting_records(session, self._site.clock())
        return self._retry(waiting, due=True)

    def outcomes(self, peer: str, believed: Set[str]) -> tuple[Set[str], list[Envelope]]:
        """Return which of the ``believed`` records of a peer wait no longer, and receipts for them.

        Text that is no record id is left out.
        """
        with self._site.store.read() as session:
            query = select(QuarantineRow.record_id).where(QuarantineRow.peer == peer, is_waiting())
            settled = believed - set(session.exec(query))
            ids = sorted(filter(_RECORD_ID.fullmatch, settled))
            told = [
                self._outcome(session, peer, ids[start : start + MAX_BATCH_RECORDS])
                for start in range(0, len(ids), MAX_BATCH_RECORDS)
            ]
            cursor = session.get_one(PeerRow, peer).cursor
        return settled, [sign_receipt(self._site, peer, cursor, cursor, one) for one in told]

    def _outcome(self, session: Session, peer: str, settled: list[str]) -> RecordOutcomes:
        held = select(RecordRow.record_id).where(RecordRow.record_id.in_(settled))
        stored: set[str] = set(session.exec(held))

        # an entry may have made room for newer ones since it was given up
        refused = dict.fromkeys(set(settled) - stored, NotFound.reason)
        query = select(QuarantineRow.record_id, QuarantineRow.reason).where(
            QuarantineRow.peer == peer, QuarantineRow.record_id.in_(list(refused))
        )
        return RecordOutcomes(stored, refused | dict(session.exec(query).all()))

    def _retry(self, waiting: list[tuple[str, str]], *, due: bool) -> int:
        if not waiting:
            return 0
        with self._site.store.read() as session:
            # nothing is taken from a peer that is suspended or removed, however long ago it came
            rows = pinned_peers(session)
            active = {row.institute for row in rows if row.status != PeerStatus.SUSPENDED}

        keyring, taken = self._site.keyring(), 0
        for peer, record_id in waiting:
            if peer in active:
                taken += self._try(peer, record_id, keyring, due=due)
        return taken

    def _try(self, peer: str, record_id: str, keyring: Keyring, *, due: bool) -> bool:
        """Take one record if it is acceptable now; otherwise it waits on, or is refused."""
        with self._site.store.read() as session:
            row = session.get(QuarantineRow, (peer, record_id))
        if row is None or row.record is None:
            return False  # another process took it meanwhile

        record = record_from_bytes(row.record)
        try:
            examined = self._examiner.examine(record, peer, keyring)
        except UnknownKey as error:
            # the usual case after another bundle was pinned, for which no writer has to wait
            if due:
                self._keep(peer, Refusal(record, error))
            return False
        except InvalidInput as error:
            self._keep(peer, Refusal(record, error))
            return False
        return self._take(peer, examined)

    def _take(self, peer: str, examined: ExaminedRecord) -> bool:
        with self._site.store.write() as session:
            row = session.get(QuarantineRow, (peer, examined.opened.record_id))
            if row is None:
                return False  # another process took it
            refusals = self._intake.admit(session, [examined]).refusals
            if refusals:
                keep_waiting(session, peer, refusals[0], self._site.clock())
                return False
            if examined.proof is not None:
                keep_proof(session, examined.opened.record_id, examined.proof)
            session.delete(row)
            session.flush()
        return True

    def _keep(self, peer: str, refusal: Refusal) -> None:
        with self._site.store.write() as session:
            keep_waiting(session, peer, refusal, self._site.clock())
