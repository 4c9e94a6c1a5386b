"""How the node is: what it holds, how things stand with its peers, and what needs attention."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import typer
from sqlmodel import Session

from comity.client.command_line import JsonOption
from comity.client.terminal import note, print_fields, print_json, warn
from comity.node.commands.options import open_node, warn_without_policy
from comity.node.commands.peers_output import in_words, peer_value, warn_of_peers
from comity.node.database.clock import to_datetime
from comity.node.database.tables import AlarmRow
from comity.node.home.node_certificate import CertificateLife, renewal_obstacle
from comity.node.home.serving import ServingProcess, serving_processes
from comity.node.log.head import log_head
from comity.node.node import Node
from comity.node.policy.versions import policy_title
from comity.node.server.health import ask_health
from comity.node.server.status import summarise_node
from comity.node.trust.pins import fingerprint_of
from comity.record.times import format_time

NOT_RUNNING: Final = 3
"""Exit code where no process serves the home, as LSB's ``status`` of a service that is down."""

NOT_READY: Final = 4
"""Exit code where a process serves the home but cannot answer: LSB's "status is unknown"."""

ROOT_WARNING: Final = timedelta(days=30)
"""Time before a root's end from which status warns of it: its holders have to meet."""


def comity_node_status(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the state of the node, and what needs attention.

    The page shows which process serves this home, records, log, policy and peers, and when the root
    and the certificate end. Alarms are printed on stderr, and so are warnings of a root or a
    certificate that ends soon.

    The exit code suits a probe: 0 if the node serves, 3 if no process serves this home, and 4 if
    one does but is not ready, since it starts, stops or does not reach its database.

    Examples:
        comity-node status
        comity-node status --json
        comity-node status > /dev/null 2>&1 && echo serving
    """
    with open_node(context) as node:
        serving = _serving(node)
        with node.store.read() as session:
            value = serving.value | _to_value(node, session)
            warn_without_policy(session)
        # on stderr also with --json, so that stdout stays one JSON value
        _warn_of_ends(node, to_datetime(node.clock()))
        if value["logHalted"]:
            message = f"the log is halted, and takes no records: {value['logHalted']}"
            warn(message, "comity-node log new begins a new log, once no newer backup is found")

    if as_json:
        print_json(value)
    else:
        _print(value)
    raise typer.Exit(serving.code)


def _print(value: dict[str, Any]) -> None:
    for alarm in value["alarms"]:
        told = f"{alarm['reason']}: {alarm['institute']}: {alarm['message']}"
        since = f"since {alarm['firstTime']}, {alarm['count']} times"
        note(f"alarm: {told} ({since})", "bold red")

    # an operator knows a policy by its name; --json has its digest too
    name, version = value.pop("policyName"), value.pop("policyVersion")
    value["policyDigest"] = policy_title(name, version) if version else "none"
    value = {"policy" if key == "policyDigest" else key: item for key, item in value.items()}

    # one line for each process, which says where it answers and why it does not
    value["serving"] = "; ".join(map(_in_words, value["serving"])) or "no process"

    warn_of_peers(value["peers"])
    # a person reads how many there are; their own commands list them
    value |= {name: len(value[name]) for name in ("peers", "alarms")}
    print_fields(in_words(value, "none"))


@dataclass(frozen=True, slots=True)
class _Serving:
    """The exit code, and the fields of status that say whether the home is served."""

    code: int
    value: dict[str, Any]


def _serving(node: Node) -> _Serving:
    processes = serving_processes(node.home.state)
    if not processes:
        return _Serving(NOT_RUNNING, {"state": "not running", "serving": []})

    # each is asked: a process may be there and yet answer nobody
    problems = [asyncio.run(ask_health(node.home, node.bundle, p.address)) for p in processes]
    told = [_process_value(p, why) for p, why in zip(processes, problems, strict=True)]
    ready = not any(problems)
    state = "serving" if ready else "not ready"
    return _Serving(0 if ready else NOT_READY, {"state": state, "serving": told})


def _process_value(process: ServingProcess, problem: str) -> dict[str, Any]:
    return {
        "process": process.process,
        "since": process.since,
        "address": process.address,
        "logAddress": process.log_address,
        "problem": problem,
    }


def _in_words(process: dict[str, Any]) -> str:
    problem = f", not ready: {process['problem']}" if process["problem"] else ""
    where = f"{process['address']} since {process['since']}"
    return f"process {process['process']} at {where}{problem}"


def _warn_of_ends(node: Node, now: datetime) -> None:
    root = node.own.root
    if root is not None and root.expires - now < ROOT_WARNING:
        message = f"the root ends at {format_time(root.expires)}; peers will call it stale"
        warn(message, "comity-node root next prepares the next version")

    # an institute may keep ca.key elsewhere on purpose; the certificate ends all the same
    problem = renewal_obstacle(node.home, now)
    if problem is not None:
        warn(f"the certificate cannot be renewed: {problem}", problem.hint)


def _to_value(node: Node, session: Session) -> dict[str, Any]:
    life = CertificateLife.of(node.home)
    root = node.own.root
    settings, counted = node.home.settings, summarise_node(session, node.institute)
    return {
        "institute": node.institute,
        "softwareVersion": counted.software_version,
        "home": str(node.home.path),
        "address": settings.address,
        # such a page gets into tickets and mails, so it shows no password
        "database": settings.database.render_as_string(hide_password=True),
        "fingerprint": fingerprint_of(root or node.bundle),
        "rootVersion": root.version if root else 0,
        "rootExpiry": format_time(root.expires) if root else "",
        "certificateExpiry": format_time(life.end),
        "certificateRenewal": format_time(life.due),
        "records": counted.records,
        "logSize": counted.log_size,
        "logHalted": log_head(session).halted,
        "policyName": counted.policy.name,
        "policyVersion": counted.policy.version,
        "policyDigest": counted.policy.policy.digest,
        "peers": [peer_value(peer) for peer in counted.peers],
        "alarms": [_alarm_value(alarm) for alarm in counted.alarms],
    }


def _alarm_value(alarm: AlarmRow) -> dict[str, Any]:
    return {
        "institute": alarm.institute,
        "reason": alarm.reason,
        "message": alarm.message,
        "firstTime": format_time(to_datetime(alarm.first_time)),
        "lastTime": format_time(to_datetime(alarm.last_time)),
        "count": alarm.count,
    }
