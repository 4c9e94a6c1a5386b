"""Checkpoints: the specification's example, what a log signs, and what is refused."""

from __future__ import annotations

import pytest

from comity.record.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from comity.record.errors import (
    BadCheckpoint,
    BadNote,
    BadSignature,
    InvalidInput,
    LimitExceeded,
    UnknownKey,
)
from comity.record.merkle import EMPTY_ROOT, MAX_TREE_SIZE
from comity.record.note import Note
from tests.support.notes import LOG, fixed_signer, note_of

# C2SP tlog-checkpoint
EXAMPLE = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
""".encode()  # noqa: E501

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
CHECKPOINT = Checkpoint(LOG.name, 7, b"r" * 32)


def test_example_of_the_specification_reads_back() -> None:
    note = Note.parse(EXAMPLE)
    checkpoint = Checkpoint.parse(note.text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.body == note.text


def test_signed_checkpoint_opens_with_the_logs_key() -> None:
    data = sign_checkpoint(CHECKPOINT, LOG).to_bytes()
    checkpoint, note = open_checkpoint(data, [LOG.verifier])
    assert checkpoint == CHECKPOINT
    assert note.to_bytes() == data
    assert data.startswith(b"log.uk.aisi.example\n7\ncnJy")


@pytest.mark.parametrize("size", [0, 1, MAX_TREE_SIZE])
def test_any_size_in_range_reads_back(size: int) -> None:
    checkpoint = Checkpoint(LOG.name, size, EMPTY_ROOT)
    assert Checkpoint.parse(checkpoint.body) == checkpoint


def test_lines_of_others_after_the_root_are_kept_and_ours_has_none() -> None:
    extended = Checkpoint(LOG.name, 7, b"r" * 32, ("more", "and more"))
    data = note_of(LOG, text=extended.body).to_bytes()
    assert open_checkpoint(data, [LOG.verifier])[0] == extended
    with pytest.raises(BadCheckpoint, match="three lines and no more"):
        sign_checkpoint(extended, LOG)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("log.jp.aisi.example", 7, bytes(32)),
        Checkpoint("", 7, bytes(32)),
        Checkpoint(f"{LOG.name}\n7", 7, bytes(32)),
        Checkpoint(LOG.name, -1, bytes(32)),
        Checkpoint(LOG.name, MAX_TREE_SIZE + 1, bytes(32)),
        Checkpoint(LOG.name, 7, bytes(31)),
    ],
)
def test_log_signs_nothing_that_is_no_checkpoint_of_its_own(checkpoint: Checkpoint) -> None:
    with pytest.raises(InvalidInput):
        sign_checkpoint(checkpoint, LOG)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n",
        "origin\n",
        "origin\n7\n",
        f"origin\n7\n{ROOT}",
        f"origin\n7\n{ROOT}\n\n",
        f"origin\n7\n{ROOT}\n\nmore\n",
        f"\n7\n{ROOT}\n",
        f"origin\n\n{ROOT}\n",
        f"origin\n07\n{ROOT}\n",
        f"origin\n00\n{ROOT}\n",
        f"origin\n-7\n{ROOT}\n",
        f"origin\n+7\n{ROOT}\n",
        f"origin\n7 \n{ROOT}\n",
        f"origin\n7_0\n{ROOT}\n",
        f"origin\n٧\n{ROOT}\n",
        f"origin\n0x7\n{ROOT}\n",
        f"origin\n7\r\n{ROOT}\r\n",
        f"origin\n{'9' * 5000}\n{ROOT}\n",
        f"origin\n7\n{ROOT[:-1]}\n",
        f"origin\n7\n{ROOT.replace('2I=', '2J=')}\n",
        f"origin\n7\n{ROOT.replace('/', '_')}\n",
        "origin\n7\nAAAA\n",
        f"origin\n7\n{ROOT} \n",
    ],
)
def test_text_that_is_no_checkpoint_is_refused(body: str) -> None:
    with pytest.raises(BadCheckpoint):
        Checkpoint.parse(body)


def test_size_beyond_the_largest_tree_is_refused() -> None:
    for size in (2**53 + 1, 2**63, 2**64 - 1):
        with pytest.raises(LimitExceeded, match=r"checkpoint\.size.*MAX_TREE_SIZE"):
            Checkpoint.parse(f"origin\n{size}\n{ROOT}\n")


def test_checkpoint_without_a_known_signature_is_refused() -> None:
    data = sign_checkpoint(CHECKPOINT, LOG).to_bytes()
    with pytest.raises(UnknownKey, match=r"'log\.uk\.aisi\.example', got none"):
        open_checkpoint(data, [])
    with pytest.raises(UnknownKey):
        open_checkpoint(data, [fixed_signer(LOG.name, 2).verifier])


def test_log_does_not_speak_for_another() -> None:
    other = fixed_signer("log.jp.aisi.example", 2)
    data = note_of(other, text=CHECKPOINT.body).to_bytes()
    with pytest.raises(UnknownKey):
        open_checkpoint(data, [LOG.verifier, other.verifier])


def test_altered_checkpoint_is_refused() -> None:
    data = sign_checkpoint(CHECKPOINT, LOG).to_bytes()
    with pytest.raises(BadSignature):
        open_checkpoint(data.replace(b"\n7\n", b"\n8\n"), [LOG.verifier])
    for cut in range(len(data)):
        with pytest.raises((BadNote, BadSignature)):
            open_checkpoint(data[:cut], [LOG.verifier])
