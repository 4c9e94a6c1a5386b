"""Results of evaluations in a model card: which scores are taken, and which are another model's."""

from __future__ import annotations

from pathlib import PurePath

from comity.client.importing import import_bytes
from tests.support.imported_cards import import_text, scores
from tests.support.paths import SAMPLES

PLACE = PurePath("/cards/example__fjord-7b-chat.md")


def test_results_of_the_front_matter_keep_value_and_unit() -> None:
    card = import_bytes((SAMPLES / "hub_card.md").read_bytes(), PLACE)
    quiz, unnamed, *_ = card.draft.sections["evaluations"]
    assert quiz["dataset"] == "Example Quiz (split test)"
    assert [(s["value"], s["unit"]) for s in quiz["scores"]] == [
        (0.713, "fraction"),
        (71.3, "percent"),
    ]
    assert unnamed["scores"] == [{"metric": "wer", "value": 33.36, "unit": "percent"}]
    assert "model-index.results[1].dataset: missing" in card.notes
    assert any("metrics[2]: expected a name and a number" in note for note in card.notes)


def test_only_this_models_column_of_a_comparison_is_taken() -> None:
    card = import_bytes((SAMPLES / "hub_card.md").read_bytes(), PLACE)
    found = scores(card)
    assert found["MMLU"] == [("acc", 61.2, "percent")]
    assert found["Toy Elo"] == [("score", 1021.0, "unspecified")]


def test_a_comparison_of_other_models_yields_no_score_and_a_note() -> None:
    card = import_text("# Pebble\n\n## Results\n\n| Model | MMLU |\n|-|-|\n| GPT-4 | 86.4 |\n")
    assert "evaluations" not in card.draft.sections
    assert "line 5: table names no row or column of this model" in card.notes


def test_scores_of_another_size_are_kept_with_its_name() -> None:
    card = import_text("# Fjord\n\n## Results\n\n| Model | MMLU |\n|-|-|\n| Fjord 70B | 70.4 |\n")
    assert scores(card) == {"MMLU": [("score [Fjord 70B]", 70.4, "percent")]}


def test_scores_in_a_list_are_read_where_results_are_told() -> None:
    told = "It achieves the following results on the evaluation set:\n\n- Loss: 1.25\n- F1: 66.5%\n"
    assert scores(import_text(f"# Pebble\n\n{told}")) == {
        "Pebble": [("Loss", 1.25, "unspecified"), ("F1", 66.5, "percent")]
    }
    assert not scores(
        import_text("# Pebble\n\n## Training hyperparameters\n\n- loss weight: 0.5\n")
    )
