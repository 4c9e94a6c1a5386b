"""Drafts of small records."""

from __future__ import annotations

from typing import Any

from comity.client.drafts.draft import Draft


def guidance(title: str = "How to test") -> Draft:
    """Return a small record that is no card."""
    value = {
        "kind": "guidance",
        "subject": {"name": "pkg:generic/example/guide@1", "digest": "0" * 64},
        "title": {"en": title},
        "summary": {"en": "A sample."},
        "handling": {"tlp": "GREEN"},
        "sections": {"text": "Test early."},
    }
    return Draft.parse(value)


FORGETS = """Forgets. In conversations of more than some forty turns the model no longer takes into
account what was said in the first ones, and repeats advice that the user has already rejected; it
does so without any sign that something was lost."""


def card(
    name: str = "example-model",
    tlp: str = "GREEN",
    releasable_to: list[str] | None = None,
    section_handling: dict[str, dict[str, Any]] | None = None,
    **more: Any,
) -> Draft:
    """Return a small model card."""
    handling: dict[str, Any] = {"tlp": tlp, **more.pop("handling", {})}
    if releasable_to is not None:
        handling["releasableTo"] = releasable_to

    return Draft.parse(
        {
            "kind": "model-card",
            "subject": {
                "name": f"pkg:generic/example/{name}@1",
                "model": {"provider": "Example", "model": name, "version": "1"},
            },
            "title": {"en": f"Card of {name}"},
            "summary": {"en": "A sample."},
            "handling": handling,
            "sections": {
                "limitations": [{"statement": FORGETS, "severity": "moderate"}],
                "risks": [
                    {"domain": "nist-ai-600-1:cbrn", "scenario": "Uplift.", "severity": "high"}
                ],
            },
            "sectionHandling": section_handling or {},
            **more,
        }
    )
