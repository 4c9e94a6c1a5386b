"""The mark: how far the database has come, kept in a file that a restored backup leaves alone.

    state/mark        {"commits": 180, "epoch": "<32 hex digits>", "log": 0, "signed": 96}

A database that was restored from an older backup looks sound. But it would give new offers, log
entries and cosignatures numbers that peers have seen already: peers would skip records, and the log
and this institute's witness would contradict themselves. So the node writes down outside the
database how far it has come, and refuses a database that is behind.

Invariants: the mark never runs ahead of what is committed; a checkpoint or a cosignature is handed
out only after ``keep``; only ``recovery`` lets a database that is behind be used. A backup must
therefore not contain ``state/``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlmodel import Session, select

from comity.client.files import replace_file
from comity.node.database.cursors import EPOCH, generation
from comity.node.database.store import Store
from comity.node.database.tables import LogHeadRow, NodeRow
from comity.node.home.folder_lock import lock_folder
from comity.record import ijson
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import read_secret
from comity.record.log import FIRST_LOG

FILE: Final = "mark"
_FIELDS: Final = {"commits", "epoch", "log", "signed"}

_HINT: Final = (
    "put the newest copy of the database back; only if there is none, run comity-node recover"
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a database has come.

    ``epoch`` names its life, and ``commits`` counts its writing transactions. ``signed`` is the
    number of leaves under the newest checkpoint of the log with the number ``log``.
    """

    epoch: str
    commits: int
    signed: int
    log: int = FIRST_LOG

    @classmethod
    def of(cls, session: Session) -> Progress:
        """Return the progress of the database of a session."""
        columns = select(NodeRow.epoch, NodeRow.commits)
        epoch, commits = session.exec(columns).one()
        head = session.get(LogHeadRow, 1)
        return cls(epoch, commits, head.size, head.log_number) if head else cls(epoch, commits, 0)

    @classmethod
    def parse(cls, data: bytes) -> Progress:
        """Read the file.

        Raises:
            InvalidInput: ``data`` is not what ``to_json`` writes.
        """
        value = ijson.loads(data)
        # a mark from before there were later logs is of the first one
        if not isinstance(value, dict) or value.keys() | {"log"} != _FIELDS:
            raise InvalidInput("expected commits, epoch, log and signed")

        epoch, commits, signed = value["epoch"], value["commits"], value["signed"]
        log = value.get("log", FIRST_LOG)
        if not (isinstance(epoch, str) and EPOCH.fullmatch(epoch)):
            raise InvalidInput("expected 32 hex digits", field="epoch")
        if not type(commits) is type(signed) is type(log) is int:
            raise InvalidInput("expected integers", field="commits, log, signed")
        return cls(epoch, commits, signed, log)

    def to_json(self) -> bytes:
        """Return the content of the file: canonical JSON (RFC 8785) and a line feed."""
        return ijson.canonical(asdict(self)) + b"\n"


class Mark:
    """The mark of a home, in ``folder``, its ``state``, which is made when it is needed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / FILE
        self._kept: Progress | None = None

    def check_file(self, store: Store) -> None:
        """Check that the database's file is there, if the database has one and was used before.

        Raises:
            BadConfig: the file is missing.
        """
        file = store.file
        if file is not None and self._file.exists() and not file.exists():
            message = f"the database is missing, and {self._file} says that it was used"
            raise BadConfig(message, field=str(file), hint=_HINT)

    def open(self, store: Store) -> None:
        """Check a database before it is used, and write its mark.

        Raises:
            BadConfig: the database is older than the mark or is another one; the database was used
                and has no mark; or the mark cannot be read or written.
        """
        # a database without commits is new and cannot be behind anything
        if not self._file.exists() and (found := _progress(store)).commits:
            message = f"the database has {found.commits} commits, and {self._file} is missing"
            hint = f"if both were restored or moved, bring the file along; else {_HINT}"
            raise BadConfig(f"{message}: it may be an old copy", field="database", hint=hint)
        self.keep(store)

    def keep(self, store: Store) -> None:
        """Write down how far the database has come; the mark is on disk when this returns.

        Call it after the commit, and before a checkpoint or a cosignature is handed out.

        Raises:
            BadConfig: the database is older than the mark, or the mark cannot be read or written.
        """
        # most calls end here: without a new commit no file is touched
        if self._kept == _progress(store):
            return

        self._make_folder()
        with lock_folder(self._folder):
            # read again under the lock: another process may have moved the mark on meanwhile
            found, marked = _progress(store), self.read()
            if marked is not None:
                _check(found, marked)
            if found != marked:
                replace_file(self._file, found.to_json())
        self._kept = found

    @property
    def signed(self) -> int:
        """The number of leaves under the newest checkpoint, as this process last kept it."""
        return self._kept.signed if self._kept else 0

    def reset(self, store: Store) -> None:
        """Write the mark of the database as it is, even if it is behind; only ``recovery`` may.

        Raises:
            BadConfig: the mark cannot be written.
        """
        self._make_folder()
        with lock_folder(self._folder):
            replace_file(self._file, _progress(store).to_json())

    def read(self) -> Progress | None:
        """Return what is marked; None if there is no mark.

        Raises:
            BadConfig: the file cannot be read, or is not a mark.
        """
        if not self._file.exists():
            return None
        try:
            return Progress.parse(read_secret(self._file))
        except InvalidInput as error:
            raise BadConfig(f"not a mark: {error}", field=str(self._file), hint=_HINT) from error

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            message = f"cannot be made: {error.strerror}"
            raise BadConfig(message, field=str(self._folder)) from error


def _progress(store: Store) -> Progress:
    with store.read() as session:
        return Progress.of(session)


def _check(found: Progress, marked: Progress) -> None:
    if found.epoch == marked.epoch:
        if found.commits < marked.commits:
            message = f"expected commit {marked.commits} or later, got {found.commits}"
            restored = "restored from an older backup"
            raise BadConfig(f"{restored}: {message}", field="database", hint=_HINT)
    elif generation(found.epoch) <= generation(marked.epoch):
        # a later generation was recovered by a process with another copy of this home
        message = f"expected life {marked.epoch[:12]}… of the database, got {found.epoch[:12]}…"
        another = "another database, or restored from an older backup"
        raise BadConfig(f"{another}: {message}", field="database", hint=_HINT)
