"""A new home: settings, five keys and two certificates.

Invariants: a home is made whole or not at all, and never replaces another. Folders have mode 0700
and keys 0600.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from comity.node.home.folder import NODE_FILE, Home
from comity.node.home.key_files import KeyUse, make_key
from comity.node.home.settings import Settings
from comity.record.errors import BadConfig
from comity.record.keys import write_secret
from comity.record.spiffe import Role, SpiffeId


def create_home(
    path: Path,
    *,
    institute: str,
    names: dict[str, str],
    address: str,
    listen: str | None = None,
    database: str | None = None,
) -> Home:
    """Make a home with settings, five keys and two certificates.

    ``names`` are by BCP 47 language tag, ``address`` and ``listen`` are ``host:port``, and
    ``database`` is a SQLAlchemy URL; ``Settings.write`` has the defaults.

    Raises:
        BadConfig: ``path`` exists and is not an empty folder, or a setting is invalid. Nothing is
            left on disk.

    """
    with built_beside(path) as draft:
        settings = Settings.write(
            draft,
            institute=institute,
            names=names,
            address=address,
            listen=listen,
            database=database,
        )
        _write_keys(draft, settings.institute)
    return Home(path)


@contextmanager
def built_beside(path: Path) -> Iterator[Path]:
    """Yield a fresh folder beside ``path``, of mode 0700, that becomes ``path`` in the end.

    Raises:
        BadConfig: ``path`` exists and is not an empty folder, or cannot be made. After any error
            nothing is left on disk.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        hint = "name another folder with --home, or move this one away"
        raise BadConfig("exists already and is not overwritten", field=str(path), hint=hint)

    # a crash leaves at most the hidden folder, never half a home
    draft = _empty_folder_beside(path)
    try:
        yield draft
        draft.rename(path)
    except OSError as error:
        shutil.rmtree(draft)
        raise BadConfig(f"cannot be made: {error.strerror}", field=str(path)) from error
    except BadConfig as error:
        # the operator named ``path``, and the folder in the message is gone
        shutil.rmtree(draft)
        field = error.field.replace(str(draft), str(path))
        raise BadConfig(error.message, field=field, hint=error.hint) from error
    except BaseException:
        shutil.rmtree(draft)
        raise


def _empty_folder_beside(path: Path) -> Path:
    # mkdtemp makes the folder 0700, and a rename within one file system is whole or not at all
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=parent))
    except OSError as error:
        raise BadConfig(f"cannot be made: {error.strerror}", field=str(path)) from error


def _write_keys(draft: Path, institute: str) -> None:
    keys, certificates = draft / "keys", draft / "certificates"
    keys.mkdir(mode=0o700)
    certificates.mkdir(mode=0o700)
    for use in KeyUse:
        make_key(draft, institute, use)

    authority = Home(draft).authority_with(keys / "ca.key")
    svid = authority.issue(SpiffeId(institute, Role.NODE))
    write_secret(keys / NODE_FILE, svid.private_key + svid.certificate)
