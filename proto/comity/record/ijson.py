"""I-JSON in (RFC 7493) and canonical JSON out (JCS, RFC 8785).

Invariants: every value that ``loads`` returns can be stored as UTF-8 text in any database, and
written again by ``canonical`` without loss of meaning. It has no duplicate keys, no NaN or
infinity, no integer beyond 2^53 - 1, no lone surrogate, no U+0000, and at most MAX_JSON_DEPTH
levels.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

import rfc8785

from comity.record.errors import MalformedJson
from comity.record.limits import MAX_JSON_DEPTH, MAX_JSON_INTEGER


def loads(data: bytes, *, field: str = "") -> Any:
    """Parse ``data`` (UTF-8) as I-JSON.

    Raises:
        MalformedJson: not JSON, or JSON that RFC 7493 excludes; names the line and column, or key.
        LimitExceeded: nested deeper than MAX_JSON_DEPTH.
    """
    try:
        text = data.decode("utf-8")
        value = _DECODER.decode(text)

        # the depth first: the next check recurses into the value
        _check_depth(value, field)
        # only an escape can spell them: JSON has no bare control characters, UTF-8 no surrogates
        if "\\u" in text:
            _refuse_unstorable(value)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        message = f"expected JSON: {error.msg[0].lower()}{error.msg[1:]}, {where}"
        raise MalformedJson(message, field=field) from error
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, got byte 0x{data[error.start]:02x} at offset {error.start}"
        raise MalformedJson(message, field=field) from error
    except RecursionError as error:
        raise MAX_JSON_DEPTH.exceeded(MAX_JSON_DEPTH + 1, field) from error
    except MalformedJson as error:
        raise MalformedJson(error.message, field=field) from error
    return value


def canonical(value: Any) -> bytes:
    """Return the JCS form of ``value`` (RFC 8785): Comity signs and hashes this form.

    Raises:
        MalformedJson: a value that JCS cannot express (NaN, an integer beyond 2^53 - 1).
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise MalformedJson(f"cannot be written as canonical JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 7493, section 2.3: an object has no two members of one name
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedJson(f"expected each key once, got {key!r:.80} twice")
            seen.add(key)
    return result


def _integer(digits: str) -> int:
    # RFC 7493, section 2.2. 2^53 has 16 digits: a longer literal is refused without converting it,
    # which takes quadratic time
    value = int(digits) if len(digits) <= 17 else MAX_JSON_INTEGER + 1
    if abs(value) > MAX_JSON_INTEGER:
        raise MalformedJson(f"expected integers up to 2^53 - 1, got {digits:.40}")
    return value


def _real(digits: str) -> float:
    # JSON has no infinity, but a literal such as 1e999 becomes one
    value = float(digits)
    if not math.isfinite(value):
        raise MalformedJson(f"expected a finite number, got {digits:.40}")
    return value


def _constant(name: str) -> NoReturn:
    raise MalformedJson(f"expected a finite number, got {name}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def _refuse_unstorable(value: Any) -> None:
    # PostgreSQL stores no U+0000; UTF-8 has no surrogates (RFC 7493, section 2.1)
    for text in _strings(value):
        if "\x00" in text:
            raise MalformedJson("expected text without U+0000")
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise MalformedJson("expected paired surrogates, got a lone one")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _check_depth(value: Any, field: str) -> None:
    # level by level, with exact types, for speed: this runs over every value of every record
    level = [value] if type(value) in (dict, list) else []
    for _ in range(MAX_JSON_DEPTH):
        deeper: list[Any] = []
        for item in level:
            items = item.values() if type(item) is dict else item
            deeper += [v for v in items if type(v) is dict or type(v) is list]
        if not deeper:
            return
        level = deeper
    raise MAX_JSON_DEPTH.exceeded(MAX_JSON_DEPTH + 1, field)
