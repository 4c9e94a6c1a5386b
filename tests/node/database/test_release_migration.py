"""A database of an earlier version: what was released stays, and what waited still comes."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

import comity.node.database.store
from comity.node.database.store import Store
from comity.record.errors import BadSignature
from comity.record.kind import Kind
from tests.support.databases import NewDatabase
from tests.support.drafts import card, guidance
from tests.support.institutes import HandClock, institutes
from tests.support.releases import CARDS_ONLY, NO_RISKS, OPEN, versions
from tests.support.standing import refuse, seen

UK, CA = "uk.aisi.example", "ca.aisi.example"
BEFORE_VERSIONS = "0007"


def migrate(store: Store, version: str) -> None:
    """Bring a database to an earlier version's schema."""
    config = Config()
    folder = Path(comity.node.database.store.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    with store.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, version)
        connection.commit()


def test_standing_outlives_an_upgrade(tmp_path: Path, new_database: NewDatabase) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA, policy=OPEN) as [uk, ca]:
        first = uk.publish(card("one"))
        uk.publish(card("one"))
        uk.publish(card("one", kind="evaluation"))
        ca.publish(card("one"))
        ca.pull(uk)
        uk.pull(ca)
        refuse(uk, ca, b"not a statement", BadSignature("bad"))
        before = seen(uk, ca)
        migrate(uk.node.store, "0002")
        uk.node.store.upgrade()
        assert seen(uk, ca) == before
        uk.publish(card("two", supersedes=first.record_id))
        ca.pull(uk)
        assert seen(uk, ca).given == {Kind.MODEL_CARD: 2, Kind.EVALUATION: 1}


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


def test_releases_of_before_an_upgrade_name_the_newest_version_of_their_policy(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as [uk, ca]:
        for policy in (NO_RISKS, OPEN, CARDS_ONLY, OPEN):
            uk.node.set_policy(policy)
            uk.publish(guidance())
        migrate(uk.node.store, BEFORE_VERSIONS)
        uk.node.store.upgrade()
        assert versions(uk, ca) == [1] * 2 + [4] * 4 + [4] * 2
        uk.publish(guidance())
        assert versions(uk, ca)[-2:] == [4] * 2
