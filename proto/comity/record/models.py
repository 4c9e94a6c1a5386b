"""The base of every pydantic model here, and the wording of pydantic's errors.

Invariants: models are frozen, refuse unknown fields, and spell their fields in camelCase in JSON
and YAML; ``parse`` accepts no other spelling, so that one document has one reading. ``describe``
cuts the value that it quotes, so that a message stays one line.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Strict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from comity.record.errors import MalformedStatement
from comity.record.limits import MAX_LINE_CHARS, MAX_TEXT_CHARS

Number = Annotated[float, Strict()]
"""A JSON number; text that looks like one is refused."""

Integer = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_CHARS)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=MAX_LINE_CHARS)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest, 64 lower-case hex digits."""

FREE_TEXT: Final = frozenset({"title", "summary"})
"""Fields of a header that people read as text; they may have several lines."""

_NOT_IN_LINE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Model(BaseModel):
    """Base of every model that is read from or written to JSON or YAML."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
    )

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Validate parsed JSON or YAML in its one spelling.

        Raises:
            ValidationError: pydantic's; see ``describe``.
        """
        return cls.model_validate(value, by_alias=True, by_name=False)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON value, without fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)


def check_lines(value: Any, field: str = "") -> None:
    """Check that no name or line in a JSON value, keys included, holds a control character.

    Fields in FREE_TEXT are left out. A record that is stored already may hold one: only what comes
    anew is checked. ``field`` is the path of ``value``.

    Raises:
        MalformedStatement: one does; names it by its path.
    """
    if isinstance(value, str):
        found = _NOT_IN_LINE.search(value)
        if found:
            message = f"expected text without control characters, got U+{ord(found[0]):04X}"
            raise MalformedStatement(message, field=field)
    elif isinstance(value, dict):
        for key, item in value.items():
            check_lines(key, field)
            if key not in FREE_TEXT:
                check_lines(item, f"{field}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            check_lines(item, f"{field}[{index}]")


def describe(error: ValidationError) -> tuple[str, str]:
    """Return the path (``[0].severity``, or empty) and the message of the first error."""
    return describe_all(error)[0]


def describe_all(error: ValidationError) -> list[tuple[str, str]]:
    """Return the path and the message of every error."""
    return [_describe(each) for each in error.errors(include_url=False)]


def _describe(one: ErrorDetails) -> tuple[str, str]:
    # pydantic puts "[key]" after the name of a key that is itself at fault
    steps = [step for step in one["loc"] if step != "[key]"]
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}"[:100] for p in steps)

    # our own validators raise ValueError with a message in our form, which pydantic prefixes
    message = one["msg"].removeprefix("Value error, ")
    if one["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        message = "unknown field"
    elif one["type"] == "missing":
        message = "required field is missing"
    elif one["input"] is None and one["type"].endswith("_type"):
        # a line of YAML that nothing follows
        message = "expected a value, got None"
    elif "got" not in message:
        message = f"{message[0].lower()}{message[1:]}, got {one['input']!r:.80}"
    return path, message
