"""The picture of a simulation is legible and well-formed, whatever is in the scenario."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from comity.policies.simulation.picture import draw
from comity.policies.simulation.report import report
from tests.support.scenarios import ONE_DAY, PAIR, play


def test_the_picture_escapes_what_a_scenario_says() -> None:
    text = 'title = "<script>&"\n' + PAIR.replace("POLICY", "open")
    root = ET.fromstring(draw(report(play(text))))
    assert not [node for node in root.iter() if "script" in node.tag]
    assert "<script>&" in [node.text for node in root.iter()]


def test_every_line_of_the_picture_can_be_told_from_the_others() -> None:
    names = "abcdefghijk"
    table = "[[institute]]\nid = '{}.example'\npolicy = 'open'\nissues = [{{ {} }}]\n"
    one = "kind = 'evaluation', on = [1]"
    root = ET.fromstring(draw(report(play("".join(table.format(name, one) for name in names)))))
    lines = [node for node in root.iter() if node.tag.endswith("polyline")]
    looks = {
        (line.get("stroke"), line.get("stroke-dasharray"), line.get("class")) for line in lines
    }
    assert len(lines) == len(looks) == len(names) + 1


def test_the_picture_of_a_single_day_shows_where_it_ends() -> None:
    root = ET.fromstring(draw(report(play("days = 1\n" + ONE_DAY))))
    drawn = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(drawn) == 3


def test_a_title_of_any_kind_makes_a_picture_of_its_width() -> None:
    text = 'title = "\\u0000\\u001b[31m ' + "long " * 100 + '"\n' + ONE_DAY
    root = ET.fromstring(draw(report(play(text))))
    [title] = [node.text or "" for node in root.iter() if node.get("class") == "title ink"]
    assert title.startswith("\ufffd\ufffd[31m long")
    assert len(title) < 80
