"""A peer that stays out of reach is told of: first in the log, and later as an alarm."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from comity.node.database.tables import AlarmRow
from comity.node.server.background.contact import (
    ALARM_MS,
    PEER_UNREACHABLE,
    WARN_MS,
    Contact,
)
from comity.record.errors import Unavailable
from tests.support.institutes import HandClock, Institute

CA = "ca.aisi.example"
ERROR = Unavailable("cannot be reached: connection refused")


def alarms(one: Institute) -> list[str]:
    return [row.message for row in one.rows(AlarmRow) if row.reason == PEER_UNREACHABLE]


def test_a_peer_that_stays_out_of_reach_is_told_of_once_until_it_is_back(
    pair: list[Institute], clock: HandClock
) -> None:
    uk = pair[0]

    async def scenario() -> None:
        contact = Contact(uk.node, CA)
        await contact.failed(ERROR, anew=False)
        with capture_logs() as logs:
            for seconds in (WARN_MS // 1000, 1, ALARM_MS // 1000, 1):
                clock.turn(seconds)
                await contact.failed(ERROR, anew=False)
        told = [entry for entry in logs if entry["event"] == "peer out of reach"]
        assert [(entry["log_level"], entry["peer"]) for entry in told] == [("warning", CA)]
        [message] = alarms(uk)
        assert "out of reach; last contact never; UNAVAILABLE: cannot be reached" in message

        await contact.began(uk.node.clock(), uk.node.clock())
        assert alarms(uk) == []
        with capture_logs() as logs:
            await contact.failed(ERROR, anew=False)
        assert not [entry for entry in logs if entry["event"] == "peer out of reach"]

    asyncio.run(scenario())
