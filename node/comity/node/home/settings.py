"""An operator's settings: one TOML file, read into one frozen object.

    institute = "uk.aisi.example"
    address = "comity.aisi.example:7000"
    listen = "0.0.0.0:7000"
    database = "postgresql+psycopg://comity@db/comity"
    [names]
    en = "AI Security Institute"
    [replication]
    heartbeat_seconds = 10
    [log]
    checkpoint_seconds = 1
    [standing]
    window_days = 365
    [standing.weights]
    evaluation = 1
    [alarms]
    webhook = "https://oncall.aisi.example/comity"

Invariants: an unknown key is an error, since a misspelt setting would silently have no effect. No
repr, error or log shows the database password.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ValidationError,
)
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from comity.node.home.setting_tables import (
    Address,
    AlarmSettings,
    DialledAddress,
    LogSettings,
    ReplicationSettings,
    SettingsTable,
    StandingSettings,
    default_listen,
)
from comity.node.home.settings_template import settings_text
from comity.record.errors import BadConfig, InvalidInput
from comity.record.keys import read_secret, write_secret
from comity.record.models import describe
from comity.record.spiffe import check_institute
from comity.record.statement import LanguageMap

SETTINGS_FILE: Final = "comity.toml"
SQLITE_FILE: Final = "comity.db"
_DRIVERS: Final = ("sqlite", "postgresql+psycopg")


def _institute(text: str) -> str:
    try:
        return check_institute(text)
    except InvalidInput as error:
        raise ValueError(error.message) from error


def _database(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"expected a SQLAlchemy URL as text, got {type(value).__name__}")  # noqa: TRY004 -- pydantic reports only ValueError
    try:
        url = make_url(value)
    except (ArgumentError, ValueError) as error:
        raise ValueError("expected a SQLAlchemy URL, got text that is none") from error
    if url.drivername not in _DRIVERS:
        raise ValueError(f"expected {' or '.join(_DRIVERS)}, got {url.drivername!r:.80}")
    return url


class Settings(SettingsTable):
    """All settings of a node. ``address`` and ``listen`` are ``host:port``.

    ``database`` is a SQLAlchemy URL, of SQLite with an absolute path; ``str`` hides its password.
    """

    institute: Annotated[str, AfterValidator(_institute)]
    names: LanguageMap
    address: DialledAddress
    listen: Address = ""
    database: Annotated[URL, BeforeValidator(_database)] = URL.create("sqlite")
    replication: ReplicationSettings = ReplicationSettings()
    log: LogSettings = LogSettings()
    standing: StandingSettings = StandingSettings()
    alarms: AlarmSettings = AlarmSettings()

    @property
    def database_url(self) -> str:
        """The database's URL with its password, for the driver only and never for a log."""
        return self.database.render_as_string(hide_password=False)

    @classmethod
    def load(cls, home: Path) -> Settings:
        """Read ``comity.toml`` of the home folder.

        Raises:
            BadConfig: the file is missing or not TOML, or has an unknown key or a value of the
                wrong type or range; names the key. Also if others may read a password in it.

        """
        file = home / SETTINGS_FILE
        settings = cls._parse(_read(file), file)
        # a file with a password must have the mode of a secret
        if settings.database.password is not None:
            read_secret(file)
        return settings._resolved(home)

    @classmethod
    def write(
        cls,
        home: Path,
        *,
        institute: str,
        names: dict[str, str],
        address: str,
        listen: str | None = None,
        database: str | None = None,
    ) -> Settings:
        """Write a new ``comity.toml`` with comments, mode 0600, and return its settings.

        By default ``listen`` is ``default_listen`` of the address, and ``database`` SQLite in the
        home.

        Raises:
            BadConfig: a value is invalid, or the file exists; nothing is written.

        """
        text = settings_text(
            institute=institute,
            names=names,
            address=address,
            listen=listen or _listen(address),
            database=database or f"sqlite:///{SQLITE_FILE}",
        )

        # parsed before it is written, so that no invalid file stays behind
        file = home / SETTINGS_FILE
        settings = cls._parse(text, file)
        write_secret(file, text.encode())
        return settings._resolved(home)

    @classmethod
    def _parse(cls, text: str, file: Path) -> Settings:
        try:
            return cls.model_validate(tomllib.loads(text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise BadConfig(f"expected TOML: {error}", field=str(file)) from error
        except ValidationError as error:
            raise _refusal(error, file) from error

    def _resolved(self, home: Path) -> Settings:
        listen = self.listen or default_listen(self.address)
        url = self.database
        if url.drivername == "sqlite":
            url = url.set(database=str(home.absolute() / (url.database or SQLITE_FILE)))
        return self.model_copy(update={"listen": listen, "database": url})


def _listen(address: str) -> str:
    try:
        return default_listen(address)
    except InvalidInput:
        # the fault is told as one of the address, when the settings are read
        return ""


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        hint = "make a home with comity-node init, or name one with --home or COMITY_HOME"
        raise BadConfig("no Comity home here", field=str(file), hint=hint) from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"cannot be read: {error}", field=str(file)) from error


def _refusal(error: ValidationError, file: Path) -> BadConfig:
    path, message = describe(error)
    if message == "unknown field":
        tables: dict[str, type[SettingsTable]] = {
            "replication": ReplicationSettings,
            "log": LogSettings,
            "standing": StandingSettings,
            "alarms": AlarmSettings,
        }
        table = tables.get(path.split(".")[1], Settings)
        message = f"unknown key; expected one of {', '.join(table.model_fields)}"
    return BadConfig(message, field=f"{file}: {path.lstrip('.')}".removesuffix(": "))
