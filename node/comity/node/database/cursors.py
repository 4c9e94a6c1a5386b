"""Cursors and page tokens: positions in a list that only the node which made them can read.

    cursor        base64url of <epoch>:<offer number>
    page token    base64url of page:<number> or page:<number>:<number>
    epoch         8 hex digits, how often the database was recovered from a backup; 24 random ones

An epoch names one life of the database. Invariants: a position is never a timestamp; a cursor of
another life is recognised and refused by name; of two epochs of one node, the one with the higher
count is the later.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from typing import Final

from comity.record.errors import BadCursor, EpochChanged, FutureCursor
from comity.record.limits import MAX_CURSOR_CHARS

EPOCH: Final = re.compile(r"[0-9a-f]{32}")
_CURSOR: Final = re.compile(rf"({EPOCH.pattern}):(\d{{1,18}})")
_PAGE: Final = re.compile(r"page:(\d{1,18}(?::\d{1,18})?)")
_RECOVERY: Final = "start again without a cursor; records are stored once however often they come"


def new_epoch(*former: str) -> str:
    """Return an epoch that is later than all ``former`` ones; 32 hex digits."""
    count = max((generation(epoch) for epoch in former), default=-1) + 1
    return f"{count:08x}{secrets.token_hex(12)}"


def generation(epoch: str) -> int:
    """Return the number of recoveries of the database before this epoch began."""
    return int(epoch[:8], 16)


def make_cursor(epoch: str, offer_number: int) -> str:
    """Return the cursor that stands after an offer; offer 0 is before the first."""
    return _encode(f"{epoch}:{offer_number}")


def read_cursor(cursor: str, epoch: str, last_offer: int) -> int:
    """Return the offer number of a cursor; an empty one is 0.

    Raises:
        BadCursor: not a cursor.
        EpochChanged: the cursor was made in another life of this database.
        FutureCursor: the cursor is past ``last_offer``, so this database lost some offers.
    """
    if not cursor:
        return 0
    made_in, number = _parse(cursor)
    # looked at first: in another life the same number belongs to another offer
    if made_in != epoch:
        message = f"expected epoch {epoch[:8]}…, got {made_in[:8]}…"
        raise EpochChanged(message, field="cursor", hint=_RECOVERY)
    if number > last_offer:
        message = f"expected at most offer {last_offer}, got {number}"
        raise FutureCursor(message, field="cursor", hint=_RECOVERY)
    return number


def offer_of(cursor: str) -> int:
    """Return the offer number of a cursor of any life of this database; an empty one is 0.

    Raises:
        BadCursor: not a cursor.
    """
    return _parse(cursor)[1] if cursor else 0


def make_page_token(*numbers: int) -> str:
    """Return the token of the page that goes on after a position of one or two numbers."""
    return _encode("page:" + ":".join(map(str, numbers)))


def read_page_token(token: str, *start: int) -> tuple[int, ...]:
    """Return the position of a page token, as many numbers as ``start``; ``start`` if it is empty.

    Raises:
        BadCursor: not a page token of this kind of list.
    """
    if not token:
        return start
    match = _PAGE.fullmatch(_decode(token, "page_token"))
    numbers = tuple(map(int, match[1].split(":"))) if match else ()
    if len(numbers) != len(start):
        raise BadCursor("expected a page token of this list", field="page_token")
    return numbers


def _parse(cursor: str) -> tuple[str, int]:
    match = _CURSOR.fullmatch(_decode(cursor, "cursor"))
    if not match:
        raise BadCursor("expected a cursor of this node", field="cursor")
    return match[1], int(match[2])


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(text: str, field: str) -> str:
    MAX_CURSOR_CHARS.check(len(text), field)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise BadCursor(f"expected base64url, got {text!r:.80}", field=field) from error
