"""The text of a new ``comity.toml``: every setting with its default and an explanation.

Invariant: the text is TOML for any values; ``settings`` decides whether they are valid.
"""

from __future__ import annotations

import json
from typing import Final

_TEMPLATE: Final = """\
# Settings of a Comity node. An unknown key is an error.

# Institute id: the SPIFFE trust domain of this institute. It cannot change later.
institute = {institute}

# Where peers and people reach this node, host:port. It stands in the trust bundle: a change needs
# comity-node root next, or without a root a new exchange of bundles.
address = {address}

# What the node binds, host:port.
listen = {listen}

# SQLAlchemy URL: a SQLite file (relative to this folder), or postgresql+psycopg://user@host/name.
# A password is better kept in ~/.pgpass or PGPASSWORD than here.
database = {database}

# Names of the institute by BCP 47 language tag.
[names]
{names}

[replication]
# Seconds between heartbeats on a stream with nothing to send, 1 to 300.
heartbeat_seconds = 10
# Seconds before a lost peer is called again: doubles from the least to the most.
retry_min_seconds = 1
retry_max_seconds = 60
# The quota of each peer: records and bytes taken from it on a day, UTC. The batch that reaches it
# is the last one taken that day; the rest follows the next day.
peer_records_per_day = 250000
peer_bytes_per_day = 17179869184

[log]
# Seconds after which the log's newest records are in a signed checkpoint, at the latest.
checkpoint_seconds = 1
# host:port of an HTTP port that shows the log as static tiles, cosigns, and has /metrics; empty
# for none. It speaks plain HTTP: put a proxy with TLS before it.
listen = ""

[standing]
# Days for which what was received and given counts as recent.
window_days = 365

# What a record of a kind, received from a peer, is worth towards every other kind. A kind that is
# not named earns only its own kind.
[standing.weights]
# evaluation = 1

# How a new alarm reaches people: a command, which reads the alarm as JSON on its standard input, or
# a webhook, to which the same JSON is posted. comity-node alarms test tries it.
[alarms]
# command = ["/usr/local/bin/page-operator", "--urgent"]
# webhook = "https://oncall.example/comity"
"""


def settings_text(
    *, institute: str, names: dict[str, str], address: str, listen: str, database: str
) -> str:
    """Return the text of ``comity.toml``; ``names`` are by BCP 47 language tag."""
    return _TEMPLATE.format(
        institute=_quote(institute),
        address=_quote(address),
        listen=_quote(listen),
        database=_quote(database),
        names="\n".join(f"{_quote(tag)} = {_quote(name)}" for tag, name in names.items()),
    )


def _quote(text: str) -> str:
    # a JSON string is a TOML string, except for DEL (TOML 1.0, "String")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
