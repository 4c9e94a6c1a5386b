"""Profiles: kept privately, replaced on renewal, and refused where they do not fit together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from comity.client.connection.profile import Profile
from comity.record.keys import SigningKey
from tests.support.command_line import Run
from tests.support.records import profile_of


def test_login_keeps_a_profile_privately_and_replaces_it_on_renewal(
    comity: Run, tmp_path: Path, signing_key: SigningKey
) -> None:
    ada = "spiffe://uk.aisi.example/analyst/ada"
    for name in ("first.json", "renewed.json"):
        profile_of(ada, signing_key).save(tmp_path / name)
        assert comity("login", name).code == 0
    kept = tmp_path / "config" / "profiles" / "ada@uk.aisi.example.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert Profile.load(kept) == Profile.load(tmp_path / "renewed.json")
    [listed] = comity("profiles", "--json").json["profiles"]
    assert (listed["name"], listed["current"], listed["identity"]) == (
        "ada@uk.aisi.example",
        True,
        ada,
    )


def test_login_under_anothers_name_is_refused(
    comity: Run, tmp_path: Path, signing_key: SigningKey
) -> None:
    for who in ("ada", "eve"):
        identity = f"spiffe://uk.aisi.example/analyst/{who}"
        profile_of(identity, signing_key).save(tmp_path / f"{who}.json")
    assert comity("login", "ada.json", "--name", "work").code == 0
    ended = comity("login", "eve.json", "--name", "work")
    assert (ended.code, "another identity" in ended.err) == (1, True)


def test_the_last_login_is_current_until_the_environment_says_otherwise(
    comity: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signing_key: SigningKey
) -> None:
    for who in ("ada", "eve"):
        identity = f"spiffe://uk.aisi.example/analyst/{who}"
        profile_of(identity, signing_key).save(tmp_path / f"{who}.json")
        comity("login", f"{who}.json", "--name", who)

    def current() -> list[str]:
        return [p["name"] for p in comity("profiles", "--json").json["profiles"] if p["current"]]

    assert current() == ["eve"]
    monkeypatch.setenv("COMITY_PROFILE", "ada")
    assert current() == ["ada"]


def test_a_profile_that_others_may_read_is_refused_with_the_remedy(
    comity: Run, tmp_path: Path, signing_key: SigningKey
) -> None:
    path = tmp_path / "ada.json"
    profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key).save(path)
    path.chmod(0o644)
    ended = comity("login", "ada.json")
    assert (ended.code, "hint: run: chmod 600 ada.json" in ended.err) == (1, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"identity": "spiffe://uk.aisi.example/analyst/eve"}, "certificate"),
        ({"identity": "spiffe://ca.aisi.example/analyst/ada"}, "identity"),
        ({"certificate": "none"}, "certificate"),
        ({"privateKey": "none"}, "privateKey"),
        ({"bundle": {}}, "institute"),
        ({"password": ""}, ""),
    ],
)
def test_a_profile_that_does_not_fit_together_is_refused(
    comity: Run, tmp_path: Path, signing_key: SigningKey, change: dict[str, Any], field: str
) -> None:
    path = tmp_path / "ada.json"
    profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    ended = comity("login", "ada.json")
    assert ended.code == 1
    assert ended.err.startswith(f"error: ada.json: {field}")


def test_a_profiles_repr_does_not_show_the_key(signing_key: SigningKey) -> None:
    profile = profile_of("spiffe://uk.aisi.example/analyst/ada", signing_key)
    assert "PRIVATE" not in repr(profile)
    assert profile.private_key not in repr(profile)
