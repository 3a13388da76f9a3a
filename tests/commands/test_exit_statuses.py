"""The exit statuses, as a shell script meets them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands.driving import environment
from tests.commands.terminal import program
from vathos.exit_codes import Exit, said
from vathos.testing import AuthorizationServer, Fault

SCRIPT = r"""
branch() {
  case $1 in
    0) echo "works" ;;
    1) echo "a bug, or the output is lost" ;;
    2) echo "mistyped" ;;
    3) echo "set it up" ;;
    4) echo "tell somebody" ;;
    5) echo "again later" ;;
    6) echo "no token is good enough" ;;
    7) echo "not safe" ;;
    22) echo "the API says no" ;;
    130) echo "stopped" ;;
    141) echo "nobody reads" ;;
    143) echo "ended" ;;
    *) echo "unknown: $1" ;;
  esac
}

vathos token > /dev/null
branch $?
vathos token >&-
branch $?
vathos token --nonsense
branch $?
VATHOS_CLIENT_ID= vathos token
branch $?
VATHOS_CLIENT_SECRET=wrong vathos token
branch $?
VATHOS_TOKEN_URL=http://127.0.0.1:1/token vathos token --token-timeout 1
branch $?
vathos token --min-ttl 1000000
branch $?
vathos token --token-url http://auth.example/token
branch $?
vathos request missing > /dev/null
branch $?
set -m  # a job in the background would ignore Ctrl-C
vathos token --write token --watch &
until [ -s token ]; do sleep 0.05; done
kill -INT $!
wait $!
branch $?
mkfifo pipe
true < pipe &
exec 5> pipe
wait $!
vathos token >&5
branch $?
vathos request slow -o out &
until ls .out.* > /dev/null 2>&1; do sleep 0.05; done
kill -TERM $!
wait $!
branch $?
"""

SAID = """\
works
a bug, or the output is lost
mistyped
set it up
tell somebody
again later
no token is good enough
not safe
the API says no
stopped
nobody reads
ended
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_shell_script_branches_on_each(server: AuthorizationServer, tmp_path: Path) -> None:
    """A script tells all the statuses apart, and there is no other."""
    assert SCRIPT.count(') echo "') == len(Exit) + 1
    folder = program(tmp_path / "bin")
    server.fail("api", Fault.status(404))
    server.fail("api", Fault.hang())
    done = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=tmp_path,
        env={
            **os.environ,
            **environment(server),
            "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == SAID, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("(token_url=, VATHOS_TOKEN_URL)", "(--token-url, VATHOS_TOKEN_URL)"),
        ("settings (proxies=, HTTPS_PROXY)", "settings (HTTPS_PROXY)"),
        ("bundle (verify=, REQUESTS_CA_BUNDLE)", "bundle (--ca-bundle, REQUESTS_CA_BUNDLE)"),
        ("of 'x'; issuer= and VATHOS_ISSUER", "of 'x'; --issuer and VATHOS_ISSUER"),
        ("it says issuer=https://a, token_url=b", "it says issuer=https://a, token_url=b"),
    ],
)
def test_arguments_are_named_as_options(message: str, shown: str) -> None:
    """Our own hints speak of options; what a server says stays as it is."""
    assert said(ValueError(message)) == shown
