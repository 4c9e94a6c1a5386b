"""The import command: what it writes, what it leaves alone, and what it tells."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from comity.client.commands.importing import comity_import
from comity.client.drafts.draft import Draft
from tests.support.command_line import Run
from tests.support.paths import SAMPLES


@pytest.fixture
def cli() -> typer.Typer:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command("import")(comity_import)
    return app


def test_import_writes_a_draft_for_each_card_below_a_folder(
    cli: typer.Typer, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "README.md").write_bytes((SAMPLES / "french.md").read_bytes())
    arguments = [str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--tlp", "AMBER"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    for name in ("a", "b"):
        draft = Draft.from_yaml((tmp_path / "out" / name / "README.draft.yaml").read_bytes())
        assert draft.handling.tlp == "AMBER"


def test_import_tells_what_it_refused_and_writes_the_rest(cli: typer.Typer, tmp_path: Path) -> None:
    files = [str(SAMPLES / "template.md"), str(SAMPLES / "html.md")]
    result = CliRunner().invoke(cli, [*files, "--output", str(tmp_path), "--json"])
    assert result.exit_code == 1
    value = json.loads(result.stdout)
    (imported,), (refused,) = value["imported"], value["refused"]
    assert (imported["limitations"], imported["risks"], imported["evaluations"]) == (2, 1, 2)
    assert refused["field"].endswith("template.md: line 2")
    assert [p.name for p in tmp_path.iterdir()] == ["html.draft.yaml"]


def test_import_overwrites_only_when_it_is_told_to(cli: typer.Typer, tmp_path: Path) -> None:
    arguments = [str(SAMPLES / "html.md"), "--output", str(tmp_path)]
    draft = tmp_path / "html.draft.yaml"
    draft.write_text("mine")
    refused = CliRunner().invoke(cli, [*arguments, "--json"])
    assert refused.exit_code == 1
    assert json.loads(refused.stdout)["refused"][0]["hint"] == "--force overwrites drafts"
    assert draft.read_text() == "mine"
    assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0
    assert draft.read_text() != "mine"


def test_two_cards_of_one_name_never_overwrite_each_other(cli: typer.Typer, tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        files.append(tmp_path / name / "README.md")
        files[-1].write_text(f"# {name}\n")
    arguments = [*map(str, files), "--output", str(tmp_path), "--force"]
    assert CliRunner().invoke(cli, arguments).exit_code == 1
    assert Draft.from_yaml((tmp_path / "README.draft.yaml").read_bytes()).title == {"en": "a"}


def test_a_pipe_is_refused_and_not_waited_for(comity: Run) -> None:
    os.mkfifo("README.md")
    ended = comity("import", "README.md")
    assert (ended.code, "expected a regular file" in ended.err) == (1, True)


def test_links_in_a_folder_are_not_followed(comity: Run, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("# Secret\n")
    folder = tmp_path / "cards"
    folder.mkdir()
    (folder / "linked.md").symlink_to(tmp_path / "secret.md")
    ended = comity("import", "cards", "--output", "out")
    assert (ended.code, "got none" in ended.err) == (1, True)
