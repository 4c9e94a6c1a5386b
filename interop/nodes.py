"""A running node: sumdb, torchwood and litewitness read its log, torchwood reads its cosignatures.

The node has published some hundred records, and has pinned another institute, whose log it
witnesses.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from comity.node.home.folder import Home
from comity.node.node import Node
from comity.record.bundle import TrustBundle
from comity.record.merkle import consistency_proof
from comity.record.note import LOG_KEY, Note, Verifier
from interop.evidence import Evidence
from interop.institute import RECORDS, draft, note_signer, witness_of
from interop.processes import running
from interop.tools import Report, built
from interop.witness import Answer, add_checkpoint, litewitness
from tests.support.network import free_port, make_home

INSTITUTE: Final = "au.aisi.example"
PUBLISHED: Final = 600
OLDER: Final = 300


@dataclass(frozen=True)
class Serving:
    """A node that runs: the URL of its HTTP port, and its keys."""

    url: str
    log_key: Verifier
    witness_key: Verifier


def check_nodes(report: Report, evidence: Evidence) -> None:
    """Run a node, and check what its HTTP port says."""
    with _serving(evidence.folder, evidence.institute.bundle) as node:
        _check_log(report, evidence, node)
        _check_witness(report, evidence, node)


def _check_log(report: Report, evidence: Evidence, node: Serving) -> None:
    report.heading("A running node's log, read over HTTP")
    torchwood = built("check", "filippo.io/torchwood", label="torchwood")
    sumdb = built("check", "golang.org/x/mod", label="x/mod/sumdb")
    log_key, none = str(node.log_key), "no verifiable signatures"
    stranger = str(note_signer(node.log_key.name, LOG_KEY).verifier)
    report.accepts(torchwood, "every entry", "tiles", log_key, node.url)
    report.rejects(torchwood, "another key", none, "tiles", stranger, node.url)
    signed = _fetch(f"{node.url}/checkpoint")
    file = evidence.file("node-checkpoint", signed)
    report.accepts(sumdb, "the checkpoint", "note", log_key, file)
    report.rejects(sumdb, "another key", none, "note", stranger, file)
    tool = built("litewitness", "filippo.io/torchwood")
    with litewitness(evidence.folder / "second", witness_of("kr"), node.log_key) as url:
        answer = add_checkpoint(url, 0, [], Note.parse(signed))
    report.note(tool, "the checkpoint", "cosigned", "" if answer.cosigned else str(answer))


def _check_witness(report: Report, evidence: Evidence, node: Serving) -> None:
    report.heading("A running node's cosignatures, read by torchwood")
    torchwood = built("check", "filippo.io/torchwood", label="torchwood")
    log, witness = evidence.institute.log, str(node.witness_key)
    first, last = log.checkpoint(OLDER), log.checkpoint()
    growth = consistency_proof(OLDER, RECORDS, log.read)
    begun = _cosigned(first, add_checkpoint(node.url, 0, [], first))
    grown = _cosigned(last, add_checkpoint(node.url, OLDER, growth, last))
    misplaced = Note(last.text, begun.signatures)
    file = evidence.file("begun", begun.to_bytes())
    report.accepts(torchwood, "of the first checkpoint", "cosignature", witness, file)
    file = evidence.file("grown", grown.to_bytes())
    report.accepts(torchwood, "of its growth", "cosignature", witness, file)
    file = evidence.file("misplaced", misplaced.to_bytes())
    invalid = "invalid signature"
    report.rejects(torchwood, "under another size", invalid, "cosignature", witness, file)


def _cosigned(checkpoint: Note, answer: Answer) -> Note:
    """Return a checkpoint with the lines that a witness answered.

    Raises:
        BadNote: it refused.
    """
    return Note.parse(checkpoint.to_bytes() + answer.text.encode())


@contextmanager
def _serving(folder: Path, other: TrustBundle) -> Iterator[Serving]:
    home, port = make_home(folder, INSTITUTE), free_port()
    settings = home.path / "comity.toml"
    text = settings.read_text().replace('listen = ""', f'listen = "127.0.0.1:{port}"')
    settings.write_text(text)
    node = Node(Home(home.path))
    try:
        node.add_peer(other)
        sample = draft()
        node.publish_all([sample.sign(node.home.node_id, node.key) for _ in range(PUBLISHED)])
        keys = (*node.bundle.log_keys, *node.bundle.witness_keys)
    finally:
        node.close()
    serving = Serving(f"http://127.0.0.1:{port}", *map(Verifier.parse, keys))
    command = (sys.executable, "-m", "comity.node", "--home", home.path, "run")
    with running(command, folder / "node.log", lambda: _has_signed(serving.url)):
        yield serving


def _has_signed(url: str) -> bool:
    """Say whether the node shows a checkpoint of all its records."""
    try:
        return _fetch(f"{url}/checkpoint").split(b"\n")[1] == str(PUBLISHED).encode()
    except (urllib.error.URLError, ConnectionError):
        return False


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:  # noqa: S310
        data: bytes = response.read()
    return data
