"""Searching a node: filters, words, versions and pages, the same over both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comity.client.connection.node_client import connect
from comity.client.drafts.draft import Draft
from comity.node.records.filter import RecordFilter
from comity.node.records.search import (
    SearchOrder,
    find_record,
    records_after,
    search_records,
)
from comity.node.server.services.records_messages import filter_from_proto
from comity.record.errors import InvalidInput, LimitExceeded, NotFound
from comity.record.spiffe import Role
from comity.v1 import records_service_pb2 as pb
from tests.support.databases import NewDatabase
from tests.support.drafts import card
from tests.support.institutes import HandClock, Institute, institutes
from tests.support.network import make_home, run, serving

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def uk(tmp_path: Path, new_database: NewDatabase) -> Iterator[Institute]:
    with institutes(tmp_path, HandClock(), new_database, UK) as [made]:
        yield made


def found(one: Institute, **wanted: Any) -> set[str]:
    """Return the ids of the records that match."""
    return set(page(one, 256, **wanted)[0])


def page(one: Institute, size: int, token: str = "", **wanted: Any) -> tuple[list[str], str]:
    """Return the ids on one page, and the token of the next."""
    with one.node.store.read() as session:
        rows, after = search_records(
            session, filter_from_proto(pb.RecordFilter(**wanted)), size, token
        )
    return [row.record_id for row in rows], after


def endorsement() -> Draft:
    value = {
        "kind": "endorsement",
        "subject": {"name": "pkg:generic/example/other@2", "digest": "1" * 64},
        "title": {"en": "We agree", "fr": "Nous sommes d’accord"},
        "summary": {"en": "Checked."},
        "handling": {"tlp": "GREEN"},
    }
    return Draft.parse(value)


def risky(domain: str, severity: str | None = None, **more: Any) -> Draft:
    """Return a card whose only section is one risk."""
    risk = {"domain": domain, "scenario": "Something happens."}
    sections = {"risks": [risk | ({"severity": severity} if severity else {})]}
    return card(sections=sections, **more)


def test_a_filter_of_kinds_takes_any_of_them(uk: Institute) -> None:
    one, other = uk.publish(card()).record_id, uk.publish(endorsement()).record_id
    assert found(uk, kinds=["model-card"]) == {one}
    assert found(uk, kinds=["endorsement", "model-card"]) == {one, other}
    assert found(uk, kinds=["incident"]) == set()


def test_an_unknown_kind_or_severity_is_named(uk: Institute) -> None:
    with pytest.raises(InvalidInput, match=r"filter\.kinds: expected one of model-card, .*'card'"):
        found(uk, kinds=["card"])
    with pytest.raises(InvalidInput, match=r"filter\.min_severity: expected one of low, .*'worst'"):
        found(uk, min_severity="worst")


def test_a_filter_beyond_its_limit_is_refused(uk: Institute) -> None:
    with pytest.raises(LimitExceeded, match="MAX_FILTER_BYTES"):
        found(uk, texts=["word " * 1000])
    with pytest.raises(LimitExceeded, match="MAX_SEARCH_PAGE"):
        page(uk, 257)


def test_records_are_found_by_issuer(tmp_path: Path, new_database: NewDatabase) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as (uk, ca):
        uk.node.set_policy("""@id("all") permit (principal, action, resource);""")
        theirs, ours = uk.publish(card()).record_id, ca.publish(card()).record_id
        ca.pull(uk)
        assert found(ca, issuers=[UK]) == {theirs}
        assert found(ca, issuers=[UK, CA]) == {theirs, ours}


def test_a_model_is_found_by_part_of_its_name_in_any_case(uk: Institute) -> None:
    record_id = uk.publish(card("Llama-3.1-8B")).record_id
    uk.publish(card("other"))
    for words in ("llama", "LLAMA-3.1", "pkg:generic/example/Llama"):
        assert found(uk, models=[words]) == {record_id}


def test_a_model_is_found_however_its_name_is_written(uk: Institute) -> None:
    for name, queries in {
        "meta-llama/Llama-3.1-8B": ["Llama3.1", "Llama 3.1", "llama31"],
        "Phi-3-mini": ["phi3", "Phi 3", "microsoft/PHI-3 mini"],
        "DALL-E Mini": ["dalle mini", "DALL·E", "dall-e"],
        "Ångström": ["angstrom", "A\u030angstro\u0308m"],
    }.items():
        record_id = uk.publish(card(name)).record_id
        for query in queries:
            assert found(uk, models=[query]) == {record_id}, query


def test_a_model_is_found_by_the_beginning_of_its_digest(uk: Institute) -> None:
    record_id = uk.publish(endorsement()).record_id
    uk.publish(card())
    assert found(uk, models=["1" * 64]) == found(uk, models=["11111111"]) == {record_id}
    assert found(uk, models=["1111111"]) == set()


def test_one_of_several_models_or_texts_is_enough(uk: Institute) -> None:
    phi, llama = uk.publish(card("Phi-3")).record_id, uk.publish(card("Llama-3")).record_id
    uk.publish(card("Mistral"))
    assert found(uk, models=["phi", "llama"]) == {phi, llama}
    assert found(uk, texts=["phi 3", "llama"]) == {phi, llama}


def test_wildcards_and_syntax_of_databases_are_only_signs_between_words(uk: Institute) -> None:
    odd = uk.publish(card(title={"en": r"words a_b%c\d NEAR(x)"})).record_id
    uk.publish(card(title={"en": "axb"}))
    for text in ("a_b", "b%c", "' b'", "NEAR(x)", "words:a", "a & d", "b | c", "c & !a:b"):
        assert found(uk, texts=[text]) == {odd}, text


def test_a_text_without_letters_and_digits_is_refused(uk: Institute) -> None:
    for text in ("%", "*", '"-"', "\U0001f4a3"):
        with pytest.raises(InvalidInput, match=r"filter\.texts: expected letters or digits"):
            found(uk, texts=[text])
    with pytest.raises(InvalidInput, match=r"filter\.models: expected letters or digits"):
        found(uk, models=["--"])
    with pytest.raises(InvalidInput, match="expected a second quotation mark"):
        found(uk, texts=['"dual use'])


def test_a_phrase_stands_in_order_and_a_prefix_begins_a_word(uk: Institute) -> None:
    record_id = uk.publish(card(summary={"en": "Of dual use in biosecurity."})).record_id
    uk.publish(card(summary={"en": "Use of a dual, in biology."}))
    assert found(uk, texts=['"dual use"']) == found(uk, texts=["biosec*"]) == {record_id}
    assert found(uk, texts=['"dual use in bio"*']) == {record_id}
    assert found(uk, texts=["biosec"]) == found(uk, texts=['"use dual"']) == set()


def test_a_word_is_found_in_any_form_and_script(uk: Institute) -> None:
    for written, queries in {
        "straße": ["STRASSE", "Straße", "strasse"],
        "café": ["cafe\u0301", "CAFE", "café"],
        "DIYARBAKIR ılık": ["diyarbakır", "ILIK", "diyarbakir"],
        "生物安全风险": ["生物安全", "安全", '"风险"'],
        "생물안보는": ["생물안보", "안보"],
        "ความปลอดภัย": ["ปลอดภัย"],
        "сдвиг": ["СДВИГ"],
        "जैव सुरक्षा": ["सुरक्षा"],
        "مُحَمَّد": ["محمد"],
    }.items():
        record_id = uk.publish(card(summary={"en": f"About {written} and more."})).record_id
        for query in queries:
            assert found(uk, texts=[query]) == {record_id}, query


def test_a_number_and_a_benchmark_of_a_score_are_found(uk: Institute) -> None:
    score = {"metric": "accuracy", "value": 33.36, "unit": "percent", "evaluation": "MMLU-Pro"}
    sections = {"capabilities": [{"domain": "x", "statement": "It can.", "scores": [score]}]}
    record_id = uk.publish(card(sections=sections)).record_id
    uk.publish(card())
    assert found(uk, texts=["33.36"]) == found(uk, texts=["mmlu-pro accuracy"]) == {record_id}


def test_conditions_on_items_hold_for_one_item(uk: Institute) -> None:
    def risks(*stated: tuple[str, str]) -> Draft:
        listed = [{"domain": d, "scenario": "It happens.", "severity": s} for d, s in stated]
        return card(sections={"risks": listed})

    grave = uk.publish(risks(("bio", "high"), ("cyber", "low"))).record_id
    uk.publish(risks(("bio", "low"), ("cyber", "high")))
    assert found(uk, domains=["bio"], min_severity="high") == {grave}


def test_the_best_match_comes_first_unless_the_newest_is_asked_for(uk: Institute) -> None:
    best = uk.publish(card(title={"en": "Tides"}, summary={"en": "Tides of tides."})).record_id
    sections = {"limitations": [{"statement": f"Among other things: {'much ' * 50} tides."}]}
    passing = uk.publish(card(sections=sections)).record_id
    assert page(uk, 9, texts=["tides"])[0] == [best, passing]
    wanted = RecordFilter(texts=("tides",))
    with uk.node.store.read() as session:
        rows, _ = search_records(session, wanted, order=SearchOrder.NEWEST)
    assert [row.record_id for row in rows] == [passing, best]


def test_pages_of_the_best_matches_leave_out_what_arrives_meanwhile(uk: Institute) -> None:
    ids = {uk.publish(card()).record_id for _ in range(5)}
    seen, token = page(uk, 2, texts=["card"])
    while token:
        uk.publish(card())
        more, token = page(uk, 2, token, texts=["card"])
        seen += more
    assert len(seen) == 5
    assert set(seen) == ids


def test_tags_match_whole_and_in_their_case(uk: Institute) -> None:
    record_id = uk.publish(card(tags=["Frontier", "open-weights"])).record_id
    assert found(uk, tags=["Frontier"]) == {record_id}
    assert found(uk, tags=["none", "open-weights"]) == {record_id}
    assert found(uk, tags=["frontier"]) == found(uk, tags=["Front"]) == set()


def test_domains_of_disclosed_sections_are_found(uk: Institute) -> None:
    cyber, bio = uk.publish(risky("cyber")).record_id, uk.publish(risky("bio")).record_id
    assert found(uk, domains=["cyber"]) == {cyber}
    assert found(uk, domains=["cyber", "bio"]) == {cyber, bio}
    assert found(uk, domains=["cy"]) == set()


def test_a_severity_finds_what_is_as_grave_or_graver(uk: Institute) -> None:
    grave, mild = uk.publish(risky("bio", "critical")), uk.publish(risky("bio", "low"))
    uk.publish(risky("bio"))
    assert found(uk, min_severity="high") == {grave.record_id}
    assert found(uk, min_severity="low") == {grave.record_id, mild.record_id}


def test_several_words_must_all_stand_somewhere_in_the_record(uk: Institute) -> None:
    record_id = uk.publish(card(tags=["Ångström"], summary={"en": "About tides."})).record_id
    uk.publish(card())
    # a word of the summary, one of the tags, one of a section
    assert found(uk, texts=["TIDES ångström uplift"]) == {record_id}
    assert found(uk, texts=["tides absent"]) == set()


def test_every_language_is_searched(uk: Institute) -> None:
    record_id = uk.publish(endorsement()).record_id
    assert found(uk, texts=["D’ACCORD"]) == {record_id}


def test_a_filters_fields_must_all_hold(uk: Institute) -> None:
    record_id = uk.publish(risky("bio", "high", tags=["one"])).record_id
    uk.publish(risky("bio", "high", tags=["two"]))
    assert found(uk, domains=["bio"], min_severity="high", tags=["one"]) == {record_id}


def test_a_superseded_version_is_shown_only_when_asked_for(uk: Institute) -> None:
    first = uk.publish(card()).record_id
    second = uk.publish(card(supersedes=first)).record_id
    assert found(uk) == {second}
    assert found(uk, include_superseded=True) == {first, second}


def test_a_version_that_arrives_after_its_successor_counts_as_superseded(uk: Institute) -> None:
    first = uk.sign(card())
    second = uk.publish(card(supersedes=first.record_id)).record_id
    uk.node.publish(first)
    assert found(uk) == {second}


def test_another_institute_cannot_supersede_a_record(
    tmp_path: Path, new_database: NewDatabase
) -> None:
    with institutes(tmp_path, HandClock(), new_database, UK, CA) as (uk, ca):
        uk.node.set_policy("""@id("all") permit (principal, action, resource);""")
        ours = ca.publish(card()).record_id
        theirs = uk.publish(card(supersedes=ours)).record_id
        ca.pull(uk)
        assert found(ca) == {ours, theirs}


def test_pages_do_not_overlap_while_records_arrive(uk: Institute) -> None:
    first = [uk.publish(card()).record_id for _ in range(7)]
    seen, token = page(uk, 3)
    while token:
        uk.publish(card())
        more, token = page(uk, 3, token)
        seen += more
    assert seen == first[::-1]


def test_a_page_of_exactly_all_has_no_next(uk: Institute) -> None:
    for _ in range(3):
        uk.publish(card())
    assert page(uk, 3)[1] == ""


def test_what_arrives_is_read_oldest_first_from_where_one_stopped(uk: Institute) -> None:
    ids = [uk.publish(card()).record_id for _ in range(4)]
    with uk.node.store.read() as session:
        first = records_after(session, RecordFilter(), 0, 3)
        rest = records_after(session, RecordFilter(), first[-1].record_seq, 3)
    assert [row.record_id for row in [*first, *rest]] == ids


def test_a_record_is_found_by_a_unique_prefix_of_its_id(uk: Institute) -> None:
    record_id = uk.publish(card()).record_id
    with uk.node.store.read() as session:
        assert find_record(session, record_id[:8]).record_id == record_id
        with pytest.raises(NotFound):
            find_record(session, "0" * 64)
        with pytest.raises(InvalidInput, match="expected 8 to 64 lower-case hex digits"):
            find_record(session, record_id[:7])
        with pytest.raises(InvalidInput, match="hex digits"):
            find_record(session, "%" * 8)


def test_two_successors_of_one_record_are_both_named(tmp_path: Path, database: str) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK, database=database)
        async with serving(home) as uk, connect(home.grant(Role.OPERATOR, "ada")) as node:
            first = uk.sign(card())
            later = [uk.sign(card(supersedes=first.record_id)) for _ in range(2)]
            for record in (first, *later):
                await node.publish(record)
            result = await node.get(first.record_id)
            assert result.superseded_by == tuple(record.record_id for record in later)
            shown = [result.record_id async for result in node.search()]
            assert shown == [record.record_id for record in later[::-1]]

    run(scenario())
