"""Evidence of a split view: what proves a contradiction of a log, and what does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st

from comity.record.checkpoint import Checkpoint, sign_checkpoint
from comity.record.cosignature import cosign
from comity.record.errors import (
    BadCheckpoint,
    BadSignature,
    BadSplitView,
    ComityError,
    LimitExceeded,
    MalformedJson,
    UnknownKey,
)
from comity.record.limits import MAX_PROOF_HASHES, MAX_SPLIT_VIEW_BYTES
from comity.record.merkle import EMPTY_ROOT
from comity.record.note import LOG_KEY, WITNESS_KEY, Note, NoteSigner
from comity.record.split_view import SplitView
from tests.support.institutes import HandClock
from tests.support.log_histories import History

LOG, OTHER = "log.ca.aisi.example", "log.fr.aisi.example"
SIGNER = NoteSigner(LOG, LOG_KEY, ed25519.Ed25519PrivateKey.generate())
KEYS = [SIGNER.verifier]


HONEST = History(SIGNER, "abcdefg")
FORKED = History(SIGNER, "abXdefg")


def of_two_sizes(old: int = 5, new: int = 7) -> SplitView:
    """Return what shows that the log signed a tree of ``old`` leaves that it then left out."""
    proof = FORKED.proof(old, new)
    return SplitView.of(HONEST.note(old), FORKED.note(new), FORKED.root(old), proof)


def refused(evidence: SplitView, kind: type[ComityError] = BadSplitView) -> str:
    with pytest.raises(kind) as caught:
        evidence.check(KEYS)
    return caught.value.field


def test_two_roots_of_one_size_contradict_each_other() -> None:
    evidence = SplitView.of(HONEST.note(5), FORKED.note(5))
    steps = SplitView.parse(evidence.to_json()).check(KEYS)
    assert [step[:2] for step in steps] == ["1.", "2.", "3."]
    assert HONEST.root(5).hex() in steps[0]
    assert FORKED.root(5).hex() in steps[1]


@given(st.integers(3, 7), st.integers(3, 7))
def test_a_tree_that_does_not_begin_with_a_signed_one_contradicts_it(one: int, other: int) -> None:
    old, new = min(one, other), max(one, other)
    evidence = of_two_sizes(old, new)
    assert SplitView.parse(evidence.to_json()) == evidence
    assert len(evidence.check(KEYS)) == 3


def test_the_order_in_which_the_checkpoints_were_found_does_not_matter() -> None:
    proof = FORKED.proof(5, 7)
    turned = SplitView.of(FORKED.note(7), HONEST.note(5), FORKED.root(5), proof)
    assert turned == of_two_sizes()


def test_a_size_of_nothing_with_a_root_of_something_is_a_contradiction() -> None:
    empty = sign_checkpoint(Checkpoint(LOG, 0, HONEST.root(1)), SIGNER)
    assert len(SplitView.of(empty, HONEST.note(3), EMPTY_ROOT).check(KEYS)) == 3


def test_cosignatures_are_left_out_of_evidence() -> None:
    witness = NoteSigner("witness.fr", WITNESS_KEY, ed25519.Ed25519PrivateKey.generate())
    note = HONEST.note(5)
    seen = Note(note.text, (*note.signatures, cosign(note.text, witness, HandClock().time)))
    assert SplitView.of(seen, FORKED.note(5)) == SplitView.of(note, FORKED.note(5))


def test_a_log_that_only_grew_is_not_accused() -> None:
    grown = SplitView.of(HONEST.note(5), HONEST.note(7), HONEST.root(5), HONEST.proof(5, 7))
    assert refused(grown) == "root"


def test_the_same_checkpoint_twice_is_no_contradiction() -> None:
    assert refused(SplitView.of(HONEST.note(5), HONEST.note(5))) == "larger"


def test_a_root_that_was_made_up_is_not_the_one_the_proof_leads_from() -> None:
    made_up = SplitView.of(HONEST.note(5), HONEST.note(7), bytes(32), HONEST.proof(5, 7))
    assert refused(made_up) == "root"


def test_a_proof_of_another_tree_does_not_lead_to_the_signed_root() -> None:
    forged = replace(of_two_sizes(), larger=HONEST.note(7).to_bytes())
    assert refused(forged) == "root"


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: (*p, bytes(32)), lambda p: ()])
def test_a_proof_of_the_wrong_length_proves_nothing(
    change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]],
) -> None:
    evidence = of_two_sizes()
    assert refused(replace(evidence, proof=change(evidence.proof))) == "proof"


def test_a_checkpoint_that_somebody_else_signed_proves_nothing() -> None:
    forger = NoteSigner(LOG, LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    refused(SplitView.of(HONEST.note(5), History(forger, "abXde").note()), UnknownKey)


def test_a_checkpoint_that_was_changed_after_it_was_signed_proves_nothing() -> None:
    changed = Note(FORKED.note(5).text, HONEST.note(5).signatures)
    refused(SplitView.of(HONEST.note(5), changed), BadSignature)


def test_two_logs_do_not_contradict_each_other() -> None:
    other = NoteSigner(OTHER, LOG_KEY, ed25519.Ed25519PrivateKey.generate())
    evidence = SplitView.of(HONEST.note(5), History(other, "abXde").note())
    with pytest.raises(BadSplitView, match=f"expected two checkpoints of '{LOG}'"):
        evidence.check([*KEYS, other.verifier])


def test_checkpoints_in_the_wrong_order_prove_nothing() -> None:
    evidence = of_two_sizes()
    turned = replace(evidence, smaller=evidence.larger, larger=evidence.smaller)
    assert refused(turned) == "old_size"


def value(**changes: Any) -> bytes:
    document = json.loads(of_two_sizes().to_json()) | changes
    return json.dumps({key: item for key, item in document.items() if item is not None}).encode()


@pytest.mark.parametrize(
    ("data", "kind", "field"),
    [
        (b"{", MalformedJson, "evidence"),
        (b"[]", BadSplitView, "evidence"),
        (b" " * (MAX_SPLIT_VIEW_BYTES + 1), LimitExceeded, "evidence"),
        (value(type="urn:comity:card:v1"), BadSplitView, "type"),
        (value(larger=None), BadSplitView, "larger"),
        (value(keys=["mine"]), BadSplitView, "keys"),
        (value(root="AAAA"), BadSplitView, "root"),
        (value(proof=["*"]), BadSplitView, "proof[0]"),
        (value(proof=["AAAA"] * (MAX_PROOF_HASHES + 1)), BadSplitView, "proof"),
    ],
)
def test_what_is_no_evidence_is_refused_by_field(
    data: bytes, kind: type[ComityError], field: str
) -> None:
    with pytest.raises(kind) as caught:
        SplitView.parse(data)
    assert caught.value.field == field


def test_notes_that_are_no_checkpoints_are_refused() -> None:
    text = "nothing\n"
    note = Note(text, (SIGNER.sign(text),)).to_bytes()
    refused(replace(of_two_sizes(), smaller=note), BadCheckpoint)
