"""The HTTP port: static tiles that other people's tools read, and metrics."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from comity.node.home.folder import Home
from comity.node.node import Node
from comity.node.server import health, http_port
from comity.node.server.process import Server
from comity.record.address import parse_address
from comity.record.checkpoint import open_checkpoint
from comity.record.errors import BadConfig
from comity.record.merkle import leaf_hash, root
from comity.record.note import Verifier
from comity.record.tile import ENTRIES, Tile, decode_entries, reader, tiles_of
from tests.support.drafts import card
from tests.support.http_site import UK, home_with_port, http_site
from tests.support.log_store import entry, grow
from tests.support.network import make_home, run, serving


def test_the_log_can_be_read_and_recomputed_from_its_files_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with http_site(tmp_path) as here:
            node = here.running.node
            await asyncio.to_thread(grow, node.store, 300)
            await asyncio.to_thread(node.publish, here.running.sign(card()))
            await asyncio.to_thread(node.signer.sign)
            status, headers, note = await here.get("/checkpoint")
            assert status == 200
            assert headers["Content-Type"] == "text/plain; charset=utf-8"
            assert headers["Cache-Control"] == "no-cache"
            keys = [Verifier.parse(key) for key in node.bundle.log_keys]
            checkpoint, _ = open_checkpoint(note, keys)
            assert checkpoint.size == 301
            files = {tile: (await here.get(f"/{tile.path}"))[2] for tile in tiles_of(301)}
            read = reader(lambda tiles: [files[tile] for tile in tiles], 301)
            assert root(301, read) == checkpoint.root
            _, headers, leaves = await here.get(f"/{Tile(ENTRIES, 1, 45).path}")
            assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert headers["Content-Type"] == "application/octet-stream"
            entries = decode_entries(leaves)
            assert entries[:44] == [entry(i).leaf for i in range(256, 300)]
            assert leaf_hash(entries[44]) == files[Tile(0, 1, 45)][-32:]
            assert b"hashedrekord" in entries[44]

    run(story())


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/64/000",
        "/tile/0/0",
        "/tile/0/x000/000",
        "/tile/0/..%2F..%2Fcomity.toml",
        "/tile/entries/000.p/3",
        "/tile/0/999/999",
        "/keys/log.key",
        "/",
    ],
)
def test_what_the_log_does_not_have_is_not_found(tmp_path: Path, path: str) -> None:
    async def story() -> None:
        async with http_site(tmp_path) as here:
            await asyncio.to_thread(grow, here.running.node.store, 2)
            await asyncio.to_thread(here.running.node.signer.sign)
            status, headers, _ = await here.get(path)
            assert status == 404
            assert "immutable" not in headers.get("Cache-Control", "")

    run(story())


def test_metrics_count_what_there_is_and_name_nobody(tmp_path: Path) -> None:
    async def story() -> None:
        async with http_site(tmp_path) as here:
            node = here.running.node
            other = make_home(tmp_path, "ca.aisi.example")
            await asyncio.to_thread(node.add_peer, other.bundle())
            await asyncio.to_thread(node.publish, here.running.sign(card()))
            await asyncio.to_thread(node.signer.sign)
            _, headers, body = await here.get("/metrics")
            assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
            lines = body.decode().splitlines()
            for line in (
                "comity_records 1.0",
                "comity_log_leaves 1.0",
                "comity_checkpoint_leaves 1.0",
                'comity_peers{status="member"} 1.0',
                "comity_quarantined_records 0.0",
                "comity_waiting_records 0.0",
            ):
                assert line in lines
            assert "ca.aisi" not in body.decode()

    run(story())


def test_the_port_is_off_unless_the_settings_name_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with serving(make_home(tmp_path, UK)) as running:
            assert running.server.web is None

    run(story())


def test_connections_that_say_nothing_give_way_to_those_that_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_port, "MAX_CONNECTIONS", 3)

    async def story() -> None:
        async with http_site(tmp_path) as here:
            await asyncio.to_thread(here.running.node.signer.sign)
            assert here.running.server.web is not None
            host, port = here.running.server.web.address.split(":")
            silent = [await asyncio.open_connection(host, int(port)) for _ in range(9)]
            assert (await here.get("/checkpoint"))[0] == 200
            assert await silent[0][0].read() == b""  # closed
            for _, writer in silent:
                writer.transport.abort()

    run(story())


def test_a_body_that_would_grow_is_not_unpacked(tmp_path: Path) -> None:
    async def story() -> None:
        async with http_site(tmp_path) as here:
            body, headers = gzip.compress(b"old 0\n" * 100_000), {"Content-Encoding": "gzip"}
            async with here.session.post("/add-checkpoint", data=body, headers=headers) as answer:
                assert answer.status == 400

    run(story())


@asynccontextmanager
async def node_on_a_taken_port(root: Path) -> AsyncIterator[Node]:
    """Open a node whose HTTP port is another node's."""
    async with http_site(root) as here:
        home = make_home(root, "ca.aisi.example")
        assert here.running.server.web is not None
        taken = here.running.server.web.address
        file = home.path / "comity.toml"
        file.write_text(file.read_text().replace('listen = ""', f'listen = "{taken}"'))
        with closing(Node(Home(home.path))) as node:
            yield node


def test_a_taken_port_is_told_with_the_setting_that_names_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with node_on_a_taken_port(tmp_path) as node:
            with pytest.raises(BadConfig, match="cannot listen on") as refused:
                async with Server(node):
                    pass
            assert refused.value.field == "log.listen"

    run(story())


def test_a_taken_http_port_leaves_the_grpc_port_free(tmp_path: Path) -> None:
    async def story() -> None:
        async with node_on_a_taken_port(tmp_path) as node:
            server = Server(node)
            with pytest.raises(BadConfig):
                await server.__aenter__()
            host, port = parse_address(node.home.settings.listen)
            with socket.create_server((host, port)):
                pass

    run(story())


def test_a_taken_grpc_port_leaves_the_http_port_free(tmp_path: Path) -> None:
    async def story() -> None:
        home = home_with_port(tmp_path)
        with socket.create_server(parse_address(home.settings.listen)), closing(Node(home)) as node:
            server = Server(node)
            with pytest.raises(BadConfig, match="cannot listen on") as refused:
                await server.__aenter__()
            assert refused.value.field == "listen"
            with socket.create_server(parse_address(home.settings.log.listen)):
                pass

    run(story())


def test_a_probe_hears_whether_the_process_lives_and_whether_it_can_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with http_site(tmp_path) as here:
            assert (await here.get("/healthz"))[::2] == (200, b"alive\n")
            status, headers, body = await here.get("/readyz")
            assert (status, body) == (200, b"ready\n")
            assert headers["Cache-Control"] == "no-cache"

            monkeypatch.setattr(health.Health, "_ask_database", lambda self: "no database")
            monkeypatch.setattr(health, "FRESH_SECONDS", 0)
            assert (await here.get("/readyz"))[::2] == (503, b"not ready: no database\n")
            assert (await here.get("/healthz"))[0] == 200

    run(story())
