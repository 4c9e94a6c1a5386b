"""What a person sees of a search: passages that matched, labels, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comity.client.commands.result_table import render_results
from comity.client.connection.matches import MAX_MATCHES, find_matches
from comity.client.connection.node_client import connect
from comity.client.connection.results import Filter, filter_to_proto
from comity.client.verify.record_view import RecordView
from comity.record.bundle import Keyring
from comity.record.errors import InvalidInput
from comity.record.record import open_record
from comity.record.spiffe import Role
from tests.support.databases import sqlite_databases
from tests.support.drafts import card
from tests.support.institutes import HandClock, institutes
from tests.support.network import network, run

UK = "uk.aisi.example"


def view_of(folder: Path, **fields: Any) -> RecordView:
    with institutes(folder, HandClock(), sqlite_databases(folder), UK) as [uk]:
        opened = open_record(uk.sign(card(**fields)), Keyring([uk.node.bundle]).find)
        return RecordView.of(opened)


def test_passages_show_where_a_text_matched(tmp_path: Path) -> None:
    sections = {"limitations": [{"statement": "It fails\nin the Straße of long words."}]}
    view = view_of(tmp_path, title={"en": "Of tides"}, sections=sections)
    [title, section] = find_matches(view, ["tide* strasse"])
    assert (title.section, title.text, title.spans) == ("title", "Of tides", ((3, 8),))
    assert section.section == "limitations"
    assert [section.text[a:b] for a, b in section.spans] == ["Straße"]
    assert "\n" not in section.text


def test_a_passage_says_where_it_was_cut(tmp_path: Path) -> None:
    long = "much " * 20
    view = view_of(tmp_path, title={"en": "Other"}, summary={"en": f"{long}tides {long}"})
    [match] = find_matches(view, ["tides"])
    assert (match.text[0], match.text[-1]) == ("…", "…")
    assert [match.text[a:b] for a, b in match.spans] == ["tides"]


def test_at_most_some_passages_are_shown(tmp_path: Path) -> None:
    sections = {"limitations": [{"statement": f"Tide {number}."} for number in range(50)]}
    assert len(find_matches(view_of(tmp_path, sections=sections), ["tide"])) == MAX_MATCHES


def test_a_text_in_place_of_a_list_is_an_error() -> None:
    wrong: Filter = {"kinds": "model-card"}
    with pytest.raises(InvalidInput, match=r"filter\.kinds: expected a list, got the text"):
        filter_to_proto(wrong)


def test_a_search_shows_what_matched_and_the_strictest_label_that_is_held(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK) as (uk,):
            strict = {"limitations": {"tlp": "AMBER", "releasableTo": [UK]}}
            sections = {"limitations": [{"statement": "Tides."}]}
            uk.node.publish(uk.sign(card("one", sections=sections, sectionHandling=strict)))
            uk.node.publish(uk.sign(card("two")))
            async with connect(uk.node.home.grant(Role.ANALYST, "ada")) as node:
                page = await node.search_page(texts=["TIDES"])
                [result] = page.results
                assert [match.section for match in result.matches] == ["limitations"]
                [label] = list(render_results(page.results).columns[2].cells)
                assert str(label) == "AMBER"
                models = [result async for result in node.search(models=["one", "two"])]
                assert len(models) == 2
                assert json.dumps(models[0].to_value()["matches"]) == "[]"

    run(scenario())
