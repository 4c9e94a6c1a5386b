"""comity-node run: a process that serves, alone on its home, and ends in order."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from comity.node.database.alarms import raise_alarm
from comity.node.home.folder import Home
from comity.node.node import Node
from tests.support.command_line import Run, init
from tests.support.network import PATIENCE_SECONDS, free_port


def knock(port: int) -> None:
    """Begin TLS without a certificate, and wait to be sent away."""
    anonymous = ssl.create_default_context()
    anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    anonymous.set_alpn_protocols(["h2"])
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as plain,
        anonymous.wrap_socket(plain) as secure,
    ):
        while secure.recv(1024):
            pass


def typed(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run comity-node in a process of its own until it ends."""
    command = [sys.executable, "-m", "comity.node", "--home", str(home), *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@contextlib.contextmanager
def served(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run comity-node until the context is left; it serves when this yields."""
    command = [sys.executable, "-m", "comity.node", "--home", str(home), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(json.loads(line)["event"] == "serving" for line in process.stderr)
        try:
            yield process
        finally:
            process.kill()


def test_run_serves_until_it_is_told_to_stop_and_logs_json(
    tmp_path: Path, comity_node: Run
) -> None:
    port = free_port()
    init(comity_node, port=port)
    command = [sys.executable, "-m", "comity.node", "--home", str(tmp_path / "uk"), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(json.loads(line)["event"])
            if seen[-1] == "serving":
                knock(port)
                process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert seen[-1] == "stopped"


def test_a_home_is_served_by_one_process_until_that_ends_however_it_ends(
    tmp_path: Path, comity_node: Run
) -> None:
    init(comity_node, port=free_port())
    with served(tmp_path / "uk") as first:
        settings = tmp_path / "uk" / "comity.toml"
        listen = f'listen = "127.0.0.1:{free_port()}"'
        text = re.sub('^listen = "[0-9].*"$', listen, settings.read_text(), flags=re.M)
        settings.write_text(text)
        for words in (("run",), ("recover", "--yes")):
            refused = typed(tmp_path / "uk", *words)
            assert refused.returncode == 1
            assert "another process serves this home\nhint: stop it first" in refused.stderr
        assert comity_node("status").code == 0
        first.kill()
        first.wait()
    with served(tmp_path / "uk"):
        assert listen in settings.read_text()


def test_what_commands_log_stays_out_of_their_json(tmp_path: Path, comity_node: Run) -> None:
    init(comity_node)
    node = Node(Home(tmp_path / "uk"))
    with node.store.write() as session:
        raise_alarm(session, "ca.aisi.example", "ROOT_REFUSED", "it skips a version", node.clock())
    node.close()
    done = typed(tmp_path / "uk", "alarms", "clear", "ca.aisi.example", "ROOT_REFUSED", "--json")
    assert json.loads(done.stdout)["reason"] == "ROOT_REFUSED"
    assert done.stderr == ""


def test_run_on_a_taken_address_says_so(tmp_path: Path, comity_node: Run) -> None:
    port = free_port()
    init(comity_node, port=port)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        done = typed(tmp_path / "uk", "run")
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
