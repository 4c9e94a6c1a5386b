"""Names of models, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.record.errors import InvalidInput
from comity.record.model_names import name_words, parse_name
from comity.record.search_terms import find_spans, folded_words

DIGEST = "9f86d081" * 8


def is_found(name: str, query: str) -> bool:
    return bool(find_spans(" ".join(name_words([name], DIGEST)), parse_name(query)))


@pytest.mark.parametrize(
    ("name", "query", "found"),
    [
        ("pkg:huggingface/meta-llama/Llama-3.1-8B@main", "Llama3.1", True),
        ("pkg:huggingface/meta-llama/Llama-3.1-8B@main", "meta-llama/Llama-3.1-8B", True),
        ("Llama 3.1 8B", "meta-llama/Llama-3.1-8B", True),
        ("Llama 3.1 8B", "llama 3.2", False),
        ("Llama 3.1 8B", "Llama-3.1-8B-Instruct", False),
        ("pkg:generic/openai/gpt-4o@2024-08-06", "gpt4", True),
        ("pkg:generic/openai/gpt-4o@2024-08-06", "GPT-4o", True),
        ("pkg:generic/openai/gpt-4o@2024-08-06", "2024-08-06", True),
        ("DALL-E Mini", "dalle", True),
        ("mistralai/Mixtral-8x7B", "mixtral 8x7b", True),
        ("Qwen2.5-72B", "qwen 2.5", True),
        ("Qwen2.5-72B", "qwen 25", True),
        ("anything", DIGEST, True),
        ("anything", "9F86D081", True),
        ("anything", "9f86d08", False),
        ("anything", "86d0819f", False),
    ],
)
def test_a_query_finds_a_name(name: str, query: str, found: bool) -> None:
    assert is_found(name, query) is found


@given(st.text(min_size=1, max_size=60))
def test_a_name_is_found_by_itself(name: str) -> None:
    if len(folded_words(name)) and len("".join(folded_words(name))) < 60:
        assert is_found(name, name)


def test_a_name_without_letters_and_digits_is_refused() -> None:
    with pytest.raises(InvalidInput, match="model: expected letters or digits"):
        parse_name("--")
