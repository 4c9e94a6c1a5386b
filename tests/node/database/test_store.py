"""The store over SQLite and PostgreSQL: one schema, one owner, one writer at a time."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import Session, SQLModel, select
from structlog.testing import capture_logs

from comity.node.database.store import Store
from comity.node.database.tables import LogEntryRow, PeerRow
from comity.record.errors import BadConfig
from tests.support.databases import NewDatabase
from tests.support.log_store import INSTITUTE, append_entry, open_store
from tests.support.network import PATIENCE_SECONDS
from tests.support.paths import ROOT

OPENER = """
import sys
from tests.support.log_store import open_store
open_store(sys.argv[1]).close()
"""

WRITER = """
import sys
from tests.support.log_store import append_entry, open_store
store = open_store(sys.argv[1])
for number in range(20):
    append_entry(store, f"theirs-{number}")
store.close()
"""


def python(code: str, url: str) -> subprocess.Popen[bytes]:
    """Start another process on a database."""
    return subprocess.Popen([sys.executable, "-W", "error", "-c", code, url], cwd=ROOT)


def indexes(session: Session) -> list[int]:
    return list(session.exec(select(LogEntryRow.log_index).order_by(LogEntryRow.log_index)))


def is_table_of_a_model(name: str | None, kind: str, parents: object) -> bool:
    """False for the index of words, which each kind of database makes in its own way."""
    return not (kind == "table" and name and name.startswith("part_text"))


def test_migrations_from_nothing_make_the_tables_of_the_models(new_database: NewDatabase) -> None:
    store = Store(new_database(empty=True))
    store.upgrade()
    with store.engine.connect() as connection:
        options = {"compare_type": True, "include_name": is_table_of_a_model}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []
    store.close()


def test_the_files_of_a_database_are_their_owners_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}")
    append_entry(store, "one")
    modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("a.db", "a.db-wal", "a.db-shm"), 0o600)
    store.close()

    (tmp_path / "a.db").chmod(0o644)
    with capture_logs() as logs:
        open_store(f"sqlite:///{tmp_path / 'a.db'}").close()
    [told] = [entry["hint"] for entry in logs if entry["event"] == "others may read the database"]
    assert told == f"chmod 600 {tmp_path / 'a.db'}*"


def test_another_institutes_database_is_refused(database: str) -> None:
    store = open_store(database)
    with pytest.raises(BadConfig, match=r"expected the database of ca\.aisi\.example, got that"):
        store.claim("ca.aisi.example")
    store.claim(INSTITUTE)
    store.close()


def test_lists_are_kept_as_json_that_an_older_version_reads(database: str) -> None:
    store = open_store(database)
    with store.write() as session:
        row = PeerRow(
            institute="ca.aisi.example", bundle="{}", fingerprint="", status="member", added_time=0
        )
        row.groups = ["québec", 'a "b"']
        session.add(row)
    with store.read() as session:
        stored = session.connection().exec_driver_sql("SELECT groups, purposes FROM peer").one()
        read = session.exec(select(PeerRow.groups)).one()
    store.close()
    assert tuple(stored) == ('["québec", "a \\"b\\""]', "[]")
    assert read == ["québec", 'a "b"']


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("These are notes, and not a database. " * 100)
    store = Store(f"sqlite:///{file}")
    with pytest.raises(BadConfig, match=r"notes\.txt: file is not a database"):
        store.upgrade()
    store.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "revision identified by '9999'"),
        ("DROP TABLE lease", "expected a table lease, got none"),
        ("ALTER TABLE lease RENAME COLUMN holder TO owner", r"expected columns \['holder'\]"),
    ],
)
def test_a_database_of_another_version_is_refused_in_words(
    new_database: NewDatabase, change: str, message: str
) -> None:
    store = Store(new_database(empty=True))
    store.upgrade()
    with store.engine.begin() as connection:
        connection.execute(sa.text(change))
    with pytest.raises(BadConfig, match=f"made by another version of Comity: .*{message}") as told:
        store.upgrade()
    store.close()
    assert told.value.field == "database"
    assert "run the version of Comity that made it" in told.value.hint


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    store = Store("postgresql+psycopg://comity:s3cret@127.0.0.1:1/comity")
    with pytest.raises(BadConfig, match=r"cannot open postgresql.*127\.0\.0\.1:1") as refusal:
        store.upgrade()
    assert "s3cret" not in str(refusal.value)


def test_a_user_that_may_make_no_temporary_tables_is_told_at_the_start(
    new_postgres_database: NewDatabase,
) -> None:
    url = sa.make_url(new_postgres_database(empty=True))
    owner = Store(url.render_as_string(hide_password=False))
    with owner.engine.begin() as connection:
        connection.exec_driver_sql(f"REVOKE TEMPORARY ON DATABASE {url.database} FROM PUBLIC")
        connection.exec_driver_sql("CREATE ROLE weak LOGIN")
    weak = Store(url.set(username="weak").render_as_string(hide_password=False))
    with pytest.raises(BadConfig, match=f"in {url.database}, got weak") as told:
        weak.upgrade()
    weak.close()
    assert (
        told.value.hint == f'as its owner: GRANT TEMPORARY ON DATABASE "{url.database}" TO "weak"'
    )
    with owner.engine.begin() as connection:
        connection.exec_driver_sql("DROP ROLE weak")
    owner.close()


def test_processes_that_open_an_empty_database_together_agree(new_database: NewDatabase) -> None:
    url = new_database(empty=True)
    others = [python(OPENER, url) for _ in range(2)]
    open_store(url).close()
    assert [other.wait(60) for other in others] == [0, 0]


def test_writers_in_threads_get_consecutive_numbers(database: str) -> None:
    store = open_store(database)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: append_entry(store, f"record-{number}"), range(40)))
    with store.read() as session:
        assert indexes(session) == list(range(40))
    store.close()


def test_a_second_process_writes_without_gaps_or_duplicates(database: str) -> None:
    store = open_store(database)
    other = python(WRITER, database)
    for number in range(20):
        append_entry(store, f"ours-{number}")
    assert other.wait(60) == 0
    with store.read() as session:
        assert indexes(session) == list(range(40))
    store.close()


def test_a_write_that_fails_leaves_nothing_and_frees_the_lock(database: str) -> None:
    store = open_store(database)

    def fail() -> None:
        with store.write() as session:
            session.add(LogEntryRow(log_index=0, record_id="lost", leaf=b""))
            session.flush()
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    append_entry(store, "kept")
    with store.read() as session:
        assert session.exec(select(LogEntryRow.record_id)).all() == ["kept"]
    store.close()


def test_readers_do_not_wait_for_a_writer_and_see_what_was_committed(database: str) -> None:
    store = open_store(database)
    append_entry(store, "committed")
    with store.write() as session:
        session.add(LogEntryRow(log_index=1, record_id="not yet", leaf=b""))
        session.flush()
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(_seen, store).result(timeout=PATIENCE_SECONDS) == [0]
    assert _seen(store) == [0, 1]
    store.close()


def test_a_reader_sees_one_state_while_others_write(database: str) -> None:
    store = open_store(database)
    append_entry(store, "before")
    with store.read() as session:
        assert indexes(session) == [0]
        writer = threading.Thread(target=append_entry, args=(store, "meanwhile"))
        writer.start()
        writer.join(PATIENCE_SECONDS)
        assert not writer.is_alive()
        assert indexes(session) == [0]
    assert _seen(store) == [0, 1]
    store.close()


def _seen(store: Store) -> list[int]:
    with store.read() as session:
        return indexes(session)
