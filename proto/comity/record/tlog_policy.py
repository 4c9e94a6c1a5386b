"""Policies that decide whether a checkpoint is trusted: logs, witnesses, quorum (C2SP tlog-policy).

    log <verifier key> [<url>]
    witness <name> <verifier key> [<url>]
    group <name> all|any|<k> <member>...
    quorum <name>|none

Spaces and tabs separate the items of a line; empty lines and lines that begin with # are ignored.
Names are local to the file. Invariants: a line uses only names of lines before it; a name is in at
most one group, so that a witness counts once; a checkpoint passes if one of the logs signed it and
the quorum's witnesses cosigned it. With a policy without logs, the caller decides which log is
meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from comity.record.checkpoint import Checkpoint
from comity.record.cosignature import cosignatures
from comity.record.errors import BadLogPolicy, InvalidInput, QuorumNotMet, UnknownKey
from comity.record.limits import MAX_LOG_POLICY_BYTES
from comity.record.note import LOG_KEY, Note, Verifier, verify

_NONE: Final = "none"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD: Final = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True, slots=True)
class Party:
    """A log or witness of a policy; ``url`` is empty if the policy gives none."""

    key: Verifier
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group of witnesses and groups: it counts if ``threshold`` or more of its members do."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """A policy: witnesses and groups by name, groups in the order of their lines."""

    logs: tuple[Party, ...]
    witnesses: Mapping[str, Party]
    groups: Mapping[str, Group]
    quorum: str

    @classmethod
    def parse(cls, text: str) -> LogPolicy:
        """Read a policy.

        Raises:
            LimitExceeded: over MAX_LOG_POLICY_BYTES.
            BadLogPolicy: a line is none of the four kinds, or breaks a rule; names the line.
        """
        MAX_LOG_POLICY_BYTES.check(len(text.encode()), "policy")
        parser = _Parser()
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                parser.read(line)
            except InvalidInput as error:
                raise BadLogPolicy(error.message, field=f"policy line {number}") from error

        if not parser.quorum:
            raise BadLogPolicy("expected a line 'quorum <name>', got none", field="policy")
        return cls(tuple(parser.logs), parser.witnesses, parser.groups, parser.quorum)

    def check(self, note: Note) -> dict[str, datetime]:
        """Check a checkpoint's note; return the time of each known witness's cosignature, by name.

        Raises:
            LimitExceeded, BadCheckpoint: not a checkpoint.
            BadSignature: a signature of a known key does not verify.
            UnknownKey: none of the policy's logs signed it.
            QuorumNotMet: fewer witnesses cosigned it than the quorum asks for.
        """
        # the log: its signature must be by a key of the checkpoint's own origin
        checkpoint = Checkpoint.parse(note.text)
        signed = {line.name for line in verify(note, [log.key for log in self.logs])}
        if self.logs and checkpoint.origin not in signed:
            message = f"expected a signature by a known key of {checkpoint.origin!r:.100}, got none"
            raise UnknownKey(message, field="checkpoint")

        # the witnesses: each counts under its name in this policy
        names = {party.key: name for name, party in self.witnesses.items()}
        seen = {names[found.witness]: found.time for found in cosignatures(note, names)}
        if not self._is_met(seen):
            message = f"expected cosignatures that meet {self.quorum!r}, got {sorted(seen)}"
            raise QuorumNotMet(message, field="checkpoint")
        return seen

    def _is_met(self, seen: Mapping[str, datetime]) -> bool:
        # a group is named after its members, so one pass in the order of the lines is enough
        met = {_NONE, *seen}
        for name, group in self.groups.items():
            if len(met.intersection(group.members)) >= group.threshold:
                met.add(name)
        return self.quorum in met


@dataclass(slots=True)
class _Parser:
    logs: list[Party] = field(default_factory=list)
    witnesses: dict[str, Party] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    quorum: str = ""
    _members: set[str] = field(default_factory=set)
    _keys: set[tuple[str, bytes]] = field(default_factory=set)

    def read(self, line: str) -> None:
        control = _CONTROL.search(line)
        if control:
            raise BadLogPolicy(f"expected no control character but tab, got {control[0]!r}")

        line = line.strip(" \t")
        if not line or line.startswith("#"):
            return

        word, *items = re.split("[ \t]+", line)
        readers: dict[str, Callable[[Sequence[str]], None]] = {
            "log": self._log,
            "witness": self._witness,
            "group": self._group,
            "quorum": self._quorum,
        }
        if word not in readers:
            raise BadLogPolicy(f"expected log, witness, group or quorum, got {word!r:.100}")
        readers[word](items)

    def _log(self, items: Sequence[str]) -> None:
        if not 1 <= len(items) <= 2:
            raise BadLogPolicy("expected: log <verifier key> [<url>]")
        party = self._party("log", items)
        if party.key.kind != LOG_KEY:
            raise BadLogPolicy(f"expected a log's key (0x01), got 0x{party.key.kind:02x}")
        self.logs.append(party)

    def _witness(self, items: Sequence[str]) -> None:
        if not 2 <= len(items) <= 3:
            raise BadLogPolicy("expected: witness <name> <verifier key> [<url>]")
        self._check_new(items[0])
        party = self._party("witness", items[1:])
        if party.key.kind == LOG_KEY:
            raise BadLogPolicy("expected a witness's key (0x04 or 0x06), got 0x01")
        self.witnesses[items[0]] = party

    def _group(self, items: Sequence[str]) -> None:
        if len(items) < 3:
            raise BadLogPolicy("expected: group <name> all|any|<k> <member>...")
        name, threshold, *members = items
        self._check_new(name)
        for member in members:
            self._check_known(member)
            if member in self._members:
                raise BadLogPolicy(f"expected a name in one group, got {member!r:.100} again")
            self._members.add(member)
        self.groups[name] = Group(_threshold(threshold, len(members)), tuple(members))

    def _quorum(self, items: Sequence[str]) -> None:
        if len(items) != 1:
            raise BadLogPolicy("expected: quorum <name>")
        if self.quorum:
            raise BadLogPolicy("expected one quorum line, got a second")
        if items[0] != _NONE:
            self._check_known(items[0])
        self.quorum = items[0]

    def _party(self, role: str, items: Sequence[str]) -> Party:
        key = Verifier.parse(items[0])
        # under a second name the same key would count twice towards a quorum
        if (role, key.public) in self._keys:
            raise BadLogPolicy(f"expected each {role}'s key once, got {key.name}'s again")
        self._keys.add((role, key.public))
        return Party(key, *items[1:])

    def _check_new(self, name: str) -> None:
        if name == _NONE or name in self.witnesses or name in self.groups:
            raise BadLogPolicy(f"expected a new name, got {name!r:.100}")

    def _check_known(self, name: str) -> None:
        if name not in self.witnesses and name not in self.groups:
            raise BadLogPolicy(f"expected a witness or group of a line before, got {name!r:.100}")


def _threshold(text: str, members: int) -> int:
    if text in ("any", "all"):
        return 1 if text == "any" else members
    if not _THRESHOLD.fullmatch(text) or int(text) > members:
        raise BadLogPolicy(f"expected all, any or 1 to {members}, got {text!r:.100}")
    return int(text)
