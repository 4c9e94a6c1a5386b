"""Treaties: bilateral agreements, each of which links a policy's templates once.

A treaty names the other party, the kinds and sections that it covers, its start and its end. The
policy decides what a treaty permits: a policy without a template ignores treaties, and no treaty
overrides the baseline. Invariant: a ``Treaty`` that exists is well formed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from comity.policies.facts import JSON_CONFIG, PartFacts
from comity.record.errors import Conflict, InvalidInput
from comity.record.kind import Kind
from comity.record.limits import MAX_NAME_CHARS, MAX_SECTIONS, MAX_TREATIES
from comity.record.models import describe
from comity.record.spiffe import check_institute
from comity.record.times import UtcTime, format_time

_TREATY_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True)
class Treaty:
    """One agreement with one institute.

    ``treaty_id`` is 1 to 128 letters, digits, "-", "_" and ".". ``party`` is the other institute.
    The treaty covers the ``kinds`` and the ``sections`` that it names ("?" for a section without a
    name); if it names none, it covers all. It always covers the header of a kind that it covers.
    It is in force from ``start`` until just before ``end``; without an end it stays in force.

    Raises:
        InvalidInput: a field is malformed; names the field.
        LimitExceeded: more than MAX_SECTIONS sections, or one longer than MAX_NAME_CHARS.

    """

    __pydantic_config__ = JSON_CONFIG

    treaty_id: str
    party: str
    kinds: frozenset[Kind]
    sections: frozenset[str]
    start: UtcTime
    end: UtcTime | None = None

    def __post_init__(self) -> None:
        if not _TREATY_ID.fullmatch(self.treaty_id):
            message = (
                f'expected 1 to 128 letters, digits, "-", "_" and ".", got {self.treaty_id!r:.160}'
            )
            raise InvalidInput(message, field="treaty.treatyId")

        try:
            check_institute(self.party)
        except InvalidInput as error:
            raise InvalidInput(error.message, field="treaty.party") from error

        _check_kinds(self.kinds)
        _check_sections(self.sections)
        _check_term(self.start, self.end)

    def active(self, now: datetime) -> bool:
        """True if the treaty is in force at ``now``, a time with its zone."""
        return self.start <= now and (self.end is None or now < self.end)

    def covers(self, part: PartFacts) -> bool:
        """True if the treaty covers the part's kind and section; the policy may still deny it."""
        if self.kinds and part.kind not in self.kinds:
            return False
        # a section without its header proves nothing, so the header (section "") is always covered
        return not part.section or not self.sections or part.section in self.sections

    def terms(self) -> dict[str, Any]:
        """Return the terms on which decisions depend, as a JSON value: all but start and end."""
        return {
            "treatyId": self.treaty_id,
            "party": self.party,
            "kinds": sorted(str(kind) for kind in self.kinds),
            "sections": sorted(self.sections),
        }

    def to_value(self) -> dict[str, Any]:
        """Return the JSON value that ``parse`` reads; times are RFC 3339 in UTC."""
        end = None if self.end is None else format_time(self.end)
        return self.terms() | {"start": format_time(self.start), "end": end}

    @classmethod
    def parse(cls, value: object) -> Treaty:
        """Read a treaty from its JSON value; times are RFC 3339 in UTC.

        Raises:
            InvalidInput, LimitExceeded: a field is missing, unknown or malformed; names the field.

        """
        try:
            return _TREATY.validate_python(value)
        except ValidationError as error:
            path, message = describe(error)
            raise InvalidInput(message, field="treaty" + path) from error


_TREATY: Final = TypeAdapter(Treaty)


def check_treaties(treaties: Sequence[Treaty]) -> tuple[Treaty, ...]:
    """Return the treaties ordered by id, once it is certain that they can be linked together.

    Raises:
        LimitExceeded: more than MAX_TREATIES.
        Conflict: two treaties have one id.

    """
    MAX_TREATIES.check(len(treaties), "treaties")
    ordered = tuple(sorted(treaties, key=lambda treaty: treaty.treaty_id))
    # the engine tells linked rules apart by the treaty's id
    for one, other in pairwise(ordered):
        if one.treaty_id == other.treaty_id:
            message = f"expected each treaty id once, got {one.treaty_id!r} again"
            raise Conflict(message, field="treaties")
    return ordered


def _check_kinds(kinds: frozenset[Kind]) -> None:
    for kind in sorted(kinds):
        if kind not in set(Kind):
            message = f"expected one of {', '.join(Kind)}, got {kind!r:.80}"
            raise InvalidInput(message, field="treaty.kinds")


def _check_sections(sections: frozenset[str]) -> None:
    MAX_SECTIONS.check(len(sections), "treaty.sections")
    for name in sorted(sections):
        if not name:
            message = "expected a section's name, got none (the header always comes along)"
            raise InvalidInput(message, field="treaty.sections")
        MAX_NAME_CHARS.check(len(name), "treaty.sections")


def _check_term(start: datetime, end: datetime | None) -> None:
    for name, time in (("start", start), ("end", end)):
        if time is not None and time.tzinfo is None:
            message = f"expected a time with its zone, got {time.isoformat()}"
            raise InvalidInput(message, field=f"treaty.{name}")
    if end is not None and end <= start:
        message = f"expected an end after the start {format_time(start)}, got {format_time(end)}"
        raise InvalidInput(message, field="treaty.end")
