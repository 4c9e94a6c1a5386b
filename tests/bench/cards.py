"""Signed cards of about 4 KB, as many as wanted, quickly and all different."""

from __future__ import annotations

from collections.abc import Iterator

from comity.client.drafts.draft import Draft
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import SpiffeId

RECEIVERS = ["b.aisi.example", "c.aisi.example"]
_SENTENCE = "Answers fall apart when the question needs more than two steps of arithmetic. "


def draft(number: int) -> Draft:
    """Return the draft of a card with four sections."""
    return Draft.parse(
        {
            "kind": "model-card",
            "subject": {
                "name": f"pkg:generic/example/model-{number}@1",
                "model": {"provider": "Example", "model": f"model-{number}", "version": "1"},
            },
            "title": {"en": f"Card {number}"},
            "summary": {"en": _SENTENCE},
            "tags": ["language", "bench"],
            "handling": {"tlp": "GREEN"},
            "sections": {
                "details": {"developer": "Example", "parameters": 7_000_000_000},
                "capabilities": [
                    {
                        "domain": "mathematics",
                        "statement": _SENTENCE,
                        "scores": [{"metric": "accuracy", "value": 0.5, "unit": "fraction"}],
                    }
                ],
                "limitations": [
                    {"statement": _SENTENCE * 2, "severity": "moderate"} for _ in range(3)
                ],
                "risks": [
                    {
                        "domain": "nist-ai-600-1:confabulation",
                        "scenario": _SENTENCE * 2,
                        "severity": "high",
                        "mitigations": [_SENTENCE],
                    }
                    for _ in range(2)
                ],
            },
            "sectionHandling": {"risks": {"tlp": "AMBER", "releasableTo": RECEIVERS}},
        }
    )


def signed(count: int, issuer: SpiffeId, key: SigningKey) -> Iterator[Record]:
    """Yield signed cards."""
    for number in range(count):
        yield draft(number).sign(issuer, key)


def size(record: Record) -> int:
    """Return the bytes of a record's payload and disclosures."""
    return len(record.envelope.payload) + sum(map(len, record.disclosures))
