"""Lists that a node answers page by page (AIP-158)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

from comity.client.connection.channel import answer
from comity.record.bundle import TrustBundle


class _Request(Protocol):
    page_token: str


class _Page(Protocol):
    @property
    def next_page_token(self) -> str: ...


_R = TypeVar("_R", bound=_Request)
_P = TypeVar("_P", bound=_Page)


async def answer_pages(
    ask: Callable[[_R], Awaitable[_P]], request: _R, bundle: TrustBundle
) -> AsyncIterator[_P]:
    """Yield every page of a list, from the page that ``request`` asks for to the last one.

    ``request`` is changed: it asks for the next page each time. Raises what ``answer`` raises.
    """
    while True:
        page = await answer(ask(request), bundle)
        yield page
        request.page_token = page.next_page_token
        if not request.page_token:
            return
