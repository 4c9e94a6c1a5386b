"""Attackers in a process of their own: python -m tests.support.attackers ATTACK FOLDER SECONDS.

FOLDER holds what the test prepared: the attacked node's bundle and HTTP address, and certificates
of the attackers. Each attack is bounded in count and time. The process prints "begun" once the
attack is under way.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc

from comity.client.connection.channel import open_channel
from comity.node.home.certificate_authority import Svid
from comity.record.bundle import TrustBundle
from comity.v1 import exchange_service_pb2, records_service_pb2

HELD_CALLS: Final = 1100
IDLE_CONNECTIONS: Final = 1500
HTTP_CONNECTIONS: Final = 500
LINES: Final = 24
"""TCP connections over which an attacker spreads its calls."""

EXCHANGE: Final = "/comity.v1.ExchangeService"
RECORDS: Final = "/comity.v1.RecordsService"


@dataclass(frozen=True)
class Target:
    """The attacked node, and the certificates of its attackers by name."""

    bundle: TrustBundle
    log_address: str
    folder: Path

    @classmethod
    def load(cls, folder: Path) -> Target:
        """Read what ``save`` wrote."""
        value = json.loads((folder / "target.json").read_text())
        return cls(TrustBundle.from_value(value["bundle"]), value["logAddress"], folder)

    def save(self) -> None:
        """Write what an attacker needs to know."""
        value = {"bundle": json.loads(self.bundle.to_json()), "logAddress": self.log_address}
        (self.folder / "target.json").write_text(json.dumps(value))

    def grant(self, name: str, svid: Svid) -> None:
        """Keep the certificate of an attacker."""
        (self.folder / f"{name}.crt").write_bytes(svid.certificate)
        (self.folder / f"{name}.key").write_bytes(svid.private_key)

    def line(self, name: str) -> grpc.aio.Channel:
        """Open a connection with the certificate of an attacker."""
        files = ((self.folder / f"{name}.{suffix}").read_bytes() for suffix in ("crt", "key"))
        return open_channel(self.bundle, *files)


async def hold_calls(target: Target, name: str) -> None:
    """Begin unary calls whose request never comes (by ``name``'s certificate), again and again."""

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async def hold(line: grpc.aio.Channel) -> None:
        method: Any = line.stream_unary(f"{EXCHANGE}/GetStanding")
        while True:
            try:
                await method(never())
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)

    await _on_lines(target, name, HELD_CALLS, hold)


async def share_checkpoints(target: Target, name: str) -> None:
    """Share 256 checkpoints of the attacker's own log, with as many calls as are let through."""
    notes = [file.read_bytes() for file in (target.folder / "notes").iterdir()]
    request = exchange_service_pb2.ShareCheckpointsRequest(checkpoints=notes)
    await _repeat(target, name, f"{EXCHANGE}/ShareCheckpoints", request.SerializeToString(), 64)


async def search(target: Target, name: str) -> None:
    """Search as an analyst for words that nearly occur at every letter of some records."""
    words = " ".join(f"{'a' * 62}{number:02}" for number in range(32))
    wanted = records_service_pb2.RecordFilter(texts=[words])
    request = records_service_pb2.SearchRecordsRequest(filter=wanted).SerializeToString()
    await _repeat(target, name, f"{RECORDS}/SearchRecords", request, 64)


async def watch(target: Target, name: str) -> None:
    """Open watches as an analyst, as many as are let through."""

    async def hold(line: grpc.aio.Channel) -> None:
        method: Any = line.unary_stream(f"{RECORDS}/WatchRecords")
        while True:
            try:
                async for _ in method(b""):
                    pass
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)

    await _on_lines(target, name, HELD_CALLS, hold)


async def idle_connections(target: Target, port: int, count: int, *, said: bytes) -> None:
    """Open connections that say this and then nothing, and open others when they are cut off."""

    async def hold() -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(said)
                await reader.read()
                writer.close()
            except OSError:
                await asyncio.sleep(0.05)

    await asyncio.gather(*(hold() for _ in range(count)))


async def _repeat(target: Target, name: str, method: str, request: bytes, calls: int) -> None:
    async def again(line: grpc.aio.Channel) -> None:
        call: Any = line.unary_unary(method)
        while True:
            try:
                await call(request)
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)

    await _on_lines(target, name, calls, again)


async def _on_lines(
    target: Target, name: str, count: int, work: Callable[[grpc.aio.Channel], Awaitable[None]]
) -> None:
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(target.line(name)) for _ in range(LINES)]
        await asyncio.gather(*(work(lines[number % LINES]) for number in range(count)))


async def main(attack: str, folder: Path, seconds: float) -> None:
    """Attack until the time is over."""
    target = Target.load(folder)
    grpc_port = int(target.bundle.address.rpartition(":")[2])
    log_port = int(target.log_address.rpartition(":")[2])
    attacks: dict[str, Callable[[], Awaitable[None]]] = {
        "peer's calls without a request": lambda: hold_calls(target, "peer"),
        "stranger's calls without a request": lambda: hold_calls(target, "stranger"),
        "idle connections": lambda: idle_connections(target, grpc_port, IDLE_CONNECTIONS, said=b""),
        "idle HTTP connections": lambda: idle_connections(
            target, log_port, HTTP_CONNECTIONS, said=b"POST /add-checkpoint HTTP/1.1\r\n"
        ),
        "searches": lambda: search(target, "analyst"),
        "shared checkpoints": lambda: share_checkpoints(target, "peer"),
        "watches": lambda: watch(target, "analyst"),
    }

    print("begun", flush=True)
    try:
        async with asyncio.timeout(seconds):
            await attacks[attack]()
    except TimeoutError:
        return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])))
