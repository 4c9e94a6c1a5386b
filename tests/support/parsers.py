"""The parsers that strangers reach: good inputs to begin with, and what must hold of answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from comity.record import ijson
from comity.record.bundle import TrustBundle
from comity.record.envelope import STATEMENT_TYPE
from comity.record.errors import InvalidInput
from comity.record.keys import SigningKey
from comity.record.note import Note
from comity.record.record import Record
from comity.record.root import Root
from comity.record.spiffe import Role, SpiffeId
from comity.record.tile import Tile
from comity.record.tlog_proof import TlogProof
from comity.record.tlog_witness import AddCheckpoint
from tests.support.drafts import card
from tests.support.memory_log import MemoryLog
from tests.support.roots import make_root

UK, CA = "uk.aisi.example", "ca.aisi.example"


@dataclass(frozen=True)
class Parser:
    """A parser of bytes: good inputs, and a check that fails for an answer that is wrong.

    ``check`` may raise InvalidInput, which is the only way to refuse an input.
    """

    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], None]

    def survives(self, data: bytes) -> None:
        """Parse ``data``; raise what is neither an answer nor a refusal in our words."""
        try:
            self.check(data)
        except InvalidInput:
            return


@cache
def _log() -> MemoryLog:
    log = MemoryLog(UK, SigningKey.generate(), CA)
    for number in range(3):
        log.append(card(f"model-{number}"))
    return log


def _record() -> bytes:
    key = SigningKey.generate()
    return card("fuzzed").sign(SpiffeId(UK, Role.NODE), key).to_json()


def _proof() -> TlogProof:
    log = _log()
    return log.prove(log.append(card("proved")))


def _envelope(data: bytes) -> None:
    record = Record.from_json(data)
    record.check_size()
    record.envelope.check_form(STATEMENT_TYPE)
    # what was read is written and read again without a change
    assert Record.from_json(record.to_json()) == record


def _ijson(data: bytes) -> None:
    text = ijson.canonical(ijson.loads(data))
    assert ijson.canonical(ijson.loads(text)) == text


def _note(data: bytes) -> None:
    assert Note.parse(data).to_bytes() == data


def _tlog_proof(data: bytes) -> None:
    assert TlogProof.parse(data).to_bytes() == data


def _tile(data: bytes) -> None:
    path = data.decode(errors="surrogateescape")
    assert Tile.parse(path).path == path


def _add_checkpoint(data: bytes) -> None:
    assert AddCheckpoint.parse(data).to_bytes() == data


def _bundle(data: bytes) -> None:
    bundle = TrustBundle.from_json(data)
    assert TrustBundle.from_json(bundle.to_json()).fingerprint == bundle.fingerprint


def _root(data: bytes) -> None:
    root = Root.parse(data)
    assert Root.parse(root.document).digest == root.digest


PARSERS: Final[Mapping[str, Parser]] = {
    "envelope": Parser(lambda: [_record()], _envelope),
    "ijson": Parser(lambda: [b'{"a": [1, 2.5, "\\u00e9", null, true]}', _record()], _ijson),
    "note": Parser(lambda: [_log().checkpoint(3)], _note),
    "tlog_proof": Parser(lambda: [_proof().to_bytes()], _tlog_proof),
    "tile": Parser(lambda: [b"tile/0/x001/067.p/3", b"tile/entries/000"], _tile),
    "add_checkpoint": Parser(
        lambda: [AddCheckpoint(3, _proof().hashes, _log().checkpoint(4)).to_bytes()],
        _add_checkpoint,
    ),
    "bundle": Parser(lambda: [_log().bundle.to_json()], _bundle),
    "root": Parser(lambda: [make_root(_log().bundle).document], _root),
}
