"""Scenarios that are shipped, and the policies that a scenario names.

``scenarios/*.toml``, each with a comment on top that says what it shows; its policies are presets
or Cedar files beside it.
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
    """Return the shipped scenarios' names, in alphabetical order."""
    files = scenario_folder().iterdir()
    return sorted(file.name.removesuffix(SUFFIX) for file in files if file.name.endswith(SUFFIX))


def scenario_folder() -> Traversable:
    """Return the folder of the shipped scenarios, which holds their policies too."""
    return resources.files("comity.policies").joinpath("scenarios")


def load_scenario(name: str) -> str:
    """Return the text of a shipped scenario.

    Raises:
        NotFound: none of that name; names those that there are.
    """
    if name not in scenario_names():
        known = ", ".join(scenario_names())
        raise NotFound(f"expected a file, or one of {known}; got {name!r:.80}", field="SCENARIO")
    return scenario_folder().joinpath(name + SUFFIX).read_text(encoding="utf-8")


def scenario_summary(name: str) -> str:
    """Return the comment on top of a shipped scenario, its first paragraph, on one line."""
    lines = load_scenario(name).splitlines()
    comment = (line.removeprefix("#").strip() for line in lines)
    return " ".join(takewhile(bool, comment))


def load_policies(scenario: Scenario, folder: Traversable) -> dict[str, Policy]:
    """Return the policies that the institutes of a scenario name, by that name.

    A name that is no preset's is a path from ``folder``.

    Raises:
        InvalidInput: neither a preset nor a file that can be read.
        LimitExceeded, BadPolicy: see ``Policy.parse``; names the policy.
    """
    names = {one.policy for one in scenario.institutes()}
    return {name: load_policy(name, folder) for name in sorted(names)}


def load_policy(name: str, folder: Traversable) -> Policy:
    """Return a preset, or the policy in a Cedar file whose path from ``folder`` is ``name``.

    Raises:
        InvalidInput: neither a preset nor a file that can be read.
        LimitExceeded, BadPolicy: see ``Policy.parse``; names the file.
    """
    if name in preset_names():
        return Policy.parse(load_preset(name))
    try:
        with folder.joinpath(name).open("rb") as file:
            data = file.read(MAX_POLICY_BYTES + 1)
    except (OSError, ValueError) as error:
        # no name of a file holds U+0000, which is a ValueError
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
