"""A static log on a web site, as a monitor reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from comity.client.monitor.sources import SiteSource, open_session
from comity.record.errors import LimitExceeded, Unavailable
from comity.record.tile import ENTRIES, Tile, encode_entries


def answering(status: int = 200, body: bytes = b"", **headers: str) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers=headers)

    application = web.Application()
    application.add_routes([web.get("/{path:.*}", answer)])
    return application


async def served(application: web.Application, ask: Callable[[SiteSource], object]) -> object:
    """Serve an application, and return what asking a static log there gives."""
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with open_session() as session:
            host, port = runner.addresses[0]
            found = ask(SiteSource(session, f"http://{host}:{port}/log/"))
            return await found  # type: ignore[misc]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "application",
    [answering(404), answering(302, location="http://127.0.0.1:1/"), answering(500)],
    ids=["missing", "redirect", "failure"],
)
def test_a_static_log_that_answers_otherwise_is_unavailable(application: web.Application) -> None:
    with pytest.raises(Unavailable, match="expected status 200"):
        asyncio.run(served(application, lambda site: site.checkpoint()))


def test_an_answer_without_end_is_cut_off() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(bytes(1 << 16))

    application = web.Application()
    application.add_routes([web.get("/log/checkpoint", endless)])
    with pytest.raises(LimitExceeded, match="MAX_NOTE_BYTES"):
        asyncio.run(served(application, lambda site: site.checkpoint()))


def test_nobody_at_the_address_is_unavailable() -> None:
    async def scenario() -> None:
        async with open_session() as session:
            await SiteSource(session, "http://127.0.0.1:1").checkpoint()

    with pytest.raises(Unavailable, match="cannot be read"):
        asyncio.run(scenario())


def test_a_full_tile_may_stand_for_a_partial_one() -> None:
    entries = [b"entry %d" % number for number in range(256)]
    application = answering(body=encode_entries(entries))
    tile = Tile(ENTRIES, 0, 10)
    found = asyncio.run(served(application, lambda site: site.entries([tile])))
    assert found == [entries[:10]]
