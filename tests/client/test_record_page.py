"""page.html: a person reads a record in a browser, and the record does nothing there."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.client.exports.checking import verify_path
from comity.client.exports.record_page import record_page
from comity.client.exports.writing import export_record
from comity.client.verify.record_view import RecordView
from comity.client.verify.trust import Trust
from comity.record.bundle import Keyring
from comity.record.keys import SigningKey
from comity.record.record import Record, open_record
from comity.record.section import Disclosure
from comity.record.tlog_proof import TlogProof
from tests.support.drafts import card
from tests.support.memory_log import NOW, MemoryLog
from tests.support.records import UK, bundle_of

KEY = SigningKey.generate()
BUNDLE = bundle_of(UK.institute, KEY)
TAGS = {"html", "head", "meta", "title", "style", "body", "aside", "p", "code", "h1", "h2", "dl"}
TAGS |= {"dt", "dd", "section", "pre"}
ATTRIBUTES = {"lang", "dir", "charset", "http-equiv", "content", "name", "class"}


class Page(HTMLParser):
    """Collects the tags, attributes and text of a page."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(record: Record) -> bytes:
    return record_page(RecordView.of(open_record(record, Keyring([BUNDLE]).find)), None, None)


def files_step(folder: Path, trust: Trust) -> str:
    steps = verify_path(folder, trust, NOW).steps
    return next(step.detail for step in steps if step.name == "files")


@settings(max_examples=50, deadline=None)
@given(
    st.text(min_size=1, max_size=100)
    | st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=y>',
            "{style}",
            "</pre></style>",
            "&lt;",
        ]
    )
)
def test_no_text_of_a_record_becomes_a_tag_of_the_page(words: str) -> None:
    words = words.replace("\0", "") or "x"
    draft = card(
        title={"en": words},
        summary={"en": words},
        tags=[words],
        references=[{"record": "a" * 64, "relation": words}],
        sections={"limitations": [{"statement": words}]},
        subject={"name": words, "model": {"provider": words, "model": words, "version": words}},
    )
    page = Page(page_of(draft.sign(UK, KEY)))
    plain = Page(page_of(card(tags=["x"], sections={"limitations": []}).sign(UK, KEY)))
    assert set(page.tags) <= TAGS
    assert page.attributes <= ATTRIBUTES
    # a reference is one line more than the plain card has
    assert len(page.tags) == len(plain.tags) + 2


def test_the_page_loads_nothing_and_lets_no_script_run() -> None:
    page = page_of(card().sign(UK, KEY)).decode()
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    [style] = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r"<(script|link|img|iframe|a) |url\(|src=|href=", page)


def test_the_page_says_what_the_record_says_and_what_is_withheld() -> None:
    record = card(title={"en": "Card", "fr": "Carte"}).sign(UK, KEY)
    kept = tuple(d for d in record.disclosures if Disclosure.parse(d).name == "limitations")
    text = Page(page_of(Record(record.envelope, kept))).text
    for told in ("Card", "Carte", "TLP:GREEN", record.record_id, str(UK), "Forgets."):
        assert told in text
    assert "1 shown, 1 withheld" in text
    assert "Uplift." not in text
    assert "no proof" in text


@pytest.mark.parametrize("name", ["export", "export.zip"])
def test_verify_checks_the_page_of_an_export(tmp_path: Path, name: str) -> None:
    opened = open_record(card().sign(UK, KEY, NOW), Keyring([BUNDLE]).find)
    export_record(opened, KEY.key, tmp_path / name)
    assert files_step(tmp_path / name, Trust((BUNDLE,))) == "agree; not checked: CHECK.md"


def test_verify_checks_the_page_of_an_export_with_evidence(
    evidence: Path, memory_log: MemoryLog
) -> None:
    assert "page.html" not in files_step(evidence, memory_log.trust)
    proof = TlogProof.parse((evidence / "inclusion.tlog-proof").read_bytes())
    text = Page((evidence / "page.html").read_bytes()).text
    assert f"entry {proof.index} of" in text
    assert f"/{UK.institute}" in text


def test_a_page_that_shows_another_record_is_not_called_checked(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    opened = open_record(card().sign(UK, KEY, NOW), Keyring([BUNDLE]).find)
    export_record(opened, KEY.key, folder)
    page = folder / "page.html"
    sums = folder / "SHA256SUMS"
    before = page.read_bytes()
    page.write_bytes(before.replace(b"Forgets.", b"Recalls all."))
    old, new = (hashlib.sha256(data).hexdigest() for data in (before, page.read_bytes()))
    sums.write_text(sums.read_text().replace(old, new))
    assert files_step(folder, Trust((BUNDLE,))).endswith("not checked: CHECK.md, page.html")
