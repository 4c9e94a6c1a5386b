"""Policies of logs and witnesses: which checkpoints pass, and which lines are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.errors import (
    BadCheckpoint,
    BadLogPolicy,
    BadSignature,
    LimitExceeded,
    QuorumNotMet,
    UnknownKey,
)
from comity.record.limits import MAX_LOG_POLICY_BYTES
from comity.record.note import WITNESS_KEY, Note, NoteSigner, SignatureLine
from comity.record.tlog_policy import LogPolicy, Party
from tests.support.notes import LOG, fixed_signer, note_of

NOW = datetime(2026, 5, 21, 9, tzinfo=UTC)
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
WITNESSES = {
    name: fixed_signer(f"witness.example/{name}", 10 + i, WITNESS_KEY)
    for i, name in enumerate(NAMES)
}
LINES = "".join(f"witness {name} {w.verifier}\n" for name, w in WITNESSES.items())

# the example of C2SP tlog-policy, with keys
EXAMPLE = f"""\
log {LOG.verifier}

{LINES}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def cosigned(*names: str, log: NoteSigner = LOG) -> Note:
    note = sign_checkpoint(Checkpoint(log.name, 7, bytes(32)), log)
    lines = [cosign(note.text, WITNESSES[name], NOW) for name in names]
    return Note(note.text, (*note.signatures, *lines))


def policy(quorum: str, *more: str) -> LogPolicy:
    return LogPolicy.parse(f"log {LOG.verifier}\n{LINES}{''.join(more)}quorum {quorum}\n")


@pytest.mark.parametrize("names", [("X1", "X2", "Y1"), ("X3", "Y3", "X1"), NAMES])
def test_quorum_of_the_specifications_example_is_met(names: tuple[str, ...]) -> None:
    assert LogPolicy.parse(EXAMPLE).check(cosigned(*names)) == dict.fromkeys(names, NOW)


@pytest.mark.parametrize(
    "names", [(), ("X1", "X2"), ("X1", "X2", "X3"), ("X1", "Y1"), ("Y1", "Y2", "Y3"), ("X1", "X1")]
)
def test_quorum_of_the_specifications_example_is_not_met(names: tuple[str, ...]) -> None:
    with pytest.raises(QuorumNotMet, match="expected cosignatures that meet 'X-and-Y', got"):
        LogPolicy.parse(EXAMPLE).check(cosigned(*names))


def test_one_witness_or_none_can_be_the_quorum() -> None:
    assert policy("none").check(cosigned()) == {}
    assert policy("none").check(cosigned("X2")) == {"X2": NOW}
    assert policy("X1").check(cosigned("X1", "X2")) == {"X1": NOW, "X2": NOW}
    with pytest.raises(QuorumNotMet, match=r"meet 'X1', got \['X2'\]"):
        policy("X1").check(cosigned("X2"))


def test_witness_that_cosigns_twice_counts_once() -> None:
    note = cosigned("X1")
    later = cosign(note.text, WITNESSES["X1"], NOW + timedelta(hours=1))
    note = Note(note.text, (*note.signatures, later))
    two_of_three = policy("g", "group g 2 X1 X2 X3\n")
    with pytest.raises(QuorumNotMet):
        two_of_three.check(note)
    assert policy("X1").check(note) == {"X1": NOW + timedelta(hours=1)}


def test_checkpoint_that_no_log_of_the_policy_signed_is_refused() -> None:
    with pytest.raises(UnknownKey, match=r"'log\.fr\.aisi\.example', got none"):
        policy("none").check(cosigned(*NAMES, log=fixed_signer("log.fr.aisi.example", 3)))
    with pytest.raises(UnknownKey):
        policy("none").check(cosigned(*NAMES, log=fixed_signer(LOG.name, 3)))


def test_any_log_of_the_policy_will_do_for_its_own_checkpoints() -> None:
    other = fixed_signer("log.fr.aisi.example", 3)
    both = LogPolicy.parse(f"log {LOG.verifier}\nlog {other.verifier}\nquorum none\n")
    assert both.check(cosigned()) == both.check(cosigned(log=other)) == {}
    body = Checkpoint(LOG.name, 7, bytes(32)).body
    with pytest.raises(UnknownKey):
        both.check(note_of(other, text=body))


def test_policy_without_logs_is_about_witnesses_only() -> None:
    anyone = LogPolicy.parse(f"{LINES}quorum X1\n")
    assert anyone.check(cosigned("X1", log=fixed_signer("log.fr.aisi.example", 3))) == {"X1": NOW}


def test_bad_cosignature_of_a_known_witness_spoils_the_checkpoint() -> None:
    note, bad = cosigned("X1"), WITNESSES["X2"].verifier
    line = SignatureLine(bad.name, bad.keyid, bytes(72))
    with pytest.raises(BadSignature):
        policy("X1").check(Note(note.text, (*note.signatures, line)))


def test_note_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(BadCheckpoint):
        policy("none").check(note_of(LOG))


