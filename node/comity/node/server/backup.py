"""Backups of a whole node, from either kind of database into either.

A backup is one state of the database with settings and certificates, and on demand the private
keys. Invariants: nothing that was acknowledged before the backup began is missing in it; a home is
restored whole or not at all; no password of a database is in the file; a restored database begins a
new life, and its log stays halted, since the backup cannot know what was signed after it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection
from sqlmodel import Session

from comity.node import software_version
from comity.node.database.clock import to_datetime
from comity.node.database.progress_mark import Mark, Progress
from comity.node.database.schema import schema_version
from comity.node.database.store import Store
from comity.node.database.table_copy import fill_table, table_lines, table_names
from comity.node.home.backup_file import BackupReader, reading_backup, writing_backup
from comity.node.home.folder import Home
from comity.node.home.locked_keys import lock_keys, unlock_keys
from comity.node.home.new_home import built_beside
from comity.node.home.settings import SETTINGS_FILE, SQLITE_FILE, Settings
from comity.node.log.tree import tree_root, tree_size
from comity.node.server.recovery import Recovered, recover_database
from comity.record.errors import BadArchive, BadConfig
from comity.record.keys import write_secret
from comity.record.times import format_time

KEYS: Final = "keys"
_CERTIFICATE: Final = re.compile(r"certificates/[a-z0-9.]{1,64}\.pem")
_DATABASE_LINE: Final = re.compile(r"^[ \t#]*database[ \t]*=.*\n?", re.MULTILINE)

ROWS_BETWEEN_NEWS: Final = 10_000
"""After so many rows of a table, the caller is told."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored, and what the recovery did; ``keys`` is True if the keys came too."""

    home: Home
    manifest: dict[str, Any]
    keys: bool
    recovered: Recovered


def make_backup(
    home: Home, store: Store, file: Path, passphrase: str | None, now: int, tell: Tell
) -> dict[str, Any]:
    """Write a backup of a node, which may run meanwhile; return what the manifest says about it.

    The private keys are in it, encrypted, unless ``passphrase`` is None. ``now`` is Unix time in
    ms. ``tell`` takes news for a person.

    Raises:
        BadConfig: the file exists or cannot be written, or a file of the home cannot be read.
        InvalidInput: the passphrase is empty.
    """
    keys = None if passphrase is None else lock_keys(home.keys, home.institute, passphrase)
    settings = _settings_without_database(home.path / SETTINGS_FILE)

    with writing_backup(file) as writer, store.read() as session:
        about = _describe(home, session, now)
        writer.add(SETTINGS_FILE, [settings.encode()])
        for certificate in sorted((home.path / "certificates").glob("*.pem")):
            writer.add(f"certificates/{certificate.name}", [certificate.read_bytes()])
        if keys is not None:
            writer.add(KEYS, [keys])

        for name in table_names():
            writer.add(_member(name), _counted(name, table_lines(session, name), tell))
        writer.finish(about)
    return about


def restore_backup(
    file: Path, path: Path, database: str | None, passphrase: Callable[[], str], now: int
) -> Restored:
    """Make a home at ``path`` and a database of a backup, and recover that database.

    ``database`` is the SQLAlchemy URL of an empty one; None is SQLite in the home. ``passphrase``
    is called only if the backup holds keys. ``now`` is Unix time in ms.

    Raises:
        BadArchive: the file is damaged, or not a backup.
        BadConfig: ``path`` holds something, the database is not empty, or a newer version made the
            backup. No home is left.
        InvalidInput: the passphrase is wrong. No home is left.
    """
    with reading_backup(file) as backup:
        institute = str(backup.manifest.get("institute", ""))
        if database is None and backup.manifest.get("database") != "sqlite":
            hint = (
                f"name an empty one with --database; sqlite:///{SQLITE_FILE} is a file in the home"
            )
            raise BadConfig("the backup is of a PostgreSQL database", field="--database", hint=hint)

        with built_beside(path) as draft:
            _write_home(backup, draft, database or f"sqlite:///{SQLITE_FILE}")
            if KEYS in backup.members:
                unlock_keys(backup.read(KEYS), draft / "keys", institute, passphrase())
            recovered = _fill(backup, draft, institute, now)
    return Restored(Home(path), backup.manifest, KEYS in backup.members, recovered)


def _describe(home: Home, session: Session, now: int) -> dict[str, Any]:
    progress, size = Progress.of(session), tree_size(session)
    return {
        "software": software_version(),
        "institute": home.institute,
        "time": format_time(to_datetime(now)),
        "database": home.settings.database.get_backend_name(),
        "schema": schema_version(session.connection()),
        "epoch": progress.epoch,
        "commits": progress.commits,
        "log": {"size": size, "root": tree_root(session, size).hex()},
    }


def _settings_without_database(file: Path) -> str:
    # a password may stand in the line; and a restored database is seldom at the same place
    text = _DATABASE_LINE.sub("", file.read_text(encoding="utf-8"))
    if "database" in tomllib.loads(text):
        raise BadConfig("expected database = … on one line of its own", field=str(file))
    return text


def _write_home(backup: BackupReader, draft: Path, database: str) -> None:
    line = f"database = {json.dumps(database, ensure_ascii=False)}\n"
    write_secret(draft / SETTINGS_FILE, line.encode() + backup.read(SETTINGS_FILE))
    for folder in ("certificates", "keys"):
        (draft / folder).mkdir(mode=0o700)
    for name in filter(_CERTIFICATE.fullmatch, backup.members):
        write_secret(draft / name, backup.read(name))


def _fill(backup: BackupReader, draft: Path, institute: str, now: int) -> Recovered:
    settings = Settings.load(draft)
    if settings.institute != institute:
        message = f"expected the settings of {institute}, got those of {settings.institute}"
        raise BadArchive(message, field=SETTINGS_FILE)

    # in the order of the backup: a table comes after those that it refers to
    tables = [name for name in backup.members if name.startswith("tables/")]

    def insert(connection: Connection) -> None:
        for name in tables:
            table = name.removeprefix("tables/").removesuffix(".jsonl")
            fill_table(connection, table, backup.lines(name))

    store = Store(settings.database_url)
    try:
        store.fill(str(backup.manifest.get("schema", "")), insert)
        # a database of another institute in the backup is refused
        store.claim(institute)
        # without a mark: nothing here knows what was signed since
        return recover_database(store, Mark(draft / "state"), now)
    finally:
        store.close()


def _counted(name: str, lines: Iterator[bytes], tell: Tell) -> Iterator[bytes]:
    for number, line in enumerate(lines):
        if number and not number % ROWS_BETWEEN_NEWS:
            tell(f"{name}: {number} rows")
        yield line


def _member(table: str) -> str:
    return f"tables/{table}.jsonl"
