"""Nodes that are not what they should be, and what they may not make a client believe."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from comity.client import Profile, connect
from comity.record.bundle import SpiffeBundle
from comity.record.envelope import Envelope
from comity.record.errors import (
    BadBundle,
    BadConfig,
    BadSignature,
    ComityError,
    NotFound,
    Unavailable,
    UnknownKey,
)
from comity.record.keys import SigningKey
from comity.record.record import Record
from comity.record.spiffe import Role, SpiffeId
from tests.support.drafts import card
from tests.support.fake_node import ADA, FakeInstitute, FakeNode, faked
from tests.support.network import run

UK, CA = "uk.aisi.example", "ca.aisi.example"

UK_NODE, CA_NODE = SpiffeId(UK, Role.NODE), SpiffeId(CA, Role.NODE)


def test_a_forged_record_raises_and_is_not_skipped() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        good = card().sign(UK_NODE, uk.key)
        other = card().sign(UK_NODE, uk.key).envelope
        keyid, signature = good.envelope.keyid, good.envelope.signature
        forged = Record(Envelope(other.payload_type, other.payload, keyid, signature))
        fake = FakeNode(good, forged, good)
        async with faked(uk, fake) as address, connect(uk.profile(address)) as node:
            found = node.search()
            assert (await anext(found)).record_id == good.record_id
            with pytest.raises(BadSignature):
                await anext(found)

    run(scenario())


def test_a_record_other_than_the_one_asked_for_is_refused() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        asked, answered = card().sign(UK_NODE, uk.key), card().sign(UK_NODE, uk.key)
        async with (
            faked(uk, FakeNode(answered)) as address,
            connect(uk.profile(address)) as node,
        ):
            with pytest.raises(NotFound, match=asked.record_id):
                await node.get(asked.record_id)

    run(scenario())


def test_a_record_of_an_institute_without_a_bundle_is_refused() -> None:
    async def scenario() -> None:
        uk, ca = FakeInstitute(UK), FakeInstitute(CA)
        fake = FakeNode(card().sign(CA_NODE, ca.key))
        async with faked(uk, fake) as address, connect(uk.profile(address)) as node:
            with pytest.raises(UnknownKey):
                await node.search_page()

    run(scenario())


def test_a_peer_that_was_pinned_meanwhile_is_believed() -> None:
    async def scenario() -> None:
        uk, ca = FakeInstitute(UK), FakeInstitute(CA)
        record = card().sign(CA_NODE, ca.key)
        fake = FakeNode(record)
        async with faked(uk, fake) as address:
            own = uk.bundle(address)
            fake.bundles = [[own], [own, ca.bundle()]]
            async with connect(uk.profile(address)) as node:
                page = await node.search_page()
                assert [result.record_id for result in page.results] == [record.record_id]

    run(scenario())


def test_a_node_with_other_keys_than_the_pinned_ones_is_refused() -> None:
    async def scenario() -> None:
        uk, fake = FakeInstitute(UK), FakeNode()
        async with faked(uk, fake) as address:
            profile = uk.profile(address)
            uk.key = SigningKey.generate()
            fake.bundles = [[uk.bundle(address)]]
            with pytest.raises(BadBundle) as caught:
                async with connect(profile):
                    pass
            assert caught.value.field == "recordKeys"

    run(scenario())


def test_a_server_certified_by_another_institutes_ca_is_not_spoken_to() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        impostor = FakeInstitute(UK)
        for by in (impostor, FakeInstitute(CA)):
            async with faked(uk, FakeNode(), by=by) as address:
                with pytest.raises(Unavailable, match="failed to connect") as caught:
                    async with connect(uk.profile(address)):
                        pass
                assert "certified by an authority that is not known here" in caught.value.hint

    run(scenario())


def test_a_persons_certificate_cannot_serve_as_the_node() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        async with faked(uk, FakeNode(), role=ADA) as address:
            with pytest.raises(Unavailable, match="failed to connect"):
                async with connect(uk.profile(address)):
                    pass

    run(scenario())


def test_an_expired_profile_is_told_before_anyone_is_called() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        then = datetime.now(UTC) - timedelta(days=2)
        profile = uk.profile("127.0.0.1:1", now=then, lifetime=timedelta(days=1))
        with pytest.raises(BadConfig) as caught:
            async with connect(profile):
                pass
        assert "comity-node grant" in caught.value.hint

    run(scenario())


def test_an_institute_without_authorities_cannot_be_dialled() -> None:
    async def scenario() -> None:
        uk = FakeInstitute(UK)
        profile = uk.profile("127.0.0.1:1")
        revoked = profile.bundle.model_copy(update={"spiffe": SpiffeBundle(keys=())})
        with pytest.raises(ComityError, match="authority"):
            async with connect(Profile(ADA, revoked, profile.certificate, profile.private_key)):
                pass

    run(scenario())
