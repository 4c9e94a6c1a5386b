"""Limits: what a message says about one, and that each knows its own name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from comity.record.errors import LimitExceeded
from comity.record.limits import MAX_SECTIONS

ROOT: Final = Path(__file__).parents[2]
LIMIT: Final = re.compile(r'^(\w+): Final = Limit\(\s*"(\w+)"', re.MULTILINE)


def test_what_is_over_a_limit_is_refused_by_the_limits_name() -> None:
    MAX_SECTIONS.check(64, "predicate.sections")

    with pytest.raises(LimitExceeded) as caught:
        MAX_SECTIONS.check(65, "predicate.sections")

    told = "predicate.sections: expected at most 64 sections (MAX_SECTIONS), got 65"
    assert str(caught.value) == told


def test_a_limit_is_named_like_its_constant() -> None:
    sources = [
        path
        for folder in ("proto", "policies", "client", "node")
        for path in (ROOT / folder / "comity").rglob("*.py")
    ]
    names = [pair for path in sources for pair in LIMIT.findall(path.read_text())]

    assert ("MAX_SECTIONS", "MAX_SECTIONS") in names
    assert [pair for pair in names if pair[0] != pair[1]] == []
