"""Handling: what an issuer cannot say, and the order of the labels."""

from __future__ import annotations

from typing import Any

import pytest

from comity.record.errors import (
    BadHandling,
)
from comity.record.handling import Handling, Tlp


@pytest.mark.parametrize(
    ("record", "section", "field"),
    [
        ({"tlp": "AMBER"}, {"tlp": "GREEN"}, "tlp"),
        ({"tlp": "AMBER", "releasableTo": ["ca.x.example"]}, {"tlp": "AMBER"}, "releasableTo"),
        (
            {"tlp": "AMBER", "releasableTo": []},
            {"tlp": "AMBER", "releasableTo": ["ca.x.example"]},
            "releasableTo",
        ),
        ({"tlp": "GREEN"}, {"tlp": "GREEN", "onward": True}, "onward"),
        ({"tlp": "GREEN", "embargo": "2027-01-01T00:00:00Z"}, {"tlp": "GREEN"}, "embargo"),
        (
            {"tlp": "GREEN", "embargo": "2027-01-01T00:00:00Z"},
            {"tlp": "GREEN", "embargo": "2026-12-31T23:59:59Z"},
            "embargo",
        ),
        ({"tlp": "GREEN", "purposes": ["audit"]}, {"tlp": "RED"}, "purposes"),
        ({"tlp": "GREEN", "purposes": ["a"]}, {"tlp": "RED", "purposes": ["a", "b"]}, "purposes"),
    ],
)
def test_a_section_handled_more_loosely_than_its_record_is_refused(
    record: dict[str, Any], section: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadHandling) as caught:
        Handling.parse(section).check_within(Handling.parse(record), "handling")
    assert caught.value.field == f"handling.{field}"


@pytest.mark.parametrize("tlp", [Tlp.RED, Tlp.AMBER_STRICT])
def test_what_may_not_be_passed_on_cannot_say_onward(tlp: Tlp) -> None:
    with pytest.raises(BadHandling, match="onward"):
        Handling.parse({"tlp": str(tlp), "onward": True})


def test_tlp_labels_are_ordered_by_strictness() -> None:
    assert [label.strictness for label in Tlp] == [4, 3, 2, 1, 0]
