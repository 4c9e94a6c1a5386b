"""Parsers that strangers reach refuse what is wrong in our words, and never in others.

``tests/soak/fuzz.py`` looks for more such inputs; the ones it found lie in ``vectors/fuzzed``.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.parsers import PARSERS

FOUND = sorted((Path(__file__).parents[1] / "vectors" / "fuzzed").iterdir())
ROUNDS = 400


def changed(seed: bytes, chance: random.Random) -> bytes:
    """Return a copy with a few bytes changed, cut out, repeated or put in."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 2, 8, 64)))
        taken = bytes(data[start:end])
        data[start:end] = chance.choice(
            (b"", taken * 2, chance.randbytes(len(taken)), b"\x00", b"\n\n", b'"', b"[" * 40, b"9")
        )
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_a_good_input_is_read(name: str) -> None:
    parser = PARSERS[name]
    for seed in parser.seeds():
        parser.check(seed)


@pytest.mark.parametrize("name", PARSERS)
def test_a_changed_input_is_read_or_refused(name: str) -> None:
    chance = random.Random(name)
    for seed in PARSERS[name].seeds():
        for _ in range(ROUNDS):
            PARSERS[name].survives(changed(seed, chance))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_what_once_broke_a_parser_is_refused(file: Path) -> None:
    PARSERS[file.name.partition("-")[0]].survives(file.read_bytes())
