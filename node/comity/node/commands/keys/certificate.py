"""The node's certificate, where the node cannot renew it by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from comity.client.command_line import JsonOption
from comity.client.terminal import (
    print_json,
    say,
)
from comity.node.commands.options import open_home
from comity.node.home.node_certificate import CertificateLife, renew_certificate
from comity.record.times import format_time


def comity_node_certificate_renew(
    context: typer.Context,
    ca_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The CA's private key; keys/ca.key by default."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give the node a new key and a certificate for 90 days.

    With --ca-key, the command reads the key of a CA that is kept elsewhere, and does not copy it.
    A running node uses the new certificate from its next connection on.

    Examples:
        comity-node certificate renew
        comity-node certificate renew --ca-key /media/usb/ca.key
    """
    # the files of the home are enough, so this works while the database does not
    home = open_home(context)
    renew_certificate(home, datetime.now(UTC), ca_key)
    expiry = format_time(CertificateLife.of(home).end)
    if as_json:
        print_json({"certificateExpiry": expiry})
    else:
        say(f"valid until {expiry}")
