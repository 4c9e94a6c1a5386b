"""The tools: where they are, which version, and what each says of one thing that it is shown.

Invariants: a tool that is missing is an error, never a check left out; no tool can reach a network
(a proxy that does not exist stands before it); a rejection counts only with the reason expected,
so that a mistyped argument is never taken for one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from comity.client.terminal import out
from comity.record.errors import BadConfig

HERE: Final = Path(__file__).parent
BIN: Final = HERE.parent / ".interop" / "bin"
MODULES: Final = HERE / "node_modules"

_NOWHERE: Final = "http://127.0.0.1:9"
_SECONDS: Final = 300
_ARGUMENT = str | Path


@dataclass(frozen=True)
class Tool:
    """A command, and how it is called in the report."""

    name: str
    version: str
    command: tuple[_ARGUMENT, ...]


@dataclass
class Report:
    """One line a check; ``surprises`` counts those that did not go as expected."""

    home: Path
    checks: int = 0
    surprises: int = 0

    def heading(self, text: str) -> None:
        """Print what the checks after it are about."""
        out.print(f"\n{text}", soft_wrap=True)

    def accepts(self, tool: Tool, what: str, *arguments: _ARGUMENT) -> None:
        """Check that a tool accepts what the arguments name."""
        code, said = self._run(tool, arguments)
        self.note(tool, what, "accepted", "" if code == 0 else f"rejected: {said}")

    def rejects(self, tool: Tool, what: str, because: str, *arguments: _ARGUMENT) -> None:
        """Check that a tool rejects it, and says ``because``."""
        code, said = self._run(tool, arguments)
        surprise = "accepted" if code == 0 else f"rejected for another reason: {said}"
        self.note(tool, what, f"rejected ({because})", "" if code and because in said else surprise)

    def note(self, tool: Tool, what: str, expected: str, surprise: str = "") -> None:
        """Print the line of a check: as expected, or what came instead."""
        self.checks += 1
        self.surprises += bool(surprise)
        label = f"{tool.name} {tool.version}"
        line = f"  {label:<29} {what:<44} {surprise or expected}"
        out.print(f"{line} UNEXPECTED" if surprise else line, soft_wrap=True)

    def _run(self, tool: Tool, arguments: tuple[_ARGUMENT, ...]) -> tuple[int, str]:
        environment = {
            "PATH": os.pathsep.join(
                [str(BIN), str(Path(sys.executable).parent), os.environ["PATH"]]
            ),
            "HOME": str(self.home),
            "NODE_NO_WARNINGS": "1",
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
        }
        done = subprocess.run(  # noqa: S603
            [*tool.command, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())[-600:]


def built(name: str, module: str, *first: str, label: str = "") -> Tool:
    """Return a Go program, with the version of the module that matters in it."""
    path = BIN / name
    if not path.exists():
        raise BadConfig("is not there", field=str(path), hint="run: make interop")
    lines = output("go", "version", "-m", path).splitlines()
    versions = {words[1]: words[2] for line in lines if len(words := line.split()) > 2}
    return Tool(label or name, versions[module].removeprefix("v"), (path, *first))


def node(package: str, script: str) -> Tool:
    """Return a script of ours around an npm package."""
    manifest = MODULES / package / "package.json"
    if not manifest.exists():
        raise BadConfig("is not there", field=str(manifest), hint="run: make interop")
    version = json.loads(manifest.read_text())["version"]
    return Tool(package, version, (system("node"), HERE / script))


def system(name: str) -> str:
    """Return the path of a program of this machine.

    Raises:
        BadConfig: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise BadConfig("is not installed", field=name, hint="CONTRIBUTING.md lists the tools")
    return path


def output(name: str, *arguments: _ARGUMENT) -> str:
    """Return what a program of this machine prints."""
    return subprocess.run(  # noqa: S603
        [system(name), *arguments], capture_output=True, text=True, check=True
    ).stdout
