"""`vathos doctor` as a whole: what it reports, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.canaries import CANARY
from tests.commands.doctor.report import doctor
from tests.commands.driving import PROCESS, Driver, environment
from vathos.commands.doctor import local
from vathos.config.names import KEYS
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Client, Fault, User


def test_all_is_well(vathos: Driver, tmp_path: Path) -> None:
    """If nothing is wrong, each check says what it saw, and the status is 0."""
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert {found["outcome"] for found in report.values()} == {"ok"}
    url = vathos.server.token_url
    assert [name for name in report if not name.startswith("setting ")] == [
        "configuration file",
        "secret client_secret",
        "grant",
        "CA bundle",
        "store",
        "proxy",
        "DNS",
        "clock",
        "realm",
        "discovery",
        "token",
        "API",
        "revocation",
    ]
    words = "\n".join(found["detail"] for found in report.values())
    for seen in (
        str(tmp_path / ".config" / "vathos" / "config.toml"),
        "client credentials (RFC 6749 §4.4)",
        f"{url} answers HTTP 405",
        f"VATHOS_ISSUER={vathos.server.issuer}",
        "300 s, scope 'openid profile email'",
        f"{vathos.server.api_url} answers HTTP 200",
    ):
        assert seen in words


def test_every_setting_has_its_source(vathos: Driver) -> None:
    """Each setting is listed with its value and its source; of a secret only that it is set."""
    report = doctor(vathos, "--no-network", "--scope", "read", VATHOS_TIMEOUT="3")
    assert [name for name in report if name.startswith("setting ")] == [
        f"setting {name}" for name in KEYS
    ]
    details = {name: report[f"setting {name}"]["detail"] for name in KEYS}
    assert details["client_id"] == "robot (VATHOS_CLIENT_ID)"
    assert details["client_secret"] == "set (VATHOS_CLIENT_SECRET)"
    assert details["username"] == "not set"
    assert details["scope"] == "read (--scope)"
    assert details["timeout"] == "3 (VATHOS_TIMEOUT)"
    assert details["token_store"] == "file: (default)"


def test_no_network_contacts_no_server(vathos: Driver) -> None:
    """With --no-network only this machine is checked: no request, no DNS, no Redis."""
    with mock.patch.object(socket, "getaddrinfo", side_effect=AssertionError):
        report = doctor(vathos, "--no-network", VATHOS_TOKEN_STORE="redis://redis.invalid")
    assert report.status == Exit.DONE
    assert vathos.server.requests == ()
    assert list(report)[-1] == "CA bundle"


def test_token_is_not_kept(vathos: Driver) -> None:
    """The token that is requested does not replace the stored one."""
    kept = vathos("token").out
    assert doctor(vathos).status == Exit.DONE
    assert vathos("token").out == kept
    assert vathos.server.count("client_credentials") == 2


def test_leaves_no_login_behind(vathos: Driver) -> None:
    """The token that the doctor obtained is revoked at the end; the stored one is not."""
    person = {"VATHOS_USERNAME": vathos.server.username, "VATHOS_PASSWORD": vathos.server.password}
    kept = vathos("token", **person).out
    before = vathos.server.sessions
    report = doctor(vathos, **person)
    assert report.outcome("revocation") == "ok"
    assert vathos.server.sessions == before
    assert vathos("request", "products", **person).status == Exit.DONE
    assert vathos("token", **person).out == kept


def test_login_that_cannot_be_ended(vathos: Driver) -> None:
    """A server that cannot revoke is a warning, as everything else works."""
    vathos.server.fail("revocation", Fault.status(503), times=None)
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.outcome("revocation") == "warning"
    assert f"{vathos.server.revocation_url} answered HTTP 503" in report.words("revocation")


def test_lines_for_a_person(vathos: Driver) -> None:
    """Without --json each check is a line, followed by what to do about it."""
    done = vathos("doctor", VATHOS_CLIENTID="x")
    assert done.status == Exit.DONE
    lines = done.out.splitlines()
    url, api = vathos.server.token_url, vathos.server.api_url
    assert lines[0] == (
        "ok       settings: client_id robot (VATHOS_CLIENT_ID), "
        f"client_secret set (VATHOS_CLIENT_SECRET), token_url {url} (VATHOS_TOKEN_URL), "
        f"base_url {api} (VATHOS_BASE_URL)"
    )
    assert not any("setting " in line for line in lines)
    assert lines[-1] == "1 warning, 0 failed"
    at = lines.index("warning  variable VATHOS_CLIENTID: unknown variable, ignored")
    assert lines[at + 1] == "         → did you mean VATHOS_CLIENT_ID?"
    assert "\x1b" not in done.out


@pytest.mark.parametrize(("environ", "colourful"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(
    server: AuthorizationServer, environ: dict[str, str], colourful: bool
) -> None:
    """On a terminal the outcome has a colour, unless NO_COLOR is set."""
    pexpect = pytest.importorskip("pexpect")
    whole = {**os.environ, **environment(server), "TERM": "xterm", **environ}
    if "NO_COLOR" not in environ:
        whole.pop("NO_COLOR", None)
    out, status = pexpect.run(
        f"{sys.executable} -m vathos doctor --no-network", env=whole, withexitstatus=True
    )
    assert status == Exit.DONE
    assert (b"\x1b[32mok     \x1b[0m  settings: client_id" in out) is colourful
    assert (b"\x1b" in out) is colourful


def test_what_is_missing_has_its_own_line(vathos: Driver) -> None:
    """A missing setting is a failed check; the total counts it, and defaults are not listed."""
    out = vathos("doctor", "--no-network", VATHOS_CLIENT_SECRET="").out
    assert "failed   setting client_secret: missing\n" in out
    assert "ok       settings: client_id robot (VATHOS_CLIENT_ID), token_url " in out
    assert out.endswith("\n0 warnings, 1 failed\n")
    empty = dict.fromkeys(vathos.environ, "")
    out = vathos("doctor", "--no-network", **empty).out
    assert "ok       settings: none; all have their defaults\n" in out
    assert out.endswith("\n0 warnings, 2 failed\n")


def test_lines_fit_the_terminal(server: AuthorizationServer) -> None:
    """On a terminal lines are broken between words, and go on below their text."""
    pexpect = pytest.importorskip("pexpect")
    environ = {**os.environ, **environment(server), "TERM": "xterm", "NO_COLOR": "1"}
    out = pexpect.run(
        f"{sys.executable} -m vathos doctor --no-network", env=environ, dimensions=(50, 60)
    ).decode()
    lines = out.splitlines()
    assert len(lines) > 8
    assert all(len(line) < 60 or " " not in line[9:].strip() for line in lines)
    assert all(line.startswith(("ok  ", "warning", " " * 9, "0 warn")) for line in lines)


@pytest.mark.parametrize(
    ("expires_in", "said"),
    [
        (0, "states no lifetime"),
        (None, "states no lifetime"),
        (-5, "states no lifetime"),
        ("soon", "states no lifetime"),
        (1e18, "valid for 1e+18 s"),
        (10**400, "token"),
    ],
)
def test_odd_lifetime_is_no_bug(vathos: Driver, expires_in: Any, said: str) -> None:
    """Whatever the server says of the lifetime, the checks themselves do not fail."""
    vathos.server.fail("token", Fault.amend(expires_in=expires_in), times=None)
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert said in report.words("token") + "token"
    assert "the check itself failed" not in str(report)
    assert vathos("status", "--check").status == Exit.DONE


@pytest.mark.slow
def test_no_secret_is_told(tmp_path: Path) -> None:
    """No secret and no token is printed, not even with -vv or on failure."""
    with AuthorizationServer(
        clients=[Client("robot", CANARY.client_secret)], users=[User("ada", CANARY.password)]
    ) as server:
        environ = {
            **os.environ,
            **environment(server),
            "VATHOS_USERNAME": "ada",
            "VATHOS_PASSWORD": CANARY.password,
            "VATHOS_TOKEN_STORE": f"file:{tmp_path / 'store'}",
            "HTTP_PROXY": f"http://ada:{CANARY.refresh_token}@127.0.0.1:1",
        }
        for more in ({"NO_PROXY": "127.0.0.1"}, {}, {"NO_PROXY": "*", "VATHOS_PASSWORD": "x"}):
            for form in ([], ["--json"]):
                done = subprocess.run(
                    [*PROCESS, "doctor", "-vv", *form],
                    env={**environ, **more},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                told = done.stdout + done.stderr
                assert "Traceback" not in told
                assert not CANARY.seen_in(told)
                assert not any(token in told for token in server.issued)
        assert server.issued


@pytest.mark.parametrize(
    ("environ", "status", "name"),
    [
        ({"VATHOS_TOKEN_URL": "http://auth.example/token"}, Exit.UNSAFE, "token_url"),
        ({"VATHOS_TIMEOUT": "soon"}, Exit.CONFIGURATION, "timeout"),
    ],
)
def test_setting_that_cannot_be_used(
    vathos: Driver, environ: dict[str, str], status: Exit, name: str
) -> None:
    """A malformed setting is the only failed check, and is named with its variable."""
    report = doctor(vathos, **environ)
    assert report.status == status
    assert list(report) == report.bad == ["settings"]
    (variable,) = environ
    assert f"{name} ({variable})" in report.words("settings")


def test_wrong_command_line_is_not_a_check(vathos: Driver) -> None:
    """A wrong command line ends with 2, and nothing is checked."""
    assert vathos("doctor", "--client-secret-file", "-", "--password-file", "-") == (
        Exit.USAGE,
        "",
        "vathos: only one secret can come from standard input\n",
    )


def test_broken_check_is_a_failed_check(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that raises fails with 1; its message is not printed, and the other checks go on."""

    def broken(*_: object) -> Iterator[Any]:
        raise TypeError(CANARY.client_secret)

    monkeypatch.setattr(local, "_store", broken)
    report = doctor(vathos)
    assert report.status == Exit.FAILED
    assert report.bad == ["store"]
    assert "TypeError" in report.words("store")
    assert CANARY.client_secret not in report.words("store")
    assert report.outcome("token") == "ok"
    report = doctor(vathos, VATHOS_CLIENT_SECRET="wrong")
    assert report.status == Exit.REFUSED


def test_worst_failure_is_the_status(vathos: Driver, tmp_path: Path) -> None:
    """Of several failures the worst decides the status: 7 before 3, 4 and 5."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    given = {"VATHOS_CLIENT_SECRET": "wrong", "VATHOS_BASE_URL": "https://api.invalid"}
    assert doctor(vathos, **given).status == Exit.REFUSED
    given["REQUESTS_CA_BUNDLE"] = str(tmp_path / "missing")
    assert doctor(vathos, **given).status == Exit.CONFIGURATION
    given["VATHOS_TOKEN_STORE"] = f"file:{folder}"
    assert doctor(vathos, **given).status == Exit.UNSAFE
