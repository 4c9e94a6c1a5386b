"""The node's certificate is renewed in time, and nobody who exchanges records notices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from structlog.testing import capture_logs

from comity.node.database.tables import PeerRow, RecordRow
from comity.node.home.certificate_authority import NODE_LIFETIME
from comity.node.home.folder import Home
from comity.node.home.node_certificate import (
    CertificateLife,
    renew_certificate,
    renew_if_due,
    renewal_obstacle,
)
from comity.node.server.background import pull
from comity.node.server.background.certificate_renewal import Renewal
from comity.policies.preset import load_preset
from comity.record.errors import BadConfig
from tests.support.drafts import card
from tests.support.institutes import HandClock
from tests.support.network import (
    Running,
    befriend,
    command,
    make_home,
    network,
    run,
    serving,
    until,
)
from tests.support.replication import publish_card, settled

UK, CA = "uk.aisi.example", "ca.aisi.example"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path, UK)


def issue(home: Home, lifetime: timedelta, age: timedelta = timedelta(0)) -> None:
    """Give the node a certificate of a certain length of life and age."""
    home.save_node_identity(home.authority.issue(home.node_id, lifetime, datetime.now(UTC) - age))


def in_two_thirds(home: Home) -> datetime:
    return CertificateLife.of(home).start + NODE_LIFETIME * 2 / 3 + timedelta(minutes=1)


async def arrives(record_id: str, at: Running) -> None:
    await until(lambda: at.rows(RecordRow, record_id=record_id), "the card")


def test_records_keep_flowing_while_certificates_of_both_sides_are_renewed_and_end(
    tmp_path: Path,
) -> None:
    async def scenario() -> None:
        # heartbeats of 10 s, so that a pause of a busy machine does not cut a stream
        homes = [make_home(tmp_path, name, heartbeat_seconds=10) for name in (UK, CA)]
        for home in homes:
            issue(home, timedelta(seconds=24), age=timedelta(seconds=4))
        first = [CertificateLife.of(home) for home in homes]
        with capture_logs() as logs:
            async with serving(homes[0]) as uk, serving(homes[1]) as ca:
                befriend(uk, ca)
                befriend(ca, uk)
                for one in (uk, ca):
                    one.node.set_policy(load_preset("open"))
                await arrives(publish_card(uk), ca)
                await arrives(publish_card(ca), uk)
                known = len(logs)  # before both sides were pinned, refusals are as they should be
                sent: list[str] = []
                while datetime.now(UTC) <= max(life.end for life in first):
                    sent.append(publish_card(uk))
                    await arrives(sent[-1], ca)
                await arrives(publish_card(ca), uk)
                assert len({row.record_id for row in ca.rows(RecordRow)}) == len(sent) + 3
                await until(lambda: settled(uk, CA) and settled(ca, UK), "all receipts")
                events = [line["event"] for line in logs]
                reasons = {line.get("reason") for line in logs[known:]}
        assert all(
            CertificateLife.of(home).end > life.end for home, life in zip(homes, first, strict=True)
        )
        assert events.count("certificate renewed") >= 2
        assert "dialling anew" in events
        assert not {"pull ended", "pull failed", "failed"}.intersection(events[known:])
        assert "UNAUTHENTICATED" not in reasons

    run(scenario())


def test_a_stream_is_dialled_anew_between_two_batches_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "MAX_STREAM_SECONDS", 0)  # after every single batch

    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            drafts = [card(sections={}) for _ in range(700)]
            records = uk.node.publish_all([uk.sign(draft) for draft in drafts])
            await until(lambda: settled(uk, CA), "all receipts")
            held = [row.record_id for row in ca.rows(RecordRow)]
            assert sorted(held) == sorted(record.record_id for record in records)
            assert ca.rows(PeerRow)[0].last_error == ""

    run(scenario())


def test_a_node_whose_certificate_has_ended_renews_it_at_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        issue(home, timedelta(days=1), age=timedelta(days=2))
        async with serving(home):
            assert CertificateLife.of(home).end > datetime.now(UTC) + timedelta(hours=23)

    run(scenario())


def test_a_node_whose_certificate_has_ended_does_not_start_without_the_ca(home: Home) -> None:
    async def scenario() -> None:
        issue(home, timedelta(days=1), age=timedelta(days=2))
        (home.keys / "ca.key").unlink()
        with pytest.raises(BadConfig, match=r"certificate ended at .*ca\.key.* not here") as caught:
            async with serving(home):
                pass
        assert "comity-node certificate renew --ca-key" in caught.value.hint

    run(scenario())


def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over(home: Home) -> None:
    now = datetime.now(UTC)
    old, old_key = home.node_identity()
    assert not renew_if_due(home, now + NODE_LIFETIME * 0.66)
    assert home.node_identity() == (old, old_key)
    assert renew_if_due(home, now + NODE_LIFETIME * 0.67)
    certificate, key = home.node_identity()
    assert key != old_key
    parsed = x509.load_pem_x509_certificate(certificate)
    assert load_pem_private_key(key, None).public_key() == parsed.public_key()
    assert parsed.not_valid_after_utc > now + NODE_LIFETIME * 1.66
    assert (home.keys / "node.pem").stat().st_mode & 0o777 == 0o600


def test_of_those_who_share_a_home_one_renews(home: Home) -> None:
    when = in_two_thirds(home)
    with ThreadPoolExecutor(8) as pool:
        homes = [Home(home.path) for _ in range(8)]
        assert sum(pool.map(lambda one: renew_if_due(one, when), homes)) == 1
    names = sorted(file.name for file in home.keys.iterdir() if not file.name.startswith(".lock"))
    assert names == ["ca.key", "log.key", "node.pem", "record.key", "witness.key"]


def test_a_renewal_that_cannot_be_written_leaves_the_old_certificate(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = home.node_identity()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BadConfig, match=r"node\.pem: cannot be written: No space left"):
        renew_certificate(home, datetime.now(UTC))
    assert home.node_identity() == before
    assert not [file for file in home.keys.iterdir() if file.name.startswith(".node.pem")]


def test_a_missing_ca_key_is_told_once_a_day_and_what_to_do(home: Home) -> None:
    (home.keys / "ca.key").unlink()
    clock = HandClock()
    keeper = Renewal(home, clock)
    with capture_logs() as logs:
        keeper.start()
        assert renewal_obstacle(home, clock.time) is None
        assert logs == []
        clock.turn(NODE_LIFETIME.total_seconds() * 0.7)
        for _ in range(6):
            keeper.start()
            clock.turn(8 * 3600)
    assert [line["event"] for line in logs] == ["certificate not renewed"] * 2
    assert logs[0]["log_level"] == "warning"
    assert "comity-node certificate renew --ca-key" in logs[0]["hint"]


def test_an_operator_renews_with_a_ca_key_that_is_kept_elsewhere(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with network(tmp_path, UK, CA) as (uk, ca):
            home = uk.node.home
            (home.keys / "ca.key").rename(tmp_path / "away.key")
            issued = CertificateLife.of(home).end
            code, out, _ = await command(uk, "status", "--json")
            assert code == 0
            # within the second third all is well
            assert '"certificateRenewal"' in out
            with capture_logs() as logs:
                key = str(tmp_path / "away.key")
                code, out, err = await command(uk, "certificate", "renew", "--ca-key", key)
                assert (code, err) == (0, "")
                assert out.startswith("valid until ")
                await until(lambda: "dialling anew" in str(logs), "the next connection")
                await arrives(publish_card(uk), ca)
                await arrives(publish_card(ca), uk)
            assert CertificateLife.of(home).end >= issued
            assert not (home.keys / "ca.key").exists()

    run(scenario())


def test_status_warns_of_a_certificate_that_cannot_be_renewed(tmp_path: Path) -> None:
    async def scenario() -> None:
        home = make_home(tmp_path, UK)
        issue(home, NODE_LIFETIME, age=NODE_LIFETIME * 0.8)
        (home.keys / "ca.key").unlink()
        async with serving(home) as uk:
            code, _, err = await command(uk, "status", "--json")
            assert code == 0
            assert "warning: the certificate cannot be renewed" in err
            assert "comity-node certificate renew --ca-key" in err

    run(scenario())


def test_a_ca_key_of_another_institute_is_refused(home: Home, tmp_path: Path) -> None:
    before = home.node_identity()
    other = make_home(tmp_path, CA)
    with pytest.raises(BadConfig, match="expected the key of the authority's certificate"):
        renew_certificate(home, datetime.now(UTC), other.keys / "ca.key")
    assert home.node_identity() == before


def test_a_damaged_certificate_is_named_and_can_be_renewed(home: Home) -> None:
    (home.keys / "node.pem").write_text("rubbish")
    with pytest.raises(BadConfig, match=r"node\.pem: expected a private key and its certificate"):
        renew_if_due(home, datetime.now(UTC))
    renew_certificate(home, datetime.now(UTC))
    assert CertificateLife.of(home).end > datetime.now(UTC) + timedelta(days=89)
