"""``policy simulate``: what policies would do to a network, before they are in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import Progress

from comity.client.command_line import JsonOption
from comity.client.files import naming, read_file, write_file
from comity.client.terminal import err, print_json, print_text, text
from comity.node.commands.options import open_node
from comity.node.commands.policy.simulation_output import print_outcome
from comity.node.policy.network_scenario import network_scenario
from comity.node.policy.versions import policy_in_force
from comity.policies.evaluator import Policy
from comity.policies.preset import preset_names
from comity.policies.simulation.library import (
    load_policies,
    load_policy,
    load_scenario,
    scenario_folder,
    scenario_names,
    scenario_summary,
)
from comity.policies.simulation.network import Network
from comity.policies.simulation.picture import draw
from comity.policies.simulation.report import SimulationOutcome, report
from comity.policies.simulation.scenario import Scenario
from comity.policies.simulation.scenario_file import MAX_SCENARIO_BYTES, parse_scenario
from comity.record.errors import BadConfig, InvalidInput

PICTURE_SUFFIX: Final = ".svg"

PEER_POLICY: Final = "balanced"

IN_FORCE: Final = "(in force)"
"""Name of the policy in force, beside those of presets and files."""

MADE_UP: Final = "Each record is taken to be about a subject of its own and to have substance."

NOT_KNOWN: Final = (
    "What peers hold and did not give is not known here, nor what passes between them: "
    "of {} neither coverage nor what it lacks is told."
)

ScenarioName = Annotated[
    str | None,
    typer.Argument(metavar="SCENARIO", help="A scenario file (TOML), or one that --list names."),
]
Wanted = Annotated[bool, typer.Option("--list", help="List the scenarios that come with Comity.")]
Real = Annotated[
    bool,
    typer.Option(
        "--network",
        help="Play this institute and its peers, with the records that the node holds. "
        "What passes between peers, and what they hold and did not give, is not known here and not "
        "played.",
    ),
]
OwnPolicy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="FILE|PRESET",
        help="With --network: this institute's policy; by default the one in force.",
    ),
]
PeerPolicy = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|PRESET",
        help=f"With --network: the peers' policy, by default {PEER_POLICY}. "
        f"Presets are {', '.join(preset_names())}.",
    ),
]
Picture = Annotated[
    Path | None,
    typer.Option(metavar="FILE.svg", help="Draw coverage over time and who gave whom."),
]


@dataclass(frozen=True, slots=True)
class _Play:
    scenario: Scenario
    policies: Mapping[str, Policy]
    note: str
    summary: str = ""
    incomplete: frozenset[str] = frozenset()


def comity_node_policy_simulate(
    context: typer.Context,
    scenario: ScenarioName = None,
    wanted: Wanted = False,
    network: Real = False,
    policy: OwnPolicy = None,
    peer_policy: PeerPolicy = None,
    picture: Picture = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate a network of institutes under policies.

    The simulation runs the real evaluator day by day and changes nothing. It shows what each
    institute gives, gets and lacks, which institutes ride free (give less than a quarter of what
    they get or lack) or are starved (lack more than half of that), and which wait for each other.

    Examples:
        comity-node policy simulate --list
        comity-node policy simulate like-for-like-deadlock
        comity-node policy simulate plans.toml --picture plans.svg --json
        comity-node policy simulate --network --policy stricter.cedar --peer-policy balanced
    """
    if wanted:
        _list(as_json)
        return
    if network == (scenario is not None):
        raise InvalidInput("expected either a scenario or --network", field="SCENARIO")
    # refused and not ignored: the scenario would be played under policies of its own
    for option, value in (("--policy", policy), ("--peer-policy", peer_policy)):
        if value is not None and not network:
            hint = "a scenario names the policy of each institute itself"
            raise InvalidInput(
                "expected --network beside it, got a scenario", field=option, hint=hint
            )
    if picture is not None:
        _check_picture(picture)
    peers = peer_policy or PEER_POLICY
    play = _real(context, policy, peers) if network else _made_up(scenario or "")
    outcome = _played(play)
    if picture is not None:
        write_file(picture, draw(outcome).encode())

    if as_json:
        print_json(outcome.to_value())
    else:
        if play.summary:
            print_text(text(play.summary))
        print_outcome(outcome, play.note)


def _check_picture(file: Path) -> None:
    """Refuse, before anything is played, a file that could not be written in the end."""
    if file.suffix.lower() != PICTURE_SUFFIX:
        message = f"expected a name that ends in {PICTURE_SUFFIX}, got {file.name!r:.80}"
        raise InvalidInput(message, field="--picture")
    try:
        exists, has_folder = file.exists(), file.parent.is_dir()
    except OSError as error:
        raise BadConfig(f"cannot be written: {error.strerror}", field=str(file)) from error
    if exists:
        raise BadConfig("exists already and is not overwritten", field=str(file))
    if not has_folder:
        raise BadConfig("expected a folder that exists, got none", field=str(file))


def _made_up(name: str) -> _Play:
    if name in scenario_names():
        scenario, folder = parse_scenario(load_scenario(name)), scenario_folder()
        policies = load_policies(scenario, folder)
        return _Play(scenario, policies, MADE_UP, scenario_summary(name))
    file = Path(name)
    # a bare word is a misspelt scenario rather than a file: this names those there are
    if not file.suffix and not _is_file(file):
        load_scenario(name)
    data = read_file(file, MAX_SCENARIO_BYTES)
    with naming(file):
        scenario = parse_scenario(_decode(data))
        return _Play(scenario, load_policies(scenario, file.parent), MADE_UP)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # too long for a name
        return False


def _real(context: typer.Context, policy: str | None, peer_policy: str) -> _Play:
    here: Traversable = Path()
    # files are read first: a fault in one is told without a database
    policies = {name: load_policy(name, here) for name in (policy, peer_policy) if name}
    with open_node(context) as node, node.store.read() as session:
        now, name = node.clock(), policy or IN_FORCE
        policies[name] = policies[policy] if policy else policy_in_force(session).policy
        shape = network_scenario(session, node.institute, name, peer_policy, now)
    if len(shape.institute) < 2:
        hint = "comity-node peers add, or play a scenario instead"
        raise InvalidInput("expected a peer, got none", field="--network", hint=hint)
    # the node knows what peers gave, not what they hold back: its own coverage stays open
    note = NOT_KNOWN.format(shape.institute[0].id)
    return _Play(shape, policies, note, incomplete=frozenset({shape.institute[0].id}))


def _played(play: _Play) -> SimulationOutcome:
    network = Network(play.scenario, play.policies)
    # on stderr, and only on a terminal: stdout has the outcome alone
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Playing days", total=play.scenario.days)
        network.play(lambda day: progress.update(task, completed=day))
    return report(network, play.incomplete)


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        message = f"expected UTF-8, got byte 0x{data[error.start]:02x} at offset {error.start}"
        raise InvalidInput(message) from error


# --- what is printed -----------------------------------------------------------------------------


def _list(as_json: bool) -> None:
    found = {name: scenario_summary(name) for name in scenario_names()}
    if as_json:
        print_json([{"name": name, "summary": summary} for name, summary in found.items()])
        return
    for name, summary in found.items():
        print_text(text(name, "bold"))
        print_text(text(summary))
