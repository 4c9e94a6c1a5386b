"""Our checkpoints, shown to litewitness over tlog-witness: it cosigns the good ones only.

litewitness keeps its key in an ssh-agent and the logs that it knows in SQLite; both are made here
for it. What it cosigned is shown to our own code, which must accept that.
"""

from __future__ import annotations

import base64
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization

from comity.record.cosignature import cosignatures
from comity.record.errors import InvalidInput
from comity.record.merkle import EMPTY_ROOT, consistency_proof
from comity.record.note import Note, NoteSigner, SignatureLine, Verifier
from interop.evidence import Evidence, with_other_root
from interop.institute import RECORDS, Log, note_signer, witness_of
from interop.processes import listens, running
from interop.tools import BIN, Report, Tool, built, output, system
from tests.support.network import free_port

OLDER: Final = 300


@dataclass(frozen=True)
class Answer:
    """What a witness answers: an HTTP status and its text."""

    status: int
    text: str

    def __str__(self) -> str:
        return f"{self.status}: {self.text.strip()}"

    @property
    def cosigned(self) -> bool:
        """Whether the text is signature lines."""
        return self.status == 200


def check_witness(report: Report, evidence: Evidence) -> None:
    """Have checkpoints cosigned."""
    report.heading("Checkpoints, shown to a witness")
    tool = built("litewitness", "filippo.io/torchwood")
    log, witness = evidence.institute.log, witness_of("jp")
    with litewitness(evidence.folder / "witness", witness, log.signer.verifier) as url:

        def shown(what: str, status: int, answer: Answer) -> None:
            surprise = "" if answer.status == status else str(answer)
            expected = "cosigned" if answer.cosigned else f"rejected ({answer})"
            report.note(tool, what, expected, surprise)

        def growth(old: int, checkpoint: Note) -> Answer:
            return add_checkpoint(url, old, consistency_proof(old, RECORDS, log.read), checkpoint)

        first, last = log.checkpoint(OLDER), log.checkpoint()
        stranger = Log(replace(log.signer, name="log.fr.aisi.example"), log.leaves)
        impostor = Log(note_signer(log.signer.name, log.signer.kind), log.leaves)
        answer = add_checkpoint(url, 0, [], first)
        shown("the first checkpoint", 200, answer)
        _open(report, tool, first, answer, witness.verifier)
        shown("a checkpoint by another key", 403, growth(OLDER, impostor.checkpoint()))
        shown("another root", 403, growth(OLDER, with_other_root(last)))
        shown("a log that it does not know", 404, growth(OLDER, stranger.checkpoint()))
        shown("growth from another size", 409, growth(OLDER - 1, last))
        shown("a fork", 422, growth(OLDER, Log(log.signer, log.leaves[::-1]).checkpoint()))
        shown("growth without proof", 422, add_checkpoint(url, OLDER, [], last))
        answer = growth(OLDER, last)
        shown("growth", 200, answer)
        _open(report, tool, last, answer, witness.verifier)
        shown("the checkpoint before", 400, add_checkpoint(url, RECORDS, [], first))


def _open(report: Report, tool: Tool, checkpoint: Note, answer: Answer, witness: Verifier) -> None:
    """Check what the witness answered, and that a changed copy of it fails."""
    line = SignatureLine.parse(answer.text.rstrip("\n"))
    [found] = cosignatures(replace(checkpoint, signatures=(line,)), [witness])
    age = abs(time.time() - found.time.timestamp())
    report.note(tool, "its cosignature, read by us", "accepted", "" if age < 60 else str(found))
    try:
        cosignatures(replace(with_other_root(checkpoint), signatures=(line,)), [witness])
    except InvalidInput as error:
        report.note(tool, "the same on another root", f"rejected ({error.reason})")
    else:
        report.note(tool, "the same on another root", "", "accepted")


def add_checkpoint(url: str, old: int, hashes: Sequence[bytes], checkpoint: Note) -> Answer:
    """Ask the witness to cosign (C2SP tlog-witness, add-checkpoint)."""
    lines = [f"old {old}\n", *(f"{base64.b64encode(value).decode()}\n" for value in hashes), "\n"]
    body = "".join(lines).encode() + checkpoint.to_bytes()
    request = urllib.request.Request(f"{url}/add-checkpoint", data=body, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310
            return Answer(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        with closing(error):
            return Answer(error.code, error.read().decode())


@contextmanager
def litewitness(folder: Path, witness: NoteSigner, log_key: Verifier) -> Iterator[str]:
    """Run a witness that knows one log, in a new folder; yield its URL."""
    folder.mkdir()
    agent, database, port = folder / "agent", folder / "witness.db", free_port()
    start_agent = (system("ssh-agent"), "-D", "-a", agent)
    with running(start_agent, folder / "agent.log", agent.exists):
        fingerprint = _give_key(agent, folder / "witness.pem", witness)
        command: list[str | Path] = [
            *(BIN / "litewitness", "-name", witness.name, "-key", fingerprint),
            *("-ssh-agent", agent, "-db", database, "-listen", f"127.0.0.1:{port}"),
        ]
        with running(command, folder / "litewitness.log", lambda: listens(port)):
            _introduce(database, log_key)
            yield f"http://127.0.0.1:{port}"


def _give_key(agent: Path, file: Path, witness: NoteSigner) -> str:
    """Hand the witness's key to the agent; return its SSH fingerprint."""
    private = witness.private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    file.touch(mode=0o600)
    file.write_bytes(private)
    output("env", f"SSH_AUTH_SOCK={agent}", "ssh-add", file)
    return output("ssh-keygen", "-l", "-f", file).split()[1]


def _introduce(database: Path, log_key: Verifier) -> None:
    """Tell the witness of a log of size 0, as witnessctl add-log and add-key do."""
    root = base64.b64encode(EMPTY_ROOT).decode()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("INSERT INTO log VALUES (?, 0, ?)", (log_key.name, root))
        connection.execute("INSERT INTO key VALUES (?, ?)", (log_key.name, str(log_key)))
