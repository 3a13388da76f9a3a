"""The demo as a whole: its story, its numbers, and how it ends."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import requests

from vathos.cli import main
from vathos.commands.demo import command as demo
from vathos.commands.demo import incidents as demo_incidents
from vathos.commands.demo.command import Demo
from vathos.commands.demo.incidents import Incident, Stage
from vathos.commands.demo.job import Party
from vathos.commands.demo.report import Report
from vathos.commands.terminal import Screen
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Fault

# --- the whole story, played once -----------------------------------------------------------------


class Played(NamedTuple):
    """What a run left behind."""

    story: str
    report: Report
    server: AuthorizationServer


@pytest.fixture(scope="module")
def played() -> Played:
    """One run of the whole story, shortened."""
    servers = []

    def serve(**settings: Any) -> AuthorizationServer:
        servers.append(AuthorizationServer(**settings))
        return servers[0]

    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "AuthorizationServer", serve)
        report = Demo(Screen(out), seconds=0.5).run()
    return Played(out.getvalue(), report, servers[0])


def test_no_call_fails(played: Played) -> None:
    """Through revocation, logout and outage every call succeeds and carries a token."""
    report = played.report
    assert report.ok
    assert report.calls > 50
    assert report.failures == {}
    assert report.api_requests_without_token == 0


def test_every_incident_really_happened(played: Played) -> None:
    """Calls were replayed, the person logged in again, failures were bridged by the old token."""
    report = played.report
    assert report.replays == report.api_requests_refused >= 3
    assert report.token_requests_by_grant["password"] == 2
    assert report.refresh_tokens_rotated >= 1
    assert report.refresh_tokens_reused == 0
    assert report.renewal_failures >= report.served_stale >= 1


def test_numbers_agree_with_the_server(played: Played) -> None:
    """The report says what the server's records say, and both sides counted the same."""
    report, server = played.report, played.server
    assert report.api_requests == server.api.count() == report.calls + report.replays
    assert report.token_requests == server.count()
    assert report.token_requests == sum(report.token_requests_by_grant.values())
    assert report.renewals == len(server.issued)


def test_story_is_told_in_plain_lines(played: Played) -> None:
    """Away from a terminal each event is one line with its time, and there is no status line."""
    lines = played.story.splitlines()
    assert "\x1b" not in played.story
    assert "\r" not in played.story
    for words in (
        "ada: new token by the password grant",
        "robot: new token by client credentials",
        "the administrator revokes all access tokens",
        "401, then replayed with a new token",
        "the administrator logs ada out",
        "the token endpoint goes down",
        "keeps using the old token",
        "the token endpoint is up again",
    ):
        assert any(words in line and " s   " in line for line in lines), words


def test_no_secret_is_shown(played: Played) -> None:
    """Neither the story nor the numbers hold a token, a secret or a password."""
    shown = played.story + played.report.as_json() + played.report.as_table()
    server = played.server
    for secret in (server.client_secret, server.password, *server.issued, "-token-"):
        assert secret not in shown


# --- what goes wrong is said ----------------------------------------------------------------------


def _break_api(stage: Stage) -> None:
    stage.server.fail("api", Fault.status(500), times=None)


def _ask_without_token(stage: Stage) -> None:
    requests.get(f"{stage.server.api_url}/orders", timeout=5)


def _short_demo(monkeypatch: pytest.MonkeyPatch, *incidents: Incident) -> None:
    monkeypatch.setattr(demo, "Demo", functools.partial(Demo, incidents=incidents))


def test_failed_call_gives_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken API shows in the story, in the table and in the exit status."""
    _short_demo(monkeypatch, Incident(0.2, _break_api))
    assert main(["demo", "--seconds", "0.5", "--threads", "2"]) == Exit.FAILED
    out = capsys.readouterr().out
    assert out.count("ada: a call failed: HTTP 500") == 1
    assert " x HTTP 500), 0 were sent without a token." in out


def test_request_without_token_gives_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A single API request without a token, seen by the server, spoils the result."""
    _short_demo(monkeypatch, Incident(0.5, _ask_without_token))
    assert main(["demo", "--seconds", "0.3", "--json"]) == Exit.FAILED
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["api_requests_without_token"] == 1
    assert numbers["failed"] == 0
    assert not numbers["ok"]


