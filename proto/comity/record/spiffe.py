"""SPIFFE ids: the identities of nodes and people (spiffe/spiffe, standards/SPIFFE-ID.md).

An institute is a trust domain. The path below it names a role: ``spiffe://uk.aisi.example/node``,
``spiffe://uk.aisi.example/analyst/ada``. Invariant: every ``SpiffeId`` is well formed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from comity.record.errors import InvalidInput

_TRUST_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+"
)
_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")


class Role(StrEnum):
    """The role of a certificate's holder; the first path segment of its SPIFFE id."""

    NODE = "node"
    ANALYST = "analyst"
    AUDITOR = "auditor"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """One identity: an institute, a role in it and, for people, a name.

    ``name`` is empty for the node and 1 to 64 of ``[a-zA-Z0-9._-]`` for every other role.
    """

    institute: str
    role: Role
    name: str = ""

    def __post_init__(self) -> None:
        check_institute(self.institute)
        # an institute has one node, which needs no name; every person has one
        if (self.role is Role.NODE) != (not self.name):
            raise InvalidInput(f"expected /node or /<role>/<name>, got /{self.role}/{self.name}")
        if self.name and not _NAME.fullmatch(self.name):
            raise InvalidInput(f"expected a name of 1 to 64 of [a-zA-Z0-9._-], got {self.name!r}")

    def __str__(self) -> str:
        tail = f"/{self.name}" if self.name else ""
        return f"spiffe://{self.institute}/{self.role}{tail}"

    @classmethod
    @lru_cache(maxsize=1024)
    def parse(cls, uri: str) -> SpiffeId:
        """Read ``spiffe://<institute>/<role>[/<name>]``.

        Raises:
            InvalidInput: the text has another form.
        """
        # SPIFFE-ID.md, section 2: a lower-case host without port, query or fragment
        scheme, _, rest = uri.partition("://")
        institute, _, path = rest.partition("/")
        role, _, name = path.partition("/")
        if scheme != "spiffe" or role not in set(Role):
            raise InvalidInput(f"expected spiffe://<institute>/<role>[/<name>], got {uri!r:.200}")
        found = cls(institute, Role(role), name)
        # an identity has one spelling: no trailing slash, which section 2.2 excludes
        if str(found) != uri:
            raise InvalidInput(f"expected {found}, got {uri!r:.200}")
        return found


def check_institute(institute: str) -> str:
    """Return ``institute`` if it is an institute id: a lower-case DNS name with a dot in it.

    Raises:
        InvalidInput: it is not.
    """
    if not _TRUST_DOMAIN.fullmatch(institute):
        message = f"expected a lower-case DNS name such as uk.aisi.example, got {institute!r:.200}"
        raise InvalidInput(message, field="institute")
    return institute