def test_comments_white_space_and_urls_are_read_as_the_specification_says() -> None:
    text = (
        f"# a comment\n \t# another\n\n \t\n\tlog\t{LOG.verifier}   https://log.example/#x \n"
        f"witness zeuge-für-uns {WITNESSES['X1'].verifier} https://w.example\nquorum zeuge-für-uns"
    )
    parsed = LogPolicy.parse(text)
    assert parsed.logs == (Party(LOG.verifier, "https://log.example/#x"),)
    assert parsed.witnesses["zeuge-für-uns"].url == "https://w.example"
    assert parsed.check(cosigned("X1")) == {"zeuge-für-uns": NOW}


def test_thirty_two_of_each_are_accepted_and_deep_groups_are_walked() -> None:
    seeds = range(100, 132)
    logs = "".join(f"log {fixed_signer(f'log{i}', i).verifier}\n" for i in seeds)
    groups = "group g0 any X1\n" + "".join(f"group g{i} all g{i - 1}\n" for i in range(1, 5000))
    deep = LogPolicy.parse(f"{logs}log {LOG.verifier}\n{LINES}{groups}quorum g4999\n")
    assert deep.check(cosigned("X1")) == {"X1": NOW}
    with pytest.raises(QuorumNotMet):
        deep.check(cosigned("X2"))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "expected a line 'quorum <name>', got none"),
        ("quorum\n", "line 1: expected: quorum <name>"),
        ("quorum X1\n", "line 1: expected a witness or group of a line before, got 'X1'"),
        ("quorum none none\n", "line 1: expected: quorum <name>"),
        ("quorum none\nquorum none\n", "line 2: expected one quorum line"),
        ("Quorum none\n", "line 1: expected log, witness, group or quorum, got 'Quorum'"),
        ("quorum none # why\n", "line 1: expected: quorum"),
        ("quorum\u00a0none\n", "line 1: expected log, witness, group or quorum"),
        ("quorum none\r\n", r"line 1: expected no control character but tab, got '\\r'"),
        ("# \x00\nquorum none\n", "line 1: expected no control character"),
        ("log\n", "line 1: expected: log <verifier key>"),
        (f"log {LOG.verifier} url more\n", "line 1: expected: log"),
        ("log nonsense\n", r"line 1: expected <name>\+<hex>\+<base64>"),
        (f"log {WITNESSES['X1'].verifier}\n", r"expected a log's key \(0x01\), got 0x04"),
        (f"log {LOG.verifier}\nlog {LOG.verifier}\n", "line 2: expected each log's key once"),
        (
            f"log {LOG.verifier}\nlog {fixed_signer('x').verifier}\n",
            "line 2: expected each log's key",
        ),
        (f"witness {WITNESSES['X1'].verifier}\n", "line 1: expected: witness <name>"),
        (f"witness X1 {LOG.verifier}\n", r"expected a witness's key \(0x04 or 0x06\), got 0x01"),
        (f"witness none {WITNESSES['X1'].verifier}\n", "line 1: expected a new name, got 'none'"),
        (f"{LINES}witness X1 {WITNESSES['X1'].verifier}\n", "line 7: expected a new name"),
        (f"{LINES}witness X4 {WITNESSES['X1'].verifier}\n", "line 7: expected each witness's key"),
        (f"{LINES}group X1 any X2\n", "line 7: expected a new name, got 'X1'"),
        (f"{LINES}group none any X2\n", "line 7: expected a new name, got 'none'"),
        (f"{LINES}group g any\n", "line 7: expected: group <name>"),
        (f"{LINES}group g any g\n", "line 7: expected a witness or group of a line before"),
        (f"{LINES}group g any none\n", "line 7: expected a witness or group of a line before"),
        (f"{LINES}group g any x1\n", "line 7: expected a witness or group of a line before"),
        (f"{LINES}group g any X1 X1\n", "line 7: expected a name in one group, got 'X1' again"),
        (f"{LINES}group g any X1\ngroup h any X1\n", "line 8: expected a name in one group"),
        (f"{LINES}group g 0 X1\n", "line 7: expected all, any or 1 to 1, got '0'"),
        (f"{LINES}group g 2 X1\n", "line 7: expected all, any or 1 to 1, got '2'"),
        (f"{LINES}group g 01 X1\n", "line 7: expected all, any or 1 to 1, got '01'"),
        (f"{LINES}group g most X1\n", "line 7: expected all, any or 1 to 1, got 'most'"),
    ],
)
def test_policy_with_a_defect_is_refused_and_names_the_line(lines: str, message: str) -> None:
    with pytest.raises(BadLogPolicy, match=message):
        LogPolicy.parse(lines)


def test_policy_over_its_limit_is_refused() -> None:
    with pytest.raises(LimitExceeded, match="MAX_LOG_POLICY_BYTES"):
        LogPolicy.parse("#" * (MAX_LOG_POLICY_BYTES + 1))
