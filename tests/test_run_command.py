"""comity-node run: a process that serves, alone on its home, and ends in order."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commanding import Run, init
from tests.network import free_port


@pytest.fixture
def run(comity_node: Run) -> Run:
    """Return a function that runs a command line in an empty folder, with answers to prompts."""
    return comity_node


def knock(port: int) -> None:
    """Begin TLS without a certificate, and wait to be sent away."""
    anonymous = ssl.create_default_context()
    anonymous.check_hostname, anonymous.verify_mode = False, ssl.CERT_NONE
    anonymous.set_alpn_protocols(["h2"])
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        anonymous.wrap_socket(plain) as secure,
    ):
        while secure.recv(1024):
            pass


def test_run_serves_until_it_is_told_to_stop_and_logs_json(tmp_path: Path, run: Run) -> None:
    port = free_port()
    init(run, port=port)
    command = [sys.executable, "-m", "comity.node", "--home", str(tmp_path / "uk"), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(json.loads(line)["event"])
            if seen[-1] == "serving":
                knock(port)
                process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert seen[-1] == "stopped"


def test_run_on_a_taken_address_says_so(tmp_path: Path, run: Run) -> None:
    port = free_port()
    init(run, port=port)
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", port))
        taken.listen()
        command = [sys.executable, "-m", "comity.node", "--home", str(tmp_path / "uk"), "run"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"cannot listen on 0.0.0.0:{port}" in done.stderr
