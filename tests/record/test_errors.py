"""The error tree: what is drawn of it is what there is, and each reason is the class's name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from comity.record import errors
from comity.record.errors import ComityError


def test_the_tree_that_is_drawn_is_the_tree_that_there_is() -> None:
    drawing = (errors.__doc__ or "").split("Invariant:")[0]
    drawn = re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)*\b", drawing.partition("\n\n")[2])
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == {error.__name__ for error in _tree(ComityError)}


def test_a_reason_is_the_name_of_its_class() -> None:
    assert ComityError.reason == "INTERNAL"
    assert errors.BadSplitView.reason == "BAD_SPLIT_VIEW"
    assert errors.Unproven.reason == "UNPROVEN"
    assert errors.OtherSizeHeld.reason == "OTHER_SIZE_HELD"


def _tree(error: type[ComityError]) -> Iterator[type[ComityError]]:
    yield error
    for child in error.__subclasses__():
        yield from _tree(child)
