"""Commands about peers: pinned by a confirmed fingerprint, suspended, resumed and removed."""

from __future__ import annotations

from pathlib import Path

from comity.record.bundle import spoken
from tests.support.command_line import Run

CA = "ca.aisi.example"


def test_peer_is_pinned_only_after_its_fingerprint_was_confirmed(uk: Run, fingerprint: str) -> None:
    for answer in ("n\n", ""):
        ended = uk("peers", "add", "ca.json", answer=answer)
        assert ended.code == 1
        assert "nothing was changed" in ended.err
    assert uk("peers", "list", "--json").json == []
    ended = uk("peers", "add", "ca.json", answer="y\n")
    assert ended.code == 0
    for shown in (spoken(fingerprint), f"Institute {CA}", "127.0.0.1:7001"):
        assert shown in ended.err
    assert uk("peers", "list", "--json").json[0]["institute"] == CA


def test_peer_is_pinned_by_the_fingerprint_as_it_was_read_aloud(uk: Run, fingerprint: str) -> None:
    ended = uk("peers", "add", "ca.json", "--fingerprint", "0" * 64)
    assert ended.code == 1
    assert "expected fingerprint 0000 0000" in ended.err
    told = spoken(fingerprint).upper()
    peer = uk("peers", "add", "ca.json", "--fingerprint", told, "--json").json
    assert (peer["fingerprint"], peer["status"]) == (fingerprint, "member")


def test_replaced_bundle_shows_the_old_fingerprint_and_keeps_the_terms(
    uk: Run, fingerprint: str
) -> None:
    uk("peers", "add", "ca.json", "--yes", "--status", "probation", "--purpose", "research")
    settings = Path("ca/comity.toml")
    settings.write_text(settings.read_text().replace("7001", "7002"))
    Path("new.json").write_text(uk("--home", "ca", "bundle").out)
    ended = uk("peers", "add", "new.json", "--json", answer="y\n")
    assert f"replaces     {spoken(fingerprint)}" in ended.err
    peer = ended.json
    assert peer["address"] == "127.0.0.1:7002"
    assert (peer["status"], peer["purposes"]) == ("probation", ["research"])


def test_institute_cannot_be_its_own_peer(uk: Run) -> None:
    Path("uk.json").write_text(uk("bundle").out)
    ended = uk("peers", "add", "uk.json", "--yes")
    assert ended.code == 1
    assert "this institute itself" in ended.err


def test_file_that_is_no_bundle_is_named(uk: Run) -> None:
    Path("bad.json").write_text("{}")
    ended = uk("peers", "add", "bad.json", "--yes")
    assert ended.code == 1
    assert "bad.json: institute" in ended.err


def test_peer_is_suspended_resumed_and_removed(uk: Run) -> None:
    uk("peers", "add", "ca.json", "--yes")
    assert uk("peers", "suspend", CA, "--json").json["status"] == "suspended"
    assert (
        uk("peers", "resume", CA, "--status", "probation", "--json").json["status"] == "probation"
    )
    assert uk("peers", "resume", CA, "--json").json["status"] == "member"
    assert uk("peers", "resume", CA, "--status", "removed").code == 1
    assert uk("peers", "remove", CA).code == 0
    assert uk("peers", "list", "--json").json == []
    ended = uk("peers", "resume", CA)
    assert ended.code == 1
    assert "peers add" in ended.err
    assert uk("peers", "show", CA, "--json").json["status"] == "removed"
    assert "comity-node peers list" in uk("peers", "show", "fr.aisi.example").err


def test_peer_list_stays_whole_in_a_pipe(uk: Run) -> None:
    uk("peers", "add", "ca.json", "--yes")
    row = uk("peers", "list").out.splitlines()[1]
    assert row.split() == [CA, "member", "127.0.0.1:7001", "0/0", "0", "0", "0", "0/0", "never"]
