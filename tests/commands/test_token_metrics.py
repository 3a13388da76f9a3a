"""`vathos token --watch --metrics`: measures for Prometheus, and health for whoever restarts it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.commands.driving import PROCESS, Driver
from tests.helpers import wait_for
from vathos.exit_codes import Exit
from vathos.testing import Fault


@contextmanager
def watching(vathos: Driver, path: Path, address: str) -> Iterator[str]:
    """Runs the command as a process, and gives the URL it serves."""
    command = [*PROCESS, "token", "--write", str(path), "--watch", "--metrics", address]
    with subprocess.Popen(command, env=vathos.environ, stderr=subprocess.PIPE) as process:
        try:
            yield f"http://{address}"
        finally:
            process.terminate()


def free_port() -> int:
    """Finds a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def status(url: str) -> int:
    """Asks, and returns the status; 0 if nobody listens yet."""
    try:
        return requests.get(url, timeout=5, proxies={"http": ""}).status_code
    except requests.ConnectionError:
        return 0


@pytest.mark.slow
def test_metrics_and_health_are_served(vathos: Driver, tmp_path: Path) -> None:
    """Live at once, ready with the first token; the measures are those of the source."""
    path = tmp_path / "token"
    vathos.server.fail("token", Fault.delay(1.0))
    with watching(vathos, path, f"127.0.0.1:{free_port()}") as url:
        wait_for(lambda: status(f"{url}/live") == 200)
        assert status(f"{url}/ready") == 503
        wait_for(lambda: status(f"{url}/ready") == 200)
        text = requests.get(f"{url}/metrics", timeout=5).text
        assert 'vathos_token_requests_total{identity="' in text
        assert "vathos_token_expiry_timestamp_seconds" in text
        wait_for(path.exists)
        assert path.read_text().strip() not in text
        assert status(f"{url}/other") == 404


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metrics", "127.0.0.1:9464"], "--metrics needs --watch"),
        (["--watch", "--write", "f", "--metrics", "9464"], "must be HOST:PORT"),
        (["--watch", "--write", "f", "--metrics", "127.0.0.1:99999"], "must be HOST:PORT"),
    ],
)
def test_what_cannot_be_served_is_told(vathos: Driver, arguments: list[str], said: str) -> None:
    """A missing option or a malformed address is a mistake of usage."""
    done = vathos("token", *arguments)
    assert done.status == Exit.USAGE
    assert said in done.err


def test_address_that_is_taken_is_told(vathos: Driver, tmp_path: Path) -> None:
    """The command says so, and ends before it asks for a token."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = str(tmp_path / "token")
        done = vathos("token", "--watch", "--write", path, "--metrics", address)
    assert done.status == Exit.CONFIGURATION
    assert f"cannot listen on {address}" in done.err
    assert vathos.server.count() == 0
