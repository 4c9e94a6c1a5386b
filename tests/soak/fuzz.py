"""Fuzzes one parser that strangers reach, guided by coverage: python -m tests.soak.fuzz note 450.

A finding is left in ``.soak/`` as crash-*; keep it, smaller, as ``tests/vectors/fuzzed/PARSER-*``,
which the suite then reads. An input may take at most INPUT_SECONDS and the process MEMORY_MB.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import atheris

INPUT_SECONDS: Final = 5
MEMORY_MB: Final = 1024
MAX_INPUT_BYTES: Final = 16_384

with atheris.instrument_imports(include=["comity.record", "pydantic"]):
    from tests.support.parsers import PARSERS


def main(name: str, seconds: int) -> None:
    """Fuzz a parser for so many seconds; a finding ends the process with a traceback."""
    parser = PARSERS[name]

    # libFuzzer keeps here what reaches new code, so the next run goes on from there
    corpus = Path(".soak") / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(parser.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)

    options = [
        f"-max_total_time={seconds}",
        f"-timeout={INPUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MB}",
        f"-max_len={MAX_INPUT_BYTES}",
        "-artifact_prefix=.soak/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], parser.survives)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
