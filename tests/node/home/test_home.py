"""A node's home: what init makes, what it refuses, what settings say."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from comity.client.connection.profile import Profile
from comity.node.home.folder import Home
from comity.node.home.new_home import create_home
from comity.node.home.settings import Settings
from comity.record.bundle import TrustBundle
from comity.record.errors import BadConfig, InvalidInput
from comity.record.note import LOG_KEY, Verifier
from comity.record.spiffe import Role

UK = "uk.aisi.example"


def make_home(path: Path, **changes: str) -> Home:
    values = {"institute": UK, "address": "comity.aisi.example:7000"} | changes
    return create_home(
        path, names={"en": "AI Security Institute", "fr": 'Institut "R.-U."'}, **values
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "uk")


def edit(home: Home, old: str, new: str) -> None:
    file = home.path / "comity.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_home_keeps_folders_and_keys_from_others(home: Home) -> None:
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert (home.path / "keys").stat().st_mode & 0o777 == 0o700
    keys = sorted((home.path / "keys").iterdir())
    assert [k.name for k in keys] == ["ca.key", "log.key", "node.pem", "record.key", "witness.key"]
    assert {k.stat().st_mode & 0o777 for k in keys} == {0o600}
    assert len({k.read_bytes() for k in keys}) == 5


def test_home_is_never_made_over_another(home: Home) -> None:
    before = {p: p.read_bytes() for p in home.path.rglob("*") if p.is_file()}
    with pytest.raises(BadConfig, match="not overwritten") as caught:
        make_home(home.path)
    assert "--home" in caught.value.hint
    assert {p: p.read_bytes() for p in home.path.rglob("*") if p.is_file()} == before


def test_home_is_made_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "uk").mkdir()
    assert make_home(tmp_path / "uk").institute == UK


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"institute": "UK"}, "institute"),
        ({"address": "comity.aisi.example"}, "address"),
        ({"address": "comity.aisi.example:70000"}, "address"),
        ({"listen": "everywhere"}, "listen"),
        ({"database": "mysql://db/comity"}, "database"),
    ],
)
def test_failed_init_names_the_setting_and_leaves_nothing_behind(
    tmp_path: Path, changes: dict[str, str], field: str
) -> None:
    with pytest.raises(BadConfig, match="expected") as caught:
        make_home(tmp_path / "uk", **changes)
    assert caught.value.field == f"{tmp_path}/uk/comity.toml: {field}"
    assert not list(tmp_path.iterdir())


def test_init_under_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadConfig, match="cannot be made"):
        make_home(tmp_path / "file" / "uk")


def test_settings_read_back_what_init_wrote(home: Home) -> None:
    settings = home.settings
    assert settings.names == {"en": "AI Security Institute", "fr": 'Institut "R.-U."'}
    assert (settings.address, settings.listen) == ("comity.aisi.example:7000", "0.0.0.0:7000")
    assert settings.database_url == f"sqlite:///{home.path}/comity.db"
    assert settings.replication.heartbeat_seconds == 10


def test_missing_home_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no Comity home") as caught:
        _ = Home(tmp_path).settings
    assert "comity-node init" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('listen = "0', 'lisen = "0', "lisen: unknown key; expected one of institute, names, addr"),
        ("heartbeat_seconds =", "heartbeat =", "heartbeat: unknown key; expected one of heartbeat"),
        ("heartbeat_seconds = 10", 'heartbeat_seconds = "10"', "heartbeat_seconds: .*integer"),
        ("heartbeat_seconds = 10", "heartbeat_seconds = 0", "heartbeat_seconds: .*1, got 0"),
        ("heartbeat_seconds = 10", "heartbeat_seconds = 301", "heartbeat_seconds: .*300, got 301"),
        ("retry_max_seconds = 60", "retry_max_seconds = 0", "retry_max_seconds"),
        ("retry_min_seconds = 1", "retry_min_seconds = 99", "retry_max_seconds of at least 99"),
        ("address =", "address", "expected TOML: .*line 8"),
        ('address = "comity.aisi.example:7000"', "", "address: required"),
    ],
)
def test_bad_setting_is_named(home: Home, old: str, new: str, message: str) -> None:
    edit(home, old, new)
    with pytest.raises(BadConfig, match=message):
        Settings.load(home.path)


def test_settings_nested_without_end_are_refused_by_file(home: Home) -> None:
    file = home.path / "comity.toml"
    with file.open("a") as settings:
        settings.write("[alarms]\nx = " + "[" * 100_000)
    with pytest.raises(BadConfig, match=r"comity\.toml"):
        Settings.load(home.path)


def test_database_password_is_never_shown(tmp_path: Path) -> None:
    url = "postgresql+psycopg://comity:hunter2@db/comity"
    home = make_home(tmp_path / "uk", database=url)
    assert home.settings.database_url == url
    assert "hunter2" not in repr(home.settings)
    assert "hunter2" not in str(home.settings)
    edit(home, "postgresql+psycopg", "postgres")
    with pytest.raises(BadConfig) as caught:
        Settings.load(home.path)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_database_password_in_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    home = make_home(tmp_path / "uk", database="postgresql+psycopg://comity:hunter2@db/comity")
    (home.path / "comity.toml").chmod(0o644)
    with pytest.raises(BadConfig, match="expected mode 0600"):
        Settings.load(home.path)


def test_bundle_is_the_same_each_time_and_survives_its_json(home: Home) -> None:
    bundle = home.bundle()
    assert Home(home.path).bundle().fingerprint == bundle.fingerprint
    assert TrustBundle.from_json(bundle.to_json()) == bundle


def test_bundle_names_every_public_key_once(home: Home) -> None:
    bundle = home.bundle()
    assert list(bundle.keys_by_id) == [home.record_key().key.keyid]
    [log], [witness] = home.keychain().log, home.keychain().witness
    public = log.private.public_key().public_bytes_raw()
    assert bundle.log_keys == (str(Verifier(f"log.{UK}", LOG_KEY, public)),)
    assert bundle.witness_keys[0].startswith(f"witness.{UK}+")
    assert witness.verifier.public != log.verifier.public


def test_key_that_others_may_read_is_refused(home: Home) -> None:
    (home.path / "keys" / "log.key").chmod(0o640)
    with pytest.raises(BadConfig, match=r"log\.key: expected mode 0600, got 0640"):
        home.keychain()


def test_key_of_another_kind_is_refused(home: Home) -> None:
    keys = home.path / "keys"
    (keys / "log.key").write_bytes((keys / "record.key").read_bytes())
    with pytest.raises(BadConfig, match="expected an Ed25519 key"):
        home.keychain()


def test_certificates_satisfy_openssl_for_their_purpose(home: Home, tmp_path: Path) -> None:
    authority = home.path / "certificates" / "ca.pem"
    person = tmp_path / "ada.pem"
    person.write_text(home.grant(Role.ANALYST, "ada").certificate)
    node = home.path / "keys" / "node.pem"

    def verify(purpose: str, leaf: Path) -> bool:
        command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile"]
        return subprocess.run([*command, authority, leaf], capture_output=True).returncode == 0

    assert verify("sslserver", node)
    assert verify("sslclient", node)
    assert verify("sslclient", person)
    assert not verify("sslserver", person)


def test_grant_gives_a_person_a_profile_for_a_year(home: Home, tmp_path: Path) -> None:
    profile = home.grant(Role.AUDITOR, "grace")
    assert str(profile.identity) == f"spiffe://{UK}/auditor/grace"
    assert profile.bundle == home.bundle()
    assert timedelta(364) < profile.expiry - datetime.now(UTC) < timedelta(366)
    profile.save(tmp_path / "grace.json")
    assert Profile.load(tmp_path / "grace.json") == profile


@pytest.mark.parametrize(
    ("role", "name"), [(Role.NODE, ""), (Role.ANALYST, ""), (Role.ANALYST, "a/b")]
)
def test_grant_is_for_people_with_names(home: Home, role: Role, name: str) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        home.grant(role, name)


def test_authority_signs_for_its_own_institute_only(home: Home, tmp_path: Path) -> None:
    other = make_home(tmp_path / "ca", institute="ca.aisi.example")
    with pytest.raises(InvalidInput, match=f"expected an identity of {UK}"):
        home.authority.issue(other.node_id)


def test_authority_with_another_key_is_refused(home: Home) -> None:
    keys = home.path / "keys"
    (keys / "ca.key").write_bytes((keys / "node.pem").read_bytes())
    with pytest.raises(BadConfig, match="got another"):
        _ = home.authority
