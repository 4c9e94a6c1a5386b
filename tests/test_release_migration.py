"""A database of an earlier version: what was released stays, and what waited still comes."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

import comity.node.store
from comity.node.store import Store
from tests.databases import NewDatabase
from tests.exchange import HandClock, institutes
from tests.network import card
from tests.test_release import CARDS_ONLY, NO_RISKS, OPEN, guidance

UK, CA = "uk.aisi.example", "ca.aisi.example"


def migrate(store: Store, version: str) -> None:
    """Bring a database to an earlier version's schema."""
    config = Config()
    folder = Path(comity.node.store.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, version)
        connection.commit()


def test_what_waited_before_an_upgrade_comes_after_it_once(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as [uk, ca]:
        uk.node.set_policy(NO_RISKS)
        uk.publish(card())
        uk.node.set_policy(CARDS_ONLY)
        uk.publish(guidance())
        before = uk.released(ca)
        migrate(uk.node.store, "0002")
        uk.node.store.upgrade()
        assert uk.node.release() == 0
        uk.node.set_policy(OPEN)
        after = uk.released(ca)
        assert after[: len(before)] == before
        assert len(after) == len(set(after)) == 5
