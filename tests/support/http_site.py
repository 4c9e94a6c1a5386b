"""A node whose HTTP port is on, and a session that reads from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from comity.node.home.folder import Home
from tests.support.network import Running, free_port, make_home, serving

UK = "uk.aisi.example"


@dataclass
class HttpSite:
    """A node whose HTTP port is on, and what reads it."""

    running: Running
    session: aiohttp.ClientSession

    async def get(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """Return status, headers and body of an answer."""
        async with self.session.get(path) as answer:
            return answer.status, answer.headers, await answer.read()


def home_with_port(root: Path) -> Home:
    """Make a home of uk whose HTTP port is a free one."""
    home = make_home(root, UK)
    file = home.path / "comity.toml"
    text = file.read_text().replace('listen = ""', f'listen = "127.0.0.1:{free_port()}"')
    file.write_text(text)
    return Home(home.path)


@asynccontextmanager
async def http_site(root: Path) -> AsyncIterator[HttpSite]:
    """Serve a home with an HTTP port, and open a session to that."""
    async with serving(home_with_port(root)) as running:
        assert running.server.web is not None
        base = f"http://{running.server.web.address}"
        async with aiohttp.ClientSession(base) as session:
            yield HttpSite(running, session)
