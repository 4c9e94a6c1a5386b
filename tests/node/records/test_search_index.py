"""The index that search looks in, made again: after an upgrade, other rules, or a break."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from comity.node.database.statement_limit import StatementLimit
from comity.node.database.tables import ItemRow, SearchIndexRow
from comity.node.database.text_index import clear_texts
from comity.node.records import search_index
from comity.node.records.filter import RecordFilter
from comity.node.records.search import search_records
from comity.node.records.search_index import complete_index
from comity.record.errors import LimitExceeded
from comity.record.limits import Limit
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes

UK = "uk.aisi.example"
RISKS = {"risks": [{"domain": "bio", "scenario": "It spreads.", "severity": "high"}]}


@pytest.fixture
def uk(tmp_path: Path, new_database: NewDatabase) -> Iterator[Institute]:
    with institutes(tmp_path, HandClock(), new_database, UK) as [made]:
        yield made


def found(one: Institute) -> set[str]:
    wanted = RecordFilter(texts=("spreads",), domains=("bio",), models=("tide",))
    with one.node.store.read() as session:
        return {row.record_id for row in search_records(session, wanted)[0]}


def lose_index(one: Institute, version: int) -> None:
    with one.node.store.write() as session:
        clear_texts(session)
        session.connection().execute(sa.delete(ItemRow))
        session.connection().execute(sa.update(SearchIndexRow).values(version=version))


def test_an_index_of_other_rules_is_made_again(uk: Institute) -> None:
    record_id = uk.publish(card("tide", sections=RISKS)).record_id
    lose_index(uk, version=0)
    assert found(uk) == set()
    complete_index(uk.node.store)
    assert found(uk) == {record_id}
    later = uk.publish(card("tide", sections=RISKS)).record_id
    assert found(uk) == {record_id, later}


def test_an_index_that_was_broken_off_goes_on_where_it_was(
    uk: Institute, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = {uk.publish(card("tide", sections=RISKS)).record_id for _ in range(5)}
    lose_index(uk, version=0)
    monkeypatch.setattr(search_index, "_PARTS_AT_ONCE", 3)
    indexed = search_index._index_batch(uk.node.store)
    assert indexed is not None
    assert indexed[0] < indexed[1]

    # what arrives meanwhile is indexed with its record, and not once more
    later = uk.publish(card("tide", sections=RISKS)).record_id
    complete_index(uk.node.store)
    assert found(uk) == {*ids, later}


def test_a_statement_ends_at_its_deadline(uk: Institute) -> None:
    limit = StatementLimit(Limit("MAX_SEARCH_SECONDS", 1, "seconds"))
    begun = time.monotonic()
    with (
        pytest.raises(LimitExceeded, match="MAX_SEARCH_SECONDS"),
        uk.node.store.read() as session,
        limit.bound(session),
    ):
        session.connection().exec_driver_sql(ENDLESS).all()
    assert time.monotonic() - begun < 20
    # the connection serves the next caller
    assert found(uk) == set()


def leave(limit: StatementLimit, ended: threading.Event) -> None:
    """Stop until the statement has ended, since once may fall before it has begun."""
    while not ended.wait(0.1):
        limit.stop()


def test_a_statement_ends_when_its_caller_has_gone(uk: Institute) -> None:
    limit = StatementLimit(Limit("MAX_SEARCH_SECONDS", 120, "seconds"))
    begun, ended = time.monotonic(), threading.Event()
    leaving = threading.Thread(target=leave, args=[limit, ended])
    leaving.start()
    with (
        pytest.raises(LimitExceeded),
        uk.node.store.read() as session,
        limit.bound(session),
    ):
        session.connection().exec_driver_sql(ENDLESS).all()
    ended.set()
    leaving.join()
    assert time.monotonic() - begun < 100
    assert found(uk) == set()


def test_a_caller_that_has_gone_before_its_statement_is_not_served(uk: Institute) -> None:
    limit = StatementLimit(Limit("MAX_SEARCH_SECONDS", 120, "seconds"))
    limit.stop()
    with pytest.raises(LimitExceeded), uk.node.store.read() as session, limit.bound(session):
        pytest.fail("expected that nothing is asked")


ENDLESS = """
    WITH RECURSIVE counted (n) AS
        (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 10000000000)
    SELECT count(*) FROM counted
"""
