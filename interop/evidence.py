"""What the tools are shown: an institute's evidence as files, and altered copies of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from comity.record.checkpoint import Checkpoint
from comity.record.note import Note, Verifier
from comity.record.sigstore import SigstoreBundle
from comity.record.statement import Statement
from comity.record.tlog_proof import TlogProof
from comity.record.trusted_root import trusted_root
from interop.institute import Institute
from tests.support.changed_copies import JsonPath, changed_json

Change = tuple[JsonPath, Callable[[Any], Any]]


@dataclass(frozen=True)
class Evidence:
    """An institute, and a folder for the files that show what it did."""

    institute: Institute
    folder: Path

    def file(self, name: str, data: bytes | str) -> Path:
        """Write a file and return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def root(self, name: str, *log_keys: Verifier) -> Path:
        """Write a trusted root."""
        return self.file(f"{name}.json", trusted_root(log_keys))

    def bundle(self, name: str, *changes: Change) -> Path:
        """Write the record's bundle, or a copy of it with values changed."""
        data = self.sigstore.to_json()
        for path, change in changes:
            data = changed_json(data, path, change)
        return self.file(f"{name}.sigstore.json", data)

    def bundle_under(self, name: str, checkpoint: Note) -> Path:
        """Write a copy of the bundle with another checkpoint, and size and root as it says."""
        proof = replace(self.proof, checkpoint=checkpoint.to_bytes())
        return self.file(f"{name}.sigstore.json", replace(self.sigstore, proof=proof).to_json())

    @cached_property
    def proof(self) -> TlogProof:
        """The record's place under the cosigned checkpoint."""
        return self.institute.log.proof(self.institute.checkpoint)

    @cached_property
    def sigstore(self) -> SigstoreBundle:
        """The record's bundle."""
        institute = self.institute
        envelope, log_key = institute.record.envelope, institute.log_key
        return SigstoreBundle.make(envelope, institute.key.key, self.proof, log_key)

    @cached_property
    def statement(self) -> Statement:
        """What the record says."""
        return Statement.from_payload(self.institute.record.envelope.payload)


def with_other_root(checkpoint: Note) -> Note:
    """Return a checkpoint of another root under the same signatures."""
    body = replace(Checkpoint.parse(checkpoint.text), root=bytes(32)).body
    return replace(checkpoint, text=body)


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """Flip a bit in the middle of a file, until the block ends."""
    data = path.read_bytes()
    middle = len(data) // 2
    path.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    yield
    path.write_bytes(data)
