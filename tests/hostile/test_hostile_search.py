"""Searches that ask for too much or what makes no sense, and strange text in them."""

from __future__ import annotations

from pathlib import Path

from comity.record.limits import MAX_FILTER_BYTES
from comity.record.search_terms import MAX_FILTER_WORDS
from comity.v1 import records_service_pb2 as records
from comity.v1 import records_service_pb2_grpc
from tests.support.drafts import card
from tests.support.hostile_calls import operating, refusal
from tests.support.network import run

SEARCHES: dict[str, tuple[records.SearchRecordsRequest, str, str, str]] = {
    "a filter that is too large": (
        records.SearchRecordsRequest(filter=records.RecordFilter(texts=["x" * MAX_FILTER_BYTES])),
        "LIMIT_EXCEEDED",
        "filter",
        "MAX_FILTER_BYTES",
    ),
    "more words than anyone needs": (
        records.SearchRecordsRequest(
            filter=records.RecordFilter(
                texts=[" ".join(f"{i:x}" for i in range(MAX_FILTER_WORDS + 1))]
            )
        ),
        "LIMIT_EXCEEDED",
        "filter.texts",
        "MAX_FILTER_WORDS",
    ),
    "a word that nearly occurs at every letter of a text": (
        records.SearchRecordsRequest(filter=records.RecordFilter(texts=["a" * 500 + "b"])),
        "LIMIT_EXCEEDED",
        "filter.texts",
        "MAX_WORD_CHARS",
    ),
    "a page that is too long": (
        records.SearchRecordsRequest(page_size=2**32 - 1),
        "LIMIT_EXCEEDED",
        "page_size",
        "MAX_SEARCH_PAGE",
    ),
    "a page token that is too long": (
        records.SearchRecordsRequest(page_token="A" * 300),
        "LIMIT_EXCEEDED",
        "page_token",
        "MAX_CURSOR_CHARS",
    ),
    "a page token that nobody gave out": (
        records.SearchRecordsRequest(page_token="cGFnZTox;DROP"),
        "BAD_CURSOR",
        "page_token",
        "",
    ),
    "a page token that is not text": (
        records.SearchRecordsRequest(page_token="\U0001f4a3"),
        "BAD_CURSOR",
        "page_token",
        "",
    ),
    "a kind that does not exist": (
        records.SearchRecordsRequest(filter=records.RecordFilter(kinds=["poem"])),
        "INVALID_INPUT",
        "filter.kinds",
        "",
    ),
    "a severity that does not exist": (
        records.SearchRecordsRequest(filter=records.RecordFilter(min_severity="dire")),
        "INVALID_INPUT",
        "filter.min_severity",
        "",
    ),
    "nul in the text": (
        records.SearchRecordsRequest(filter=records.RecordFilter(texts=["a\x00b"])),
        "INVALID_INPUT",
        "filter.texts",
        "",
    ),
    "nul in a list": (
        records.SearchRecordsRequest(filter=records.RecordFilter(tags=["a", "\x00"])),
        "INVALID_INPUT",
        "filter.tags",
        "",
    ),
}


def test_bad_searches_are_refused_with_reason_field_and_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with operating(tmp_path) as (_, line):
            stub = records_service_pb2_grpc.RecordsServiceStub(line)
            for what, (request, reason, where, limit) in SEARCHES.items():
                info = await refusal(stub.SearchRecords(request))
                got = (info.reason, info.metadata["field"], info.metadata["limit"])
                assert got == (reason, where, limit), what

    run(scenario())


def test_strange_text_finds_what_it_says_and_nothing_more(tmp_path: Path) -> None:
    """Combining marks, ligatures that swell, right-to-left overrides, and SQL's own wildcards."""

    async def scenario() -> None:
        async with operating(tmp_path) as (uk, line):
            strange = "Z\u0310\u0301\u0327\u202e\ufdfa\U0001f469\u200d\U0001f4bb"
            uk.node.publish(uk.sign(card(title={"en": f"{strange} 100%_/\\"})))
            uk.node.publish(uk.sign(card()))
            stub = records_service_pb2_grpc.RecordsServiceStub(line)
            for text, count in {
                strange: 1,
                "100%_/\\": 1,
                "100%_/_": 1,
                "1__0": 0,
                "' OR 1=1 --": 0,
                "\ufdfa" * 64: 0,
                "e\u0301" * 32: 0,
            }.items():
                request = records.SearchRecordsRequest(filter=records.RecordFilter(texts=[text]))
                assert len((await stub.SearchRecords(request)).records) == count, text

    run(scenario())