def test_quiet_job_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without incidents the table ends with the verdict, and the exit status is 0."""
    _short_demo(monkeypatch)
    assert main(["demo", "--seconds", "0.3"]) == Exit.DONE
    out = capsys.readouterr().out
    assert "API calls" in out
    assert out.endswith("No call failed, and none was sent without a token.\n")


def test_bug_in_a_call_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not a failed request, but a mistake of the program, ends the demo."""

    def call(party: Party) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Party, "call", call)
    monkeypatch.setattr(demo_incidents, "_LONGEST_WAIT", 0.0)
    with pytest.raises(ZeroDivisionError):
        Demo(Screen(io.StringIO()), seconds=0.1, incidents=()).run()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--seconds", value) for value in ("0", "-1", "21", "nan", "soon")),
        *(("--threads", value) for value in ("0", "-1", "33", "many")),
    ],
)
def test_odd_number_is_a_usage_error(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A duration or a number of threads that is too small, too large or no number is refused."""
    assert main(["demo", f"{option}={value}"]) == Exit.USAGE
    assert f"argument {option}" in capsys.readouterr().err


def test_stopped_job_plays_no_further_incident() -> None:
    """An incident whose time has not come is not played after a stop."""
    played: list[Stage] = []
    incidents = (Incident(0.0, lambda stage: stage.stop.set()), Incident(1.0, played.append))
    Demo(Screen(io.StringIO()), seconds=60, incidents=incidents).run()
    assert played == []


# --- as a process ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _running(*arguments: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the demo as a process of its own, which does not outlive the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "vathos", "demo", *arguments], **streams
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _read_until(master: int, words: bytes) -> None:
    seen = b""
    while words not in seen:
        piece = os.read(master, 65536)
        assert piece, seen
        seen += piece


@pytest.mark.slow
def test_json_is_all_there_is_on_stdout() -> None:
    """With `--json` stdout is one JSON object; the story, without log lines, is on stderr."""
    with _running(
        "--seconds", "3", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        out, err = process.communicate(timeout=25)
    numbers = json.loads(out)
    assert process.returncode == Exit.DONE
    assert numbers["ok"]
    assert numbers["failed"] == numbers["api_requests_without_token"] == 0
    assert numbers["calls"] > 50
    assert b"the token endpoint goes down" in err
    assert b"renewal failed" not in err
    assert b"Traceback" not in err


def test_ctrl_c_on_a_terminal_ends_it_cleanly() -> None:
    """Ctrl-C gives 130, no traceback, and leaves no half-drawn status line behind."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    with _running(stdout=slave, stderr=slave) as process:
        os.close(slave)
        _read_until(master, b" calls, 0 failed")
        process.send_signal(signal.SIGINT)
        rest = b""
        with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
            while piece := os.read(master, 65536):
                rest += piece
        assert process.wait(timeout=10) == Exit.INTERRUPTED
    os.close(master)
    assert b"Traceback" not in rest
    assert rest.endswith(b"\r\x1b[K")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_reader_that_leaves_ends_it_quietly(arguments: tuple[str, ...]) -> None:
    """When the story's reader leaves, as `head` does, it ends with 141 and says nothing."""
    story, other = ("stderr", "stdout") if arguments else ("stdout", "stderr")
    streams = {story: subprocess.PIPE, other: subprocess.PIPE}
    with _running(*arguments, **streams) as process:
        pipes = {"stdout": process.stdout, "stderr": process.stderr}
        reader, rest = pipes[story], pipes[other]
        assert reader is not None
        assert rest is not None
        assert reader.readline().startswith(b"ada (password grant)")
        reader.close()
        assert rest.read() == b""
        assert process.wait(timeout=10) == Exit.BROKEN_PIPE
