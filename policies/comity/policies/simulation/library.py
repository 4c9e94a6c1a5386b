"""Scenarios that come with Comity, and the policies that a scenario names.

Each file ``scenarios/*.toml`` begins with a comment that tells what it shows. The policies of a
scenario are presets, or Cedar files beside it.
"""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from itertools import takewhile
from typing import Final

from comity.policies.cedar.source import decode
from comity.policies.evaluator import Policy
from comity.policies.preset import load_preset, preset_names
from comity.policies.simulation.scenario import Scenario
from comity.record.errors import ComityError, InvalidInput, NotFound
from comity.record.limits import MAX_POLICY_BYTES

SUFFIX: Final = ".toml"


def scenario_names() -> list[str]:
    """Return the names of all scenarios that come with Comity, in alphabetical order."""
    files = scenario_folder().iterdir()
    return sorted(file.name.removesuffix(SUFFIX) for file in files if file.name.endswith(SUFFIX))


def scenario_folder() -> Traversable:
    """Return the folder of these scenarios, where paths of their policies begin."""
    return resources.files("comity.policies").joinpath("scenarios")


def load_scenario(name: str) -> str:
    """Return the text of a scenario that comes with Comity.

    Raises:
        NotFound: no scenario has that name; lists the names that exist.
    """
    if name not in scenario_names():
        known = ", ".join(scenario_names())
        raise NotFound(f"expected a file, or one of {known}; got {name!r:.80}", field="SCENARIO")
    return scenario_folder().joinpath(name + SUFFIX).read_text(encoding="utf-8")


def scenario_summary(name: str) -> str:
    """Return the first paragraph of the comment at the top of a scenario, on one line."""
    lines = load_scenario(name).splitlines()
    comment = (line.removeprefix("#").strip() for line in lines)
    return " ".join(takewhile(bool, comment))


def load_policies(scenario: Scenario, folder: Traversable) -> dict[str, Policy]:
    """Return the policies of all institutes of a scenario, by the name that the scenario gives.

    A name that is not that of a preset is a path from ``folder``.

    Raises:
        InvalidInput: a name is neither a preset nor a file that can be read.
        LimitExceeded, BadPolicy: see ``Policy.parse``; names the policy.
    """
    names = {one.policy for one in scenario.institutes()}
    return {name: load_policy(name, folder) for name in sorted(names)}


def load_policy(name: str, folder: Traversable) -> Policy:
    """Return a preset, or the policy in a Cedar file whose path from ``folder`` is ``name``.

    Raises:
        InvalidInput: the name is neither a preset nor a file that can be read.
        LimitExceeded, BadPolicy: see ``Policy.parse``; names the file.
    """
    if name in preset_names():
        return Policy.parse(load_preset(name))

    try:
        with folder.joinpath(name).open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
    except (OSError, ValueError) as error:
        # a path that holds U+0000 raises ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        known = ", ".join(preset_names())
        message = f"expected one of {known}, or a Cedar file; got {name!r:.80}: {reason}"
        raise InvalidInput(message, field="policy") from error
    try:
        return Policy.parse(decode(data))
    except ComityError as error:
        error.field = name
        error.args = (f"{name}: {error.message}",)
        raise
