"""The store: SQLite (WAL, synchronous=FULL) or PostgreSQL behind one class.

Invariants: there is one writer at a time, in this process and in any other on the same database,
so that row numbers are committed in order; a write that returned is on disk; readers never wait for
writers. What holds the other writers back:

    threads of this process    a lock in memory
    other processes, SQLite    BEGIN IMMEDIATE, which takes the lock of the file
                 PostgreSQL    the first statement of a writer, which locks the row of table node;
                               at setup, when that row may not exist yet, an advisory lock
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlmodel import Session, create_engine, select

from comity.node.database.cursors import new_epoch
from comity.node.database.schema import check_privilege, make_schema, upgrade_schema
from comity.node.database.sessions import WriteSession
from comity.node.database.tables import NodeRow
from comity.record.errors import BadConfig

BUSY_TIMEOUT_SECONDS = 30
"""How long a writer waits for another process's transaction."""

MAX_DATABASE_CONNECTIONS: Final = 32
"""Connections of one process: one for each of its threads, so that none waits for another's."""

_POOL: Final[dict[str, Any]] = {"pool_size": 8, "max_overflow": MAX_DATABASE_CONNECTIONS - 8}

_SETUP_LOCK: Final = 0x636F6D697479
"""Number of PostgreSQL's advisory lock on schema and ownership, before there is a row to lock."""

_INDEX_ANEW: Final = "UPDATE search_index SET version = 0"

COMMITS_CHANNEL: Final = "comity_commits"
"""PostgreSQL's channel on which counted commits are notified."""

_COUNT: Final = "UPDATE node SET commits = commits + 1"
_COUNT_AND_NOTIFY: Final = (
    f"WITH counted AS ({_COUNT} RETURNING commits)"
    f" SELECT pg_notify('{COMMITS_CHANNEL}', '') FROM counted"
)
_LOCK: Final = "SELECT commits FROM node FOR UPDATE"

log = structlog.get_logger()

_AnySession = TypeVar("_AnySession", bound=Session)


class Store:
    """The database at ``url``, in SQLAlchemy's form; ``upgrade`` and ``claim`` it before use."""

    def __init__(self, url: str) -> None:
        """Prepare connections; none is opened yet.

        Raises:
            BadConfig: ``url`` is not a database URL.
        """
        try:
            self._sqlite = make_url(url).get_backend_name() == "sqlite"
        except ArgumentError as error:
            raise BadConfig("expected a database URL", field="database") from error
        self.engine = _sqlite_engine(url) if self._sqlite else create_engine(url, **_POOL)

        # PostgreSQL would otherwise show each statement of a reader a newer state; a writer has to
        # see the newest one, once it holds the lock
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading: dict[str, Any] = {} if self._sqlite else snapshot
        self._writing = threading.Lock()

    @property
    def file(self) -> Path | None:
        """The file of the database; None if it has none of its own."""
        name = self.engine.url.database if self._sqlite else None
        return Path(name) if name and name != ":memory:" else None

    @property
    def shared(self) -> bool:
        """True if several node processes may use this database."""
        return not self._sqlite

    def upgrade(self) -> None:
        """Bring the schema to the one of this version.

        Raises:
            BadConfig: the database cannot be reached or opened, its user may not create temporary
                tables, or another version made it.
        """
        self._make_private()
        try:
            with self._writing, self._connect(immediate=True) as connection:
                self._lock_setup(connection)
                if not self._sqlite:
                    check_privilege(connection)
                upgrade_schema(connection)
                connection.commit()
        except DatabaseError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            raise BadConfig(f"cannot open {where}: {error.orig}", field="database") from error

    def _make_private(self) -> None:
        """Make the file of SQLite for its owner alone; SQLite gives -wal and -shm the same mode."""
        file = self.file
        if file is None:
            return
        try:
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            if stat.S_IMODE(file.stat().st_mode) & 0o077:
                log.warning(
                    "others may read the database", file=str(file), hint=f"chmod 600 {file}*"
                )
        except OSError as error:
            raise BadConfig(f"cannot open {file}: {error.strerror}", field="database") from error

    def fill(self, version: str, insert: Callable[[Connection], None]) -> None:
        """Make an empty database hold the rows of a backup, in one transaction.

        ``insert`` adds the rows to the schema of ``version``, which is then brought up to date.

        Raises:
            BadConfig: the database cannot be opened, is not empty, or does not know the version;
                also whatever ``insert`` raises. Then nothing has changed.
        """
        self._make_private()
        try:
            with self._writing, self._connect(immediate=True) as connection:
                self._lock_setup(connection)
                make_schema(connection, version)
                insert(connection)
                upgrade_schema(connection)
                # no backup holds the index of words, so it is made for all parts
                connection.exec_driver_sql(_INDEX_ANEW)
                connection.commit()
        except DatabaseError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            raise BadConfig(f"cannot fill {where}: {error.orig}", field="database") from error

    def claim(self, institute: str) -> None:
        """Make an unclaimed database the institute's, or check that it is.

        Raises:
            BadConfig: it is another institute's.
        """
        # not ``write``, which counts its commit in the row that is made here
        with self._writing, self._session(WriteSession, immediate=True) as session:
            self._lock_setup(session.connection())

            state = session.get(NodeRow, 1)
            if state is None:
                session.add(NodeRow(institute=institute, epoch=new_epoch()))
            elif state.institute != institute:
                message = f"expected the database of {institute}, got that of {state.institute}"
                raise BadConfig(message, field="database")
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that sees one state throughout, and writes nothing."""
        with self._session(Session, **self._reading) as session:
            yield session

    @contextmanager
    def write(self, *, counted: bool = True) -> Iterator[WriteSession]:
        """Open a session that holds the write lock.

        It is committed at the end, unless an exception leaves it; then nothing has changed. A
        commit that is not ``counted`` wakes nobody: it must change nothing that anybody acts on.
        """
        with self._writing, self._session(WriteSession, immediate=True) as session:
            # the one row that every writer changes is the lock where several processes write
            if counted:
                count = _COUNT if self._sqlite else _COUNT_AND_NOTIFY
                session.connection().exec_driver_sql(count)
            elif not self._sqlite:
                session.connection().exec_driver_sql(_LOCK)
            yield session
            session.commit()

    def commits(self) -> int:
        """Return the number of writing transactions so far, of all processes."""
        with self.read() as session:
            return session.exec(select(NodeRow.commits)).one()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _session(self, kind: type[_AnySession], **options: Any) -> Iterator[_AnySession]:
        with (
            self._connect(**options) as connection,
            kind(bind=connection, autoflush=False, expire_on_commit=False) as session,
        ):
            yield session

    def _connect(self, **options: Any) -> Connection:
        return self.engine.connect().execution_options(**options)

    def _lock_setup(self, connection: Connection) -> None:
        if not self._sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SETUP_LOCK})


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_SECONDS, "check_same_thread": False}, **_POOL
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _: Any) -> None:
        # the driver would otherwise begin transactions by itself, and never an immediate one
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _began(connection: Any) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("immediate") else "BEGIN")

    return engine
