"""Alarms: raised once, counted, and cleared by hand or by the end of their cause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from comity.node.database.alarms import clear_alarm, list_alarms, raise_alarm
from comity.node.database.store import Store

UK, CA = "uk.aisi.example", "ca.aisi.example"
LATER = 10


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    store.upgrade()
    store.claim(UK)
    yield store
    store.close()


def test_an_alarm_raised_again_is_counted_and_logged_once(store: Store) -> None:
    with capture_logs() as logs:
        for now in range(1, LATER + 1):
            with store.write() as session:
                raise_alarm(session, CA, "ROOT_REFUSED", "version 3 follows version 1", now)
    with store.read() as session:
        [alarm] = list_alarms(session)
    assert (alarm.first_time, alarm.last_time, alarm.count) == (1, LATER, LATER)
    [line] = logs
    assert (line["log_level"], line["reason"]) == ("error", "ROOT_REFUSED")


def test_an_alarm_with_other_words_is_logged_again(store: Store) -> None:
    with capture_logs() as logs, store.write() as session:
        raise_alarm(session, CA, "ROOT_REFUSED", "version 3", 1)
        raise_alarm(session, CA, "ROOT_REFUSED", "version\x00 4", 2)
    assert [line["message"] for line in logs] == ["version 3", "version 4"]
    with store.read() as session:
        [alarm] = list_alarms(session, CA)
    assert (alarm.message, alarm.count) == ("version 4", 2)


def test_clearing_an_alarm_leaves_the_others(store: Store) -> None:
    with store.write() as session:
        raise_alarm(session, CA, "SPLIT_VIEW", "two roots of size 7", 2)
        raise_alarm(session, CA, "ROOT_REFUSED", "version 3", 1)
        assert clear_alarm(session, CA, "ROOT_REFUSED")
        assert not clear_alarm(session, CA, "ROOT_REFUSED")
    with store.read() as session:
        assert [alarm.reason for alarm in list_alarms(session)] == ["SPLIT_VIEW"]
        assert list_alarms(session, UK) == []
