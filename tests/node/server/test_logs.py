"""Logs: one way out for everything, and no secrets on it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from comity.node.server.log_output import configure_logs

KEY = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"
URL = "postgresql+psycopg://comity:hunter2@db/comity"


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_log_is_one_json_object_a_line_with_bound_fields() -> None:
    configure_logs(stream := io.StringIO())
    structlog.get_logger("comity.node.server.background.pull").bind(peer="ca.aisi.example").info(
        "pulled", records=3
    )
    (line,) = lines(stream)
    assert line["event"] == "pulled"
    assert (line["peer"], line["records"], line["level"]) == ("ca.aisi.example", 3, "info")
    assert line["time"].endswith("Z")


def test_libraries_log_the_same_way_and_only_what_matters() -> None:
    configure_logs(stream := io.StringIO())
    logging.getLogger("grpc").info("handshake %s", "done")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    logging.getLogger("alembic.runtime.migration").info("Running upgrade 0001")
    assert [line["event"] for line in lines(stream)] == ["handshake done"]


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_secrets_are_taken_out_wherever_they_stand(stream: io.StringIO) -> None:
    configure_logs(stream)
    log = structlog.get_logger("comity")
    try:
        int(URL)
    except ValueError:
        log.exception("failed", url=URL, nested={"files": [KEY]}, cut=KEY[:40])
    logging.getLogger("library").warning("key %s", KEY)
    assert "hunter2" not in stream.getvalue()
    assert "MIGH" not in stream.getvalue()
    assert "postgresql+psycopg://comity:***@db/comity" in stream.getvalue()


def test_redacted_lines_are_still_json() -> None:
    configure_logs(stream := io.StringIO())
    structlog.get_logger("comity").error(f'odd "quotes" {KEY}', cut=KEY[:40], after="kept")
    (line,) = lines(stream)
    assert line["after"] == "kept"
    assert line["cut"] == "[private key]"
