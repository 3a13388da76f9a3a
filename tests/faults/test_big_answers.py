"""Fault 9: answers that are huge, or that a JSON parser chokes on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers import python
from tests.wire import Connection, Wire
from vathos.testing import Fault

MIB = 1 << 20
WORDS = {
    "small": "got a token",
    "bomb": "compressed",
    "flood": "longer than 1048576 bytes",
    "deep": "not JSON",
    "digits": "not JSON",
    "nan": "got a token",
}

# VmHWM, not ru_maxrss: on Linux that one starts as high as the parent had come.
PROCESS = """
import json, resource, sys
from pathlib import Path
from vathos.oauth.endpoint import TokenEndpoint
from vathos.errors import VathosError
from vathos.grants import ClientCredentialsGrant

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        line = next(l for l in status.read_text().splitlines() if l.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024

def ask(name):
    grant = ClientCredentialsGrant(client_id="robot", client_secret="secret")
    try:
        token = TokenEndpoint(sys.argv[1] + name).request(grant, 30)
    except VathosError as error:
        return f"{type(error).__name__}: {error}"
    return f"got a token with {token.lifetime} s"

ask("small")
before = peak()
said = {name: ask(name) for name in sys.argv[2:]}
print(json.dumps({"said": said, "grown": peak() - before}))
"""


def _bodies() -> dict[str, tuple[bytes, int, str]]:
    """The answers: what is repeated, how often, and a header line."""
    bomb = Fault.gzip_bomb(512 * MIB).answer
    assert bomb is not None
    token = b'{"access_token": "t", "token_type": "Bearer", "expires_in": %s}'
    return {
        "small": (token % b"300", 1, ""),
        "bomb": (bomb.content, 1, "Content-Encoding: gzip\r\n"),
        "flood": (b"x" * MIB, 100, ""),
        "deep": (b"[" * 100_000, 1, ""),
        "digits": (token % (b"9" * 5000), 1, ""),
        "nan": (token % b"NaN", 1, ""),
    }


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What a process of its own says to each of the answers, and how much it grew."""
    bodies = _bodies()

    def answer(connection: Connection) -> None:
        name = connection.read_request().line.split()[1].removeprefix("/")
        body, times, header = bodies[name]
        head = f"HTTP/1.1 200 OK\r\n{header}Content-Length: {len(body) * times}\r\n\r\n"
        connection.send(head.encode())
        for _ in range(times):
            connection.send(body)

    with Wire(answer) as wire:
        result: dict[str, Any] = json.loads(python(PROCESS, wire.url(path="/"), *bodies))
    return result


@pytest.mark.fault(9)
@pytest.mark.parametrize("name", WORDS)
def test_each_is_an_error_with_a_name(report: dict[str, Any], name: str) -> None:
    """What cannot be a token response is called that; a lifetime of NaN is an unknown one."""
    assert WORDS[name] in report["said"][name]
    if name == "nan":
        assert "None s" in report["said"][name]
    elif name != "small":
        assert report["said"][name].startswith("TokenResponseError: ")


@pytest.mark.fault(9)
def test_memory_stays_small(report: dict[str, Any]) -> None:
    """A bomb of 512 MiB, a flood of 100 MiB and the rest cost less than 8 MiB of memory."""
    assert report["grown"] < 8 * MIB
