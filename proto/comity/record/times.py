"""Times as Comity writes them: RFC 3339, UTC, whole seconds, with a final Z.

Invariant: a ``UtcTime`` is timezone-aware and in UTC, so times compare as instants.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_RFC3339_UTC: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def parse_time(value: Any) -> datetime:
    """Read a time such as ``2026-05-21T09:00:00Z``; an aware datetime is accepted as well.

    Raises:
        ValueError: not RFC 3339 in UTC, with at most six digits of a second.
    """
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    # RFC 3339, section 5.6; offsets are refused, so that people can compare two times as they stand
    if not isinstance(value, str) or not _RFC3339_UTC.fullmatch(value):
        raise ValueError(f"expected a UTC time such as 2026-05-21T09:00:00Z, got {value!r:.80}")
    return datetime.fromisoformat(value)


def format_time(time: datetime) -> str:
    """Write a time as ``2026-05-21T09:00:00Z``, dropping fractions of a second."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


UtcTime = Annotated[
    datetime,
    BeforeValidator(parse_time),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
