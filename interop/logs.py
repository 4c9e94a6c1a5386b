"""Checkpoints, proofs and tiles, shown to golang.org/x/mod/sumdb and filippo.io/torchwood."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from comity.record.merkle import consistency_proof
from comity.record.note import LOG_KEY, Note
from comity.record.tile import ENTRIES, Tile
from interop.evidence import Evidence, changed, with_other_root
from interop.institute import INDEX, RECORDS, Log, cosigned, note_signer, witness_of
from interop.tools import Report, built

OLDER = 200


def check_logs(report: Report, evidence: Evidence) -> None:
    """Show the log to both packages."""
    _check_sumdb(report, evidence)
    _check_policies(report, evidence)
    _check_tiles(report, evidence)


def _check_sumdb(report: Report, evidence: Evidence) -> None:
    report.heading("Checkpoint and proofs, shown to sumdb")
    sumdb = built("check", "golang.org/x/mod", label="x/mod/sumdb")
    institute, log_key = evidence.institute, str(evidence.institute.log_key)
    stranger = str(note_signer(institute.log_key.name, LOG_KEY).verifier)
    checkpoint = evidence.file("checkpoint", institute.checkpoint.to_bytes())
    forged = evidence.file("forged", with_other_root(institute.checkpoint).to_bytes())
    report.accepts(sumdb, "the checkpoint", "note", log_key, checkpoint)
    report.rejects(sumdb, "another root", "invalid signature", "note", log_key, forged)
    report.rejects(sumdb, "another key", "no verifiable", "note", stranger, checkpoint)

    proof, leaf = _proof_and_leaf(evidence)
    moved = evidence.file("moved", replace(evidence.proof, index=INDEX + 1).to_bytes())
    flawed = evidence.file("flawed", _with_other_hash(evidence).to_bytes())
    other = evidence.file("other-leaf", institute.log.leaves[INDEX + 1])
    report.accepts(sumdb, "the record's inclusion", "record", log_key, proof, leaf)
    report.rejects(
        sumdb, "another index", "invalid transparency proof", "record", log_key, moved, leaf
    )
    report.rejects(
        sumdb, "an altered hash", "invalid transparency proof", "record", log_key, flawed, leaf
    )
    report.rejects(
        sumdb, "another leaf", "invalid transparency proof", "record", log_key, proof, other
    )

    older = evidence.file("older", institute.log.checkpoint(OLDER).to_bytes())
    fork = Log(institute.log.signer, institute.log.leaves[::-1])
    forked = evidence.file("fork", fork.checkpoint(OLDER).to_bytes())
    hashes = consistency_proof(OLDER, RECORDS, institute.log.read)
    growth = evidence.file("growth", _lines(hashes))
    wrong = evidence.file("wrong-growth", _lines([*hashes[:-1], bytes(32)]))
    report.accepts(sumdb, "the log's growth", "tree", log_key, older, checkpoint, growth)
    report.rejects(
        sumdb, "a fork", "invalid transparency proof", "tree", log_key, forked, checkpoint, growth
    )
    report.rejects(
        sumdb,
        "an altered hash",
        "invalid transparency proof",
        "tree",
        log_key,
        older,
        checkpoint,
        wrong,
    )


def _check_policies(report: Report, evidence: Evidence) -> None:
    report.heading("Cosignatures and standing proofs, shown to torchwood")
    torchwood = built("check", "filippo.io/torchwood", label="torchwood")
    institute, witness = evidence.institute, str(evidence.institute.witness.verifier)
    bare = institute.log.checkpoint()
    late = _with_later_time(institute.checkpoint)
    checkpoint = evidence.file("checkpoint", institute.checkpoint.to_bytes())
    uncosigned = evidence.file("bare", bare.to_bytes())
    altered = evidence.file("late", late.to_bytes())
    quorum = f"log {institute.log_key}\nwitness fr {witness}\nquorum fr\n"
    policy = evidence.file("policy", quorum)
    report.accepts(torchwood, "the cosignature", "cosignature", witness, checkpoint)
    invalid = "invalid signature"
    report.rejects(torchwood, "another time", invalid, "cosignature", witness, altered)
    none = "no verifiable signatures"
    report.rejects(torchwood, "no cosignature", none, "cosignature", witness, uncosigned)

    stranger = evidence.file("stranger", cosigned(bare, witness_of("de")).to_bytes())
    report.accepts(torchwood, "the policy's quorum", "checkpoint", policy, checkpoint)
    unmet = "policy components satisfied"
    report.rejects(torchwood, "no witness", unmet, "checkpoint", policy, uncosigned)
    report.rejects(torchwood, "a witness not in it", unmet, "checkpoint", policy, stranger)

    proof, leaf = _proof_and_leaf(evidence)
    flawed = evidence.file("flawed", _with_other_hash(evidence).to_bytes())
    alone = evidence.file("alone", institute.log.proof(bare).to_bytes())
    report.accepts(torchwood, "the tlog-proof", "proof", policy, proof, leaf)
    failed = "inclusion proof verification failed"
    report.rejects(torchwood, "an altered hash", failed, "proof", policy, flawed, leaf)
    report.rejects(torchwood, "no witness", unmet, "proof", policy, alone, leaf)


def _check_tiles(report: Report, evidence: Evidence) -> None:
    report.heading("Tiles, read by torchwood")
    torchwood = built("check", "filippo.io/torchwood", label="torchwood")
    institute, folder = evidence.institute, evidence.folder / "log"
    log_key = str(institute.log_key)
    institute.log.write(folder)
    evidence.file("log/checkpoint", institute.checkpoint.to_bytes())
    report.accepts(torchwood, "every entry, from files", "tiles", log_key, folder)
    with _served(folder) as url:
        report.accepts(torchwood, "every entry, over HTTP", "tiles", log_key, url)
    entries, hashes = folder / Tile(ENTRIES, 1).path, folder / Tile(0, 1).path
    last = folder / Tile(0, RECORDS // 256, RECORDS % 256).path
    mismatch = "hash mismatch for entry"
    with changed(entries):
        report.rejects(torchwood, "an altered entry", mismatch, "tiles", log_key, folder)
    with changed(hashes):
        report.rejects(torchwood, "an altered hash", mismatch, "tiles", log_key, folder)
    last.unlink()
    report.rejects(torchwood, "a tile too few", "no such file", "tiles", log_key, folder)


def _proof_and_leaf(evidence: Evidence) -> tuple[Path, Path]:
    proof = evidence.file("record.tlog-proof", evidence.proof.to_bytes())
    return proof, evidence.file("leaf", evidence.institute.log.leaves[INDEX])


def _with_other_hash(evidence: Evidence) -> Any:
    return replace(evidence.proof, hashes=(bytes(32), *evidence.proof.hashes[1:]))


def _with_later_time(checkpoint: Note) -> Note:
    """Return a cosigned checkpoint whose cosignature says another time than was signed."""
    *before, last = checkpoint.signatures
    time = int.from_bytes(last.signature[:8], "big") + 1
    altered = replace(last, signature=time.to_bytes(8, "big") + last.signature[8:])
    return replace(checkpoint, signatures=(*before, altered))


def _lines(hashes: Sequence[bytes]) -> str:
    return "".join(f"{base64.b64encode(value).decode()}\n" for value in hashes)


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Serve a folder over HTTP on loopback; yield its URL."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
