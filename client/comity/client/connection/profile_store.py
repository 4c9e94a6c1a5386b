"""The profiles that a person has logged in with.

``comity login`` keeps a copy of each below ``$COMITY_CONFIG`` (by default ``~/.config/comity``):

    profiles/<name>.json        one file for each profile, mode 0600
    current                     the name of the profile that is used unless another is named

Invariant: a profile is replaced as a whole, and only by a profile of the same identity.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from comity.client.connection.profile import Profile
from comity.record.errors import BadConfig, InvalidInput, NotFound

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}")


class ProfileStore:
    """The profiles that a person has logged in with."""

    def __init__(self, folder: Path | None = None) -> None:
        """Use ``folder``. None means $COMITY_CONFIG, or ~/.config/comity if that is not set."""
        configured = os.environ.get("COMITY_CONFIG")
        default = Path(configured) if configured else Path.home() / ".config" / "comity"
        self._folder = folder or default

    @property
    def names(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted(path.stem for path in (self._folder / "profiles").glob("*.json"))

    @property
    def current(self) -> str:
        """The name of the profile to use: $COMITY_PROFILE or the last login; empty if neither."""
        named = os.environ.get("COMITY_PROFILE")
        pointer = self._folder / "current"
        return named or (pointer.read_text().strip() if pointer.exists() else "")

    def path(self, name: str) -> Path:
        """Return the file of a profile of that name, whether or not it exists.

        Raises:
            InvalidInput: ``name`` is not 1 to 200 characters of ``[A-Za-z0-9._@-]``.
        """
        if not _NAME.fullmatch(name):
            message = f"expected 1 to 200 of [A-Za-z0-9._@-], got {name!r:.80}"
            raise InvalidInput(message, field="profile")
        return self._folder / "profiles" / f"{name}.json"

    def login(self, profile: Profile, name: str = "") -> str:
        """Keep a profile, make it the current one, and return its name.

        An empty name means ``<person>@<institute>``. A profile of the same identity is replaced,
        for example after a certificate was renewed.

        Raises:
            InvalidInput: ``name`` is not a name, as for ``path``.
            BadConfig: another identity has the name, or the folder cannot be written.
        """
        identity = profile.identity
        name = name or f"{identity.name or identity.role}@{identity.institute}"
        path = self.path(name)
        if path.exists() and Profile.load(path).identity != identity:
            raise BadConfig("is another identity's: choose another --name", field=name)

        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(profile, path)
            (self._folder / "current").write_text(name + "\n")
        except OSError as error:
            message = f"cannot be written: {error.strerror}"
            raise BadConfig(message, field=str(self._folder)) from error
        return name

    def update(self, profile: Profile) -> None:
        """Replace the kept profiles of the same identity, if there are any.

        Raises:
            BadConfig: the file cannot be written.
        """
        for path in (self.path(name) for name in self.names):
            if Profile.load(path).identity == profile.identity:
                try:
                    _replace(profile, path)
                except OSError as error:
                    message = f"cannot be written: {error.strerror}"
                    raise BadConfig(message, field=str(path)) from error

    def open(self, name: str | Path | None = None) -> Profile:
        """Return a profile by its name or its path. None means the current profile.

        A ``Path`` is a path, and so is text that contains a slash or ends in ``.json``.

        Raises:
            BadConfig: the file is not a usable profile.
            NotFound: there is no profile of that name, or none at all.
        """
        chosen = name or self.current
        if not chosen:
            hint = "run: comity login FILE, with the file that your node's operator gave you"
            raise NotFound("no profile yet", field="profile", hint=hint)

        if isinstance(chosen, Path) or "/" in chosen or chosen.endswith(".json"):
            return Profile.load(Path(chosen))

        path = self.path(chosen)
        if not path.exists():
            known = ", ".join(self.names) or "none"
            raise NotFound(f"expected one of {known}, got {chosen!r}", field="profile")
        return Profile.load(path)


def _replace(profile: Profile, path: Path) -> None:
    # a process that reads the profile meanwhile sees the old one or the new one, never a part
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    profile.save(fresh)
    fresh.replace(path)
