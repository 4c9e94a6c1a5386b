"""The profiles that a person has logged in with.

``comity login`` keeps a copy of each below ``$COMITY_CONFIG`` (by default ``~/.config/comity``):

    profiles/<name>.json        one file a profile, mode 0600
    current                     the name of the profile that is used unless another is named

Invariant: a profile is replaced as a whole, and only by one of the same identity.
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
        """Use ``folder``, by default $COMITY_CONFIG or ~/.config/comity."""
        configured = os.environ.get("COMITY_CONFIG")
        default = Path(configured) if configured else Path.home() / ".config" / "comity"
        self._folder = folder or default

    @property
    def names(self) -> list[str]:
        """Names of all profiles, sorted."""
        return sorted(path.stem for path in (self._folder / "profiles").glob("*.json"))

    @property
    def current(self) -> str:
        """Name of the profile to use: $COMITY_PROFILE or the last login; empty if neither."""
        named = os.environ.get("COMITY_PROFILE")
        pointer = self._folder / "current"
        return named or (pointer.read_text().strip() if pointer.exists() else "")

    def path(self, name: str) -> Path:
        """Return where a profile of that name is kept.

        Raises:
            InvalidInput: not a name.
        """
        if not _NAME.fullmatch(name):
            message = f"expected 1 to 200 of [A-Za-z0-9._@-], got {name!r:.80}"
            raise InvalidInput(message, field="profile")
        return self._folder / "profiles" / f"{name}.json"

    def login(self, profile: Profile, name: str = "") -> str:
        """Keep a profile, make it the current one and return its name.

        The name is by default ``<person>@<institute>``. A profile of the same identity is
        replaced, as when a certificate was renewed.

        Raises:
            InvalidInput: not a name.
            BadConfig: the name is taken by another identity, or the folder cannot be written.
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
        """Keep what a profile has become, if one of its identity is kept here.

        Raises:
            BadConfig: it cannot be written.
        """
        for path in (self.path(name) for name in self.names):
            if Profile.load(path).identity == profile.identity:
                try:
                    _replace(profile, path)
                except OSError as error:
                    message = f"cannot be written: {error.strerror}"
                    raise BadConfig(message, field=str(path)) from error

    def open(self, name: str | Path | None = None) -> Profile:
        """Return a profile by name or by path (a ``Path``, or text with a slash or ``.json``).

        Without ``name``, the current one.

        Raises:
            BadConfig: the file is not a usable profile.
            NotFound: no profile of that name, or none at all.
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
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    profile.save(fresh)
    fresh.replace(path)
