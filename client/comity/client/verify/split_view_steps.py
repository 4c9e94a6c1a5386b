"""Offline verification of a split view: evidence that a log contradicted itself.

``comity.record.split_view`` defines the evidence. Invariant: only keys at hand count, so the maker
and the bringer of the evidence need not be believed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from comity.client.verify.steps import Step, Verdict, Walk, verdict_of
from comity.client.verify.trust import Trust
from comity.record import ijson
from comity.record.errors import InvalidInput
from comity.record.split_view import TYPE, SplitView


@dataclass(frozen=True, slots=True)
class SplitVerification:
    """The steps on a split view. The verdict *valid* means that the contradiction is proved."""

    steps: tuple[Step, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict of the steps."""
        return verdict_of(self.steps)

    def to_value(self) -> dict[str, Any]:
        """Return the JSON form."""
        steps = [step.to_value() for step in self.steps]
        return {"type": TYPE, "verdict": str(self.verdict), "steps": steps}


def is_split_view(data: bytes) -> bool:
    """Return True if a file claims to be evidence of a split view."""
    # a quick look first: records are up to 14 MiB of JSON
    if TYPE.encode() not in data:
        return False

    try:
        value = ijson.loads(data)
    except InvalidInput:
        return False
    return isinstance(value, dict) and value.get("type") == TYPE


def verify_split_view(data: bytes, trust: Trust) -> SplitVerification:
    """Take the one step on the JSON form; never raises for anything that is wrong with it."""
    walk = Walk()
    keys = [key for bundle in trust.bundles for key in trust.log_keys(bundle.institute)]

    def contradiction() -> str:
        # without the numbers of the check's own steps
        return "; ".join(said.partition(". ")[2] for said in SplitView.parse(data).check(keys))

    spec = "C2SP tlog-checkpoint; RFC 6962, section 2.1.4"
    walk.take("contradiction", spec, contradiction)
    return SplitVerification(walk.steps)
