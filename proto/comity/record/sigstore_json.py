"""The common parts of Sigstore's JSON files (ProtoJSON, sigstore/protobuf-specs).

Invariant: a file is read only in the spelling in which Comity writes it: it has no unknown field,
no other form of base64 or of a number, and no value that contradicts another.
"""

from __future__ import annotations

import base64
import re
from typing import Annotated, Final, TypeVar

from pydantic import AfterValidator, ValidationError

from comity.record import ijson
from comity.record.encoding import decode_base64
from comity.record.errors import BadEvidence
from comity.record.limits import Limit
from comity.record.merkle import HASH_BYTES, MAX_TREE_SIZE
from comity.record.models import Model, describe

_Parsed = TypeVar("_Parsed", bound=Model)

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,15}")


def _check_base64(text: str) -> str:
    if not decode_base64(text):
        raise ValueError(f"expected standard base64, got {text!r:.80}")
    return text


def _check_hash(text: str) -> str:
    if len(base64.b64decode(text)) != HASH_BYTES:
        raise ValueError(f"expected {HASH_BYTES} bytes in base64, got {text!r:.80}")
    return text


def _check_decimal(text: str) -> str:
    # 2^53 has 16 digits
    if not _DECIMAL.fullmatch(text) or int(text) > MAX_TREE_SIZE:
        raise ValueError(f"expected a decimal number of at most 2^53, got {text!r:.40}")
    return text


Base64Text = Annotated[str, AfterValidator(_check_base64)]
HashText = Annotated[Base64Text, AfterValidator(_check_hash)]
DecimalText = Annotated[str, AfterValidator(_check_decimal)]
"""ProtoJSON writes 64-bit integers as text."""


class LogId(Model):
    """The id of a log."""

    key_id: HashText


def parse_file(model: type[_Parsed], data: bytes, limit: Limit) -> _Parsed:
    """Read a JSON file of at most ``limit`` bytes into a model.

    Raises:
        LimitExceeded, MalformedJson, BadEvidence: as ``SigstoreBundle.from_json``.
    """
    limit.check(len(data), "file")
    value = ijson.loads(data, field="file")
    try:
        return model.parse(value)
    except ValidationError as error:
        path, message = describe(error)
        raise BadEvidence(message, field=path.lstrip(".") or "file") from error


def check_same(field: str, expected: str, got: str) -> None:
    """Check a field whose value follows from other fields.

    Raises:
        BadEvidence: ``got`` is not ``expected``.
    """
    if got != expected:
        raise BadEvidence(f"expected {expected}, got {got!r:.200}", field=field)
