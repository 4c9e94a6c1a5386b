"""Words of texts and queries, and where they stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.record.errors import InvalidInput, LimitExceeded
from comity.record.search_terms import (
    MAX_FILTER_WORDS,
    MAX_WORD_CHARS,
    Phrase,
    find_spans,
    fold,
    folded_words,
    parse_query,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Straße, STRASSE", ["strasse", "strasse"]),
        ("café cafe\u0301 re\u0301sume\u0301", ["cafe", "cafe", "resume"]),
        ("İzmir ısı", ["izmir", "isi"]),
        ("\ufb01ne \u00bd", ["fine", "1", "2"]),
        ("nist-ai-600-1:cbrn", ["nist", "ai", "600", "1", "cbrn"]),
        ("生物 test", ["生", "物", "test"]),
        ("हिन्दी", ["हिन्दी"]),
        ("' OR 1=1 --", ["or", "1", "1"]),
        ("\u202e\u200d \U0001f4a3 %", []),
    ],
)
def test_a_text_has_these_words(text: str, words: list[str]) -> None:
    assert folded_words(text) == words


@given(st.text())
def test_folding_twice_changes_nothing_and_words_are_their_own_words(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    for word in folded_words(text):
        assert len(word) == MAX_WORD_CHARS or folded_words(word) == [word]


@given(st.text())
def test_words_hold_no_syntax_of_a_database(text: str) -> None:
    for word in folded_words(text):
        assert not set(word) & set("\"'\\()&|!<>:*-^ \t\n\0")


def test_a_query_is_words_phrases_and_prefixes() -> None:
    assert parse_query('bio* "Dual use" "wet la"* dual-use & x') == (
        Phrase(("bio",), prefix=True),
        Phrase(("dual", "use")),
        Phrase(("wet", "la"), prefix=True),
        Phrase(("x",)),
    )


def test_a_query_that_makes_no_sense_is_refused() -> None:
    for text in ("", "%", '""', '"-"*'):
        with pytest.raises(InvalidInput, match="text: expected letters or digits"):
            parse_query(text)
    with pytest.raises(InvalidInput, match="expected a second quotation mark"):
        parse_query('"dual use')
    with pytest.raises(LimitExceeded, match="MAX_FILTER_WORDS"):
        parse_query('"' + "a " * (MAX_FILTER_WORDS + 1) + '"')
    with pytest.raises(LimitExceeded, match="MAX_WORD_CHARS"):
        parse_query("a" * (MAX_WORD_CHARS + 1))


def test_spans_are_places_in_the_text_as_it_was_written() -> None:
    text = "The Dual-Use of Straße and straSSEn, 生物安全"
    spans = find_spans(text, parse_query('"dual use" strasse* 物安'))
    assert [text[a:b] for a, b in spans] == ["Dual-Use", "Straße", "straSSEn", "物安"]


@given(st.text(), st.text(min_size=1))
def test_a_text_that_holds_a_words_query_shows_where(text: str, query: str) -> None:
    phrases = [Phrase(tuple(words))] if (words := folded_words(query)[:4]) else []
    spans = find_spans(text, phrases)
    ends = [end for span in spans for end in span]
    assert ends == sorted(ends)
    assert all(0 <= a < b <= len(text) for a, b in spans)
