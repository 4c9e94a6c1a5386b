"""Addresses of nodes, and identities: each has one strict form."""

from __future__ import annotations

import pytest

from comity.record.address import dial_target, parse_address
from comity.record.errors import InvalidInput
from comity.record.spiffe import SpiffeId


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("comity.aisi.example:7000", "comity.aisi.example", 7000),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:65535", "[::1]", 65535),
        ("node-1:7000", "node-1", 7000),
    ],
)
def test_host_and_port_are_read(text: str, host: str, port: int) -> None:
    assert parse_address(text, least_port=1) == (host, port)


@pytest.mark.parametrize(
    "text",
    [
        *("comity.example", "comity.example:", ":7000", "comity.example:0", "comity.example:99999"),
        *("comity.example:07000", "https://comity.example:7000", "unix:/run/comity", "a:b:7000"),
        *("-a.example:7000", "a..example:7000", "1.2.3:7000", "[1.2.3:7000", "[zz]:7000", "a b:1"),
        *("comity.example:7000/", " comity.example:7000", "comity.example:7000\n"),
    ],
)
def test_what_nobody_can_dial_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="expected host:port"):
        parse_address(text, least_port=1)


def test_a_host_that_is_named_like_a_scheme_is_dialled_as_a_host() -> None:
    assert parse_address("unix:7000") == ("unix", 7000)
    assert dial_target("unix:7000") == "dns:///unix:7000"


@pytest.mark.parametrize(
    "uri",
    [
        "spiffe://uk.aisi.example/node/",
        "spiffe://uk.aisi.example//node",
        "spiffe://uk.aisi.example/analyst/ada/",
        "spiffe://uk.aisi.example/analyst//ada",
        "spiffe://uk.aisi.example:443/node",
        "spiffe://uk.aisi.example/node?x",
        "spiffe://uk.aisi.example/node#x",
        "spiffe://uk.aisi.example/%6eode",
        "SPIFFE://uk.aisi.example/node",
        "spiffe://UK.aisi.example/node",
        "spiffe://eve@uk.aisi.example/node",
        "spiffe://uk.aisi.example/../node",
        "spiffe://uk.aisi.example/node\n",
    ],
)
def test_an_identity_has_one_spelling(uri: str) -> None:
    with pytest.raises(InvalidInput):
        SpiffeId.parse(uri)
