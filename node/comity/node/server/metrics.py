"""Metrics of a node, in the text format of Prometheus (version 0.0.4).

Invariants: every value is read from the database when it is scraped, so that it is true of all
processes that share one; no institute is named, since anyone who reaches the port can read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy.orm import Mapped
from sqlmodel import Session

from comity.node.database.rows import last_number
from comity.node.database.tables import (
    AlarmRow,
    CheckpointRow,
    CosignatureRow,
    PeerRow,
    QuarantineRow,
    RecordRow,
    WitnessedLogRow,
)
from comity.node.log.tree import tree_size
from comity.node.records.quarantine import is_waiting
from comity.node.trust.site import Site

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


def metrics(site: Site) -> bytes:
    """Return all metrics as they are now, as the body of a response of CONTENT_TYPE."""
    registry = CollectorRegistry()
    registry.register(_Collector(site))
    return generate_latest(registry)


class _Collector:
    def __init__(self, site: Site) -> None:
        self._site = site

    def collect(self) -> Iterator[Metric]:
        with self._site.store.read() as session:
            yield from _totals(session)
            yield from _log(session)
            yield _labelled(
                session,
                "comity_alarms",
                "What an operator has to look at",
                "reason",
                AlarmRow.reason,
            )
            yield _labelled(session, "comity_peers", "Peers", "status", PeerRow.status)


def _totals(session: Session) -> Iterator[Metric]:
    records = last_number(session, RecordRow.record_seq)
    yield GaugeMetricFamily("comity_records", "Records held", records)

    pending = sa.func.coalesce(sa.func.sum(PeerRow.offered - PeerRow.receipted), 0)
    yield _one(session, "comity_pending_offers", "Parts released and not signed for", pending)

    # records that wait are in quarantine, but nothing may be wrong with them
    refused = sa.func.count(QuarantineRow.record_id).filter(~is_waiting())
    yield _one(session, "comity_quarantined_records", "Records refused from peers", refused)
    waiting = sa.func.count(QuarantineRow.record_id).filter(is_waiting())
    yield _one(session, "comity_waiting_records", "Records that wait to become acceptable", waiting)


def _log(session: Session) -> Iterator[Metric]:
    yield GaugeMetricFamily("comity_log_leaves", "Leaves of the log", tree_size(session))

    newest = sa.select(sa.func.max(CheckpointRow.size)).scalar_subquery()
    size = sa.func.coalesce(newest, 0)
    yield _one(session, "comity_checkpoint_leaves", "Leaves under the newest checkpoint", size)
    lines = sa.select(sa.func.count()).where(CosignatureRow.size == newest).scalar_subquery()
    yield _one(session, "comity_cosignatures", "Witnesses of the newest checkpoint", lines)

    watched = sa.func.count(WitnessedLogRow.institute)
    yield _one(session, "comity_witnessed_logs", "Logs of others that are witnessed here", watched)


def _one(
    session: Session, name: str, words: str, value: sa.ColumnElement[int]
) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, session.execute(sa.select(value)).scalar_one())


def _labelled(
    session: Session, name: str, words: str, label: str, column: Mapped[str]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    counts = sa.select(column, sa.func.count()).group_by(column)
    for value, count in session.execute(counts):
        family.add_metric([value], count)
    return family
