"""`vathos doctor`: each check has an outcome, a detail and a fix; the status is the worst."""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import filelock
import pytest
import trustme

from tests.canaries import CANARY
from tests.commands.driving import PROCESS, Driven, Driver, environment
from tests.wire import Wire, answering, closed_port
from vathos.commands.doctor import local, network
from vathos.config.names import KEYS
from vathos.exit_codes import Exit
from vathos.system.extras import install_line
from vathos.testing import AuthorizationServer, Client, Fault, User

PATH = "/realms/picking/protocol/openid-connect/token"


class Report(dict[str, dict[str, Any]]):
    """What the doctor found, by name."""

    def __init__(self, done: Driven) -> None:
        assert done.err == ""
        listed = json.loads(done.out)
        super().__init__((each["name"], each) for each in listed)
        assert len(self) == len(listed)
        self.status = done.status
        for each in listed:
            assert list(each) == ["name", "outcome", "detail", "fix"]
            assert (each["fix"] is None) == (each["outcome"] == "ok")

    def outcome(self, name: str) -> str:
        """Returns the outcome of one check."""
        outcome: str = self[name]["outcome"]
        return outcome

    def words(self, name: str) -> str:
        """Returns what is said of one check: its detail and its fix."""
        return f"{self[name]['detail']} → {self[name]['fix']}"

    @property
    def bad(self) -> list[str]:
        """The names of the checks that failed."""
        return [name for name, found in self.items() if found["outcome"] == "failed"]


def doctor(vathos: Driver, *arguments: str, **environ: str) -> Report:
    """Runs the doctor."""
    return Report(vathos("doctor", "--json", *arguments, **environ))


def origin_of(server: AuthorizationServer) -> str:
    """Returns where a server is."""
    return server.api_url.removesuffix("/v1")


# --- all is well --------------------------------------------------------------------------------


def test_all_is_well(vathos: Driver, tmp_path: Path) -> None:
    """Where nothing is wrong each check says what it saw, and the status is 0."""
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
    """Each setting is told with its value and where it comes from, a secret only as set."""
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


def test_no_network_asks_nobody(vathos: Driver) -> None:
    """Without network only this machine is looked at: no request, no name, no Redis."""
    with mock.patch.object(socket, "getaddrinfo", side_effect=AssertionError):
        report = doctor(vathos, "--no-network", VATHOS_TOKEN_STORE="redis://redis.invalid")
    assert report.status == Exit.DONE
    assert vathos.server.requests == ()
    assert list(report)[-1] == "CA bundle"


def test_token_is_not_kept(vathos: Driver) -> None:
    """The token that is asked for takes the place of none that is kept."""
    kept = vathos("token").out
    assert doctor(vathos).status == Exit.DONE
    assert vathos("token").out == kept
    assert vathos.server.count("client_credentials") == 2


def test_leaves_no_login_behind(vathos: Driver) -> None:
    """What the examination bought is revoked in the end; what the store has is not."""
    person = {"VATHOS_USERNAME": vathos.server.username, "VATHOS_PASSWORD": vathos.server.password}
    kept = vathos("token", **person).out
    before = vathos.server.sessions
    report = doctor(vathos, **person)
    assert report.outcome("revocation") == "ok"
    assert vathos.server.sessions == before
    assert vathos("request", "products", **person).status == Exit.DONE
    assert vathos("token", **person).out == kept


def test_login_that_cannot_be_ended(vathos: Driver) -> None:
    """A server that revokes nothing is a warning, as the rest works all the same."""
    vathos.server.fail("revocation", Fault.status(503), times=None)
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.outcome("revocation") == "warning"
    assert f"{vathos.server.revocation_url} answered HTTP 503" in report.words("revocation")


def test_lines_for_a_person(vathos: Driver) -> None:
    """Without --json each check is a line, and what to do about it is below."""
    done = vathos("doctor", VATHOS_CLIENTID="x")
    assert done.status == Exit.DONE
    lines = done.out.splitlines()
    assert lines[0] == "ok       setting client_id: robot (VATHOS_CLIENT_ID)"
    at = lines.index("warning  variable VATHOS_CLIENTID: unknown variable, ignored")
    assert lines[at + 1] == "         → did you mean VATHOS_CLIENT_ID?"
    assert "\x1b" not in done.out


@pytest.mark.parametrize(("environ", "colourful"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(
    server: AuthorizationServer, environ: dict[str, str], colourful: bool
) -> None:
    """In a terminal the outcome has a colour, unless NO_COLOR says otherwise."""
    pexpect = pytest.importorskip("pexpect")
    whole = {**os.environ, **environment(server), "TERM": "xterm", **environ}
    if "NO_COLOR" not in environ:
        whole.pop("NO_COLOR", None)
    out, status = pexpect.run(
        f"{sys.executable} -m vathos doctor --no-network", env=whole, withexitstatus=True
    )
    assert status == Exit.DONE
    assert (b"\x1b[32mok     \x1b[0m  setting client_id" in out) is colourful
    assert (b"\x1b" in out) is colourful


def test_no_secret_is_told(tmp_path: Path) -> None:
    """No secret and no token is in anything that is printed, also with -vv, and when it fails."""
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


# --- settings and secrets -----------------------------------------------------------------------


def test_missing_credentials_are_named(vathos: Driver) -> None:
    """What is missing fails with 3, and the rest is looked at all the same."""
    report = doctor(vathos, VATHOS_CLIENT_ID="", VATHOS_CLIENT_SECRET="")
    assert report.status == Exit.CONFIGURATION
    assert "VATHOS_CLIENT_SECRET" in report.words("setting client_secret")
    assert report.bad == ["setting client_id", "setting client_secret"]
    assert "token" not in report
    assert report.outcome("API") == "ok"
    assert "HTTP 401 to a request without a token" in report.words("API")


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


def test_senseless_command_line_is_no_finding(vathos: Driver) -> None:
    """Where the command line makes no sense nothing is looked at."""
    assert vathos("doctor", "--client-secret-file", "-", "--password-file", "-") == (
        Exit.USAGE,
        "",
        "vathos: only one secret can come from standard input\n",
    )


def test_profile_that_others_can_write_is_refused(vathos: Driver, tmp_path: Path) -> None:
    """A profile that others could change fails with 7, and the fix is in the words."""
    path = tmp_path / "config.toml"
    path.write_text("[profile.default]\n")
    path.chmod(0o666)
    report = doctor(vathos, "--config", str(path))
    assert report.status == Exit.UNSAFE
    assert report.bad == ["settings"]
    assert f"chmod 600 {path}" in report.words("settings")


def test_profile_is_told_with_its_mode(vathos: Driver, tmp_path: Path) -> None:
    """The configuration file is told with its mode and the profile that is used."""
    path = tmp_path / "config.toml"
    path.write_text('[profile.a]\nscope = "read"\n')
    path.chmod(0o640)
    report = doctor(vathos, "--no-network", "--config", str(path), "--profile", "a")
    assert f"{path}, mode 0640, profile 'a'" in report.words("configuration file")
    report = doctor(vathos, "--no-network", VATHOS_CONFIG=str(path))
    assert "no profile" in report.words("configuration file")


def test_misspelt_variable_is_a_warning(vathos: Driver) -> None:
    """A misspelt variable is reported with the one that was meant; an unrelated one is not."""
    report = doctor(vathos, "--no-network", VATHOS_TOKENURL="x", VATHOS_ACCESS_TOKEN="x")
    assert report.status == Exit.DONE
    assert report.outcome("variable VATHOS_TOKENURL") == "warning"
    assert "VATHOS_TOKEN_URL" in report.words("variable VATHOS_TOKENURL")
    assert "variable VATHOS_ACCESS_TOKEN" not in report


@pytest.mark.parametrize(("mode", "outcome"), [(0o600, "ok"), (0o644, "warning")])
def test_secret_file_is_checked(vathos: Driver, tmp_path: Path, mode: int, outcome: str) -> None:
    """A secret file is reported with its mode; a warning if others can read it."""
    path = tmp_path / "secret"
    path.write_text(vathos.server.client_secret)
    path.chmod(mode)
    given = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": str(path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.status == Exit.DONE
    assert report.outcome("secret client_secret") == outcome
    words = report.words("secret client_secret")
    assert f"mode {mode:04o}" in words
    assert (f"chmod 600 {path}" in words) == (outcome == "warning")


def test_secret_of_the_service_manager_may_have_any_mode(vathos: Driver, tmp_path: Path) -> None:
    """Credentials that systemd provides are protected by systemd."""
    path = tmp_path / "vathos.client_secret"
    path.write_text("secret")
    path.chmod(0o444)
    given = {"VATHOS_CLIENT_SECRET": "", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.outcome("secret client_secret") == "ok"
    assert f"{path}, mode 0444" in report.words("secret client_secret")


def test_secret_that_cannot_be_read_fails(vathos: Driver, tmp_path: Path) -> None:
    """A secret file that is missing fails with 3, and the setting that names it is named."""
    path = tmp_path / "missing"
    given = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": str(path)}
    report = doctor(vathos, "--no-network", **given)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["secret client_secret"]
    assert f"{path} (VATHOS_CLIENT_SECRET_FILE)" in report.words("secret client_secret")


def test_white_space_around_a_secret_is_a_warning(vathos: Driver) -> None:
    """A space that was pasted along with a secret is reported, as nobody sees it."""
    report = doctor(vathos, "--no-network", VATHOS_CLIENT_SECRET=f"{CANARY.client_secret} ")
    assert report.outcome("secret client_secret") == "warning"
    assert "VATHOS_CLIENT_SECRET" in report.words("secret client_secret")


def test_password_grant_is_deprecated(vathos: Driver) -> None:
    """A person's password works, and what to use in its place is said."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    report = doctor(vathos, **person)
    assert report.status == Exit.DONE
    assert report.outcome("grant") == "warning"
    words = report.words("grant")
    assert all(named in words for named in ("RFC 9700 §2.4", "client credentials", "PKCE"))
    assert report.words("token").startswith("password grant")
    assert vathos.server.count("password") == 1


# --- CA bundle and store ------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, "nothing"])
def test_ca_bundle_that_cannot_be_used(vathos: Driver, tmp_path: Path, content: str | None) -> None:
    """A bundle that is missing or holds no certificate fails with 3."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    report = doctor(vathos, "--no-network", REQUESTS_CA_BUNDLE=str(path))
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["CA bundle"]
    assert f"{path} (REQUESTS_CA_BUNDLE)" in report.words("CA bundle")


def test_store_is_tried(vathos: Driver, tmp_path: Path) -> None:
    """The store is locked, written, read and left empty."""
    folder = tmp_path / "store"
    report = doctor(vathos, "--no-network", "--token-store", f"file:{folder}")
    assert report.outcome("store") == "ok"
    assert str(folder) in report.words("store")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not list(folder.glob("*.json"))


def test_store_that_others_can_reach_is_refused(vathos: Driver, tmp_path: Path) -> None:
    """A folder with another mode fails with 7, and the command that corrects it is named."""
    folder = tmp_path / "store"
    folder.mkdir()
    folder.chmod(0o755)
    report = doctor(vathos, "--no-network", "--token-store", f"file:{folder}")
    assert report.status == Exit.UNSAFE
    assert report.bad == ["store"]
    assert f"chmod 700 {folder}" in report.words("store")


def test_lock_that_is_held_fails(
    vathos: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that cannot be had in time fails with 3."""
    monkeypatch.setattr(local, "_LONGEST_LOCK", 0.05)
    folder = tmp_path / "store"
    arguments = ("--no-network", "--token-store", f"file:{folder}")
    doctor(vathos, *arguments)
    (path,) = folder.glob("*.lock")
    with filelock.FileLock(path):
        report = doctor(vathos, *arguments)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["store"]
    assert "another process held" in report.words("store")


def test_default_store_may_be_missing(vathos: Driver) -> None:
    """Where a package is missing tokens are not kept: a warning, unless the store was chosen."""
    with mock.patch.dict(sys.modules, {"filelock": None}):
        report = doctor(vathos, "--no-network")
        assert report.status == Exit.DONE
        assert report.outcome("store") == "warning"
        assert install_line("file") in report["store"]["fix"]
        report = doctor(vathos, "--no-network", "--token-store", "file:")
        assert report.status == Exit.CONFIGURATION
        assert report.bad == ["store"]


class Forgetful:
    """A store that keeps nothing."""

    def lock(self, *_: object) -> Any:
        """Locks nothing."""
        return mock.MagicMock()

    def save(self, *_: object) -> None:
        """Saves nothing."""

    load = delete = save


def test_store_that_forgets_fails(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not give back what was put into it fails with 3."""
    monkeypatch.setattr(local, "open_store", lambda _: Forgetful())
    report = doctor(vathos, "--no-network")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["store"]


@pytest.mark.parametrize(
    ("error", "detail"),
    [(OSError(28, "No space left"), "No space left"), (OSError(), "OSError")],
)
def test_error_of_the_system_is_a_failed_check(
    vathos: Driver, monkeypatch: pytest.MonkeyPatch, error: OSError, detail: str
) -> None:
    """What the system refuses is told in its words."""
    monkeypatch.setattr(local, "_store", mock.Mock(side_effect=error))
    report = doctor(vathos, "--no-network")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["store"]
    assert report["store"]["detail"] == detail


def test_broken_check_is_a_failed_check(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that breaks is a finding with status 1, never a traceback; its words are not told."""

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


# --- the way to the servers ---------------------------------------------------------------------


def test_unknown_name_fails(vathos: Driver) -> None:
    """A host that no name server knows fails with 5, and nothing behind it is tried."""
    report = doctor(vathos, VATHOS_TOKEN_URL="https://auth.invalid/token")
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["DNS"]
    assert "auth.invalid" in report.words("DNS")
    assert not {"TLS", "realm", "token"} & report.keys()
    assert report.outcome("API") == "ok"


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), None])
def test_name_server_that_does_not_answer_fails(vathos: Driver, error: Exception | None) -> None:
    """A silent name server is not reported as a wrong host name, and the other checks go on."""
    real = socket.getaddrinfo
    examined, resolved = threading.Event(), threading.Event()

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "auth.invalid":
            return real(host, *arguments, **options)
        if error is None:
            examined.wait(30)
        resolved.set()
        raise error or OSError

    with mock.patch.object(socket, "getaddrinfo", resolve):
        report = doctor(
            vathos, "--token-timeout", "0.05", VATHOS_TOKEN_URL="https://auth.invalid/token"
        )
        examined.set()
        assert resolved.wait(30)  # so that the resolver ends before the patch does
    assert report.outcome("DNS") == "failed"
    assert "name server" in report.words("DNS")
    assert ("Temporary failure" if error else "0.05 s") in report.words("DNS")


def test_host_that_is_no_name_fails(vathos: Driver) -> None:
    """A host name with a part that is too long fails with 3, before anybody is asked."""
    host = f"{'a' * 64}.localhost"
    with mock.patch.object(network.socket, "getaddrinfo", side_effect=UnicodeError):
        report = doctor(vathos, VATHOS_TOKEN_URL=f"https://{host}/token")
    assert report.status == Exit.CONFIGURATION
    assert report.bad[0] == "DNS"
    assert host in report.words("DNS")


def test_name_is_resolved(vathos: Driver) -> None:
    """A name is told with its addresses."""
    url = vathos.server.token_url.replace("127.0.0.1", "localhost")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.DONE
    assert "127.0.0.1" in report.words("DNS")


def test_server_that_is_not_there_fails(vathos: Driver) -> None:
    """A port that nobody listens on fails with 5."""
    with closed_port() as port:
        report = doctor(vathos, VATHOS_TOKEN_URL=f"http://127.0.0.1:{port}/token")
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["realm"]
    assert "Connection refused" in report.words("realm")


def test_proxy_is_told_without_its_password(vathos: Driver) -> None:
    """The proxy on the way is told with the variable that names it; so is an exemption."""
    proxy = f"http://ada:{CANARY.password}@127.0.0.1:3128"
    with mock.patch.object(network, "_is_address", return_value=True):
        report = doctor(vathos, http_proxy=proxy)
        assert "http://127.0.0.1:3128 with a login (http_proxy)" in report.words("proxy")
        assert CANARY.password not in report.words("proxy")
        report = doctor(vathos, all_proxy="127.0.0.1:3128")
        assert "http://127.0.0.1:3128 (all_proxy)" in report.words("proxy")
    report = doctor(vathos, http_proxy=proxy, no_proxy="127.0.0.1")
    assert "http_proxy is set (NO_PROXY" in report.words("proxy")
    assert report.status == Exit.DONE


def test_malformed_proxy_fails(vathos: Driver) -> None:
    """A proxy that is no URL fails with 3, without its words."""
    report = doctor(vathos, http_proxy=f"http://ada:{CANARY.password}")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["proxy"]
    assert CANARY.password not in report.words("proxy")


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture
def ca(tmp_path: Path) -> trustme.CA:
    """A CA, with its certificate in `ca.pem`."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return ca


class Secure:
    """A server that speaks TLS."""

    def __init__(self, vathos: Driver, issued: trustme.LeafCert, **environ: str) -> None:
        self._vathos, self._environ = vathos, environ
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(self._context)

    def examined(self, **environ: str) -> Report:
        """Has the doctor look at it."""
        with AuthorizationServer(tls=self._context) as server:
            return doctor(self._vathos, **environment(server), **self._environ, **environ)


def days_from_now(days: float) -> datetime.datetime:
    """Returns a moment."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


def test_tls_is_told(vathos: Driver, tmp_path: Path, ca: trustme.CA) -> None:
    """A certificate that is trusted is told with its issuer and its days, by file and variable."""
    issued = ca.issue_cert("127.0.0.1", not_after=days_from_now(90.5))
    for name in ("VATHOS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        report = Secure(vathos, issued, **{name: str(tmp_path / "ca.pem")}).examined()
        assert report.status == Exit.DONE
        assert report.outcome("TLS") == "ok"
        assert "127.0.0.1: TLSv1." in report.words("TLS")
        assert "another 90 days" in report.words("TLS")
        assert f"{tmp_path / 'ca.pem'} ({name})" in report.words("CA bundle")


def test_certificate_that_ends_soon_is_a_warning(
    vathos: Driver, tmp_path: Path, ca: trustme.CA
) -> None:
    """Two weeks before its end there is time to renew it."""
    issued = ca.issue_cert("127.0.0.1", not_after=days_from_now(3.5))
    report = Secure(vathos, issued, VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")).examined()
    assert report.status == Exit.DONE
    assert report.outcome("TLS") == "warning"
    assert "another 3 days" in report.words("TLS")


@pytest.mark.parametrize(
    ("host", "dates", "detail", "fix"),
    [
        ("127.0.0.1", (-9, -2), "expired", "clock"),
        ("127.0.0.1", (2, 9), "not valid yet", "clock"),
        ("127.0.0.2", (-9, 9), "another host name", "name in the certificate"),
    ],
)
def test_problems_of_a_certificate_are_told_apart(
    vathos: Driver,
    tmp_path: Path,
    ca: trustme.CA,
    host: str,
    dates: tuple[float, float],
    detail: str,
    fix: str,
) -> None:
    """Expired, not yet valid, and for another host: each has its own words and its own fix."""
    start, end = map(days_from_now, dates)
    issued = ca.issue_cert(host, not_before=start, not_after=end)
    report = Secure(vathos, issued, VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")).examined()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert detail in report["TLS"]["detail"]
    assert fix in report["TLS"]["fix"]
    assert "token" not in report


def test_unknown_ca_is_told_apart(vathos: Driver, ca: trustme.CA) -> None:
    """A CA that is not trusted here is not reported as a problem of the certificate."""
    report = Secure(vathos, ca.issue_cert("127.0.0.1")).examined()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert "a CA that is not trusted" in report.words("TLS")
    assert "VATHOS_CA_BUNDLE" in report.words("TLS")


def test_plain_http_in_place_of_tls_fails(vathos: Driver) -> None:
    """A server that speaks http at an https URL fails with 7."""
    url = vathos.server.token_url.replace("http:", "https:")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.UNSAFE
    assert report.outcome("TLS") == "failed"
    assert "serve https" in report.words("TLS")


def test_tls_through_a_proxy(vathos: Driver, tmp_path: Path, ca: trustme.CA) -> None:
    """The certificate is looked at through the proxy that the requests use, with its login."""
    received: list[bytes] = []

    def proxy(connection: Any) -> None:
        connection.tunnel()
        received.append(connection.received)

    with Wire(proxy) as wire:
        secure = Secure(
            vathos, ca.issue_cert("127.0.0.1"), VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")
        )
        report = secure.examined(https_proxy=f"http://ada:pass%20word@127.0.0.1:{wire.port}")
    assert report.status == Exit.DONE
    assert report.outcome("TLS") == "ok"
    assert report.outcome("token") == "ok"
    assert b"proxy-authorization: basic ywrhonbhc3mgd29yza==" in received[0].lower()


@pytest.mark.parametrize("status", ["407 Login wanted", "502 Bad Gateway"])
def test_proxy_that_refuses_fails(vathos: Driver, status: str) -> None:
    """A proxy that answers with an error instead of a tunnel fails with 5, in its own words."""
    with Wire(answering(b"", status=status)) as wire:
        url = "https://127.0.0.1:1/token"
        proxy = f"http://127.0.0.1:{wire.port}"
        report = doctor(vathos, VATHOS_TOKEN_URL=url, https_proxy=proxy)
    assert report.status == Exit.UNREACHABLE
    assert report.outcome("TLS") == "failed"
    assert status in report.words("TLS")


def test_proxy_of_another_kind_is_left_alone(vathos: Driver) -> None:
    """TLS through a proxy that speaks TLS itself is left to the requests that follow."""
    with closed_port() as port:
        url = "https://127.0.0.1:1/token"
        report = doctor(vathos, VATHOS_TOKEN_URL=url, https_proxy=f"https://127.0.0.1:{port}")
    assert report.outcome("TLS") == "ok"
    assert report.outcome("realm") == "failed"


def test_certificate_with_another_problem(vathos: Driver, ca: trustme.CA) -> None:
    """A problem without words of its own is reported in those of the TLS library."""
    error = ssl.SSLCertVerificationError("certificate verify failed")
    error.verify_code, error.verify_message = 79, "invalid CA certificate"
    with mock.patch("http.client.HTTPSConnection.connect", side_effect=error):
        report = Secure(vathos, ca.issue_cert("127.0.0.1")).examined()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert "invalid CA certificate" in report.words("TLS")


# --- what the servers say -----------------------------------------------------------------------


def test_missing_auth_is_found(vathos: Driver) -> None:
    """A path without /auth that needs it fails with 3, and the right URL is the fix."""
    origin = origin_of(vathos.server)
    report = doctor(vathos, VATHOS_TOKEN_URL=f"{origin}{PATH}")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["realm"]
    assert report["realm"]["fix"] == f"set VATHOS_TOKEN_URL={origin}/auth{PATH}"
    assert "token" not in report


def test_superfluous_auth_is_found(vathos: Driver) -> None:
    """The other way round the URL without /auth is the fix."""

    def keycloak(connection: Any) -> None:
        path = connection.read_request().line.split(" ")[1].encode()
        status = b"404 Not Found" if path.startswith(b"/auth/") else b"405 Method Not Allowed"
        connection.send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    with Wire(keycloak) as wire:
        origin = f"http://127.0.0.1:{wire.port}"
        report = doctor(vathos, VATHOS_TOKEN_URL=f"{origin}/auth{PATH}")
    assert report.bad == ["realm"]
    assert report["realm"]["fix"] == f"set VATHOS_TOKEN_URL={origin}{PATH}"
    assert report.outcome("clock") == "ok"  # there is no Date header to compare with


def test_unknown_realm_is_told(vathos: Driver) -> None:
    """Where neither path is there the name of the realm is in question."""
    url = vathos.server.token_url.replace("picking", "packing")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["realm"]
    assert "realm name in VATHOS_TOKEN_URL" in report.words("realm")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("302 Found", Exit.UNSAFE),
        ("503 Service Unavailable", Exit.UNREACHABLE),
        ("404 Not Found", Exit.CONFIGURATION),
    ],
)
def test_realm_that_is_none(vathos: Driver, answer: str, status: Exit) -> None:
    """A redirect, a broken server and a missing path have a status each; no secret is sent."""
    code = answer.partition(" ")[0]
    with Wire(answering(b"", status=answer, headers=("Location: https://example.org/",))) as wire:
        url = f"http://127.0.0.1:{wire.port}{PATH}"
        report = doctor(vathos, VATHOS_TOKEN_URL=url)
        received = [connection.received for connection in wire.connections]
    assert report.status == status
    assert report.bad == ["realm"]
    assert f"{url} answers HTTP {code}" in report.words("realm")
    assert "token" not in report
    assert len(received) == 2
    assert not any(vathos.server.client_secret.encode() in each for each in received)


@pytest.mark.parametrize("answer", ["404 Not Found", "302 Found"])
def test_token_endpoint_of_another_kind_need_not_answer_a_get(vathos: Driver, answer: str) -> None:
    """A path that is not Keycloak's may say what it likes to a GET; the token decides."""
    body = json.dumps({"access_token": "t", "token_type": "Bearer", "expires_in": 60}).encode()

    def behave(connection: Any) -> None:
        is_post = connection.read_request().line.startswith("POST ")
        status, content = ("200 OK", body) if is_post else (answer, b"")
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: "
        connection.send(f"{head}{len(content)}\r\n\r\n".encode() + content)

    with Wire(behave) as wire:
        url = f"http://127.0.0.1:{wire.port}/oauth/token"
        report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.outcome("realm") == "warning"
    assert report.outcome("token") == "ok"
    assert report.outcome("discovery") == "ok"


def test_issuer_without_a_document_fails(vathos: Driver) -> None:
    """An issuer that has no document fails with 3, as nobody refused any credentials."""
    issuer = f"{origin_of(vathos.server)}/elsewhere"
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=issuer)
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["discovery"]
    assert issuer in report.words("discovery")
    assert "token" not in report
    vathos.server.fail("discovery", Fault.status(503), times=None)
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=vathos.server.issuer)
    assert report.status == Exit.UNREACHABLE


def test_issuer_is_discovered(vathos: Driver) -> None:
    """An issuer is told with the token endpoint that its document names."""
    server = vathos.server
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=server.issuer)
    assert report.status == Exit.DONE
    assert server.token_url in report.words("discovery")
    without = server.issuer.replace("/auth/", "/")
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=without)
    assert report["realm"]["fix"] == f"set VATHOS_ISSUER={server.issuer}"


def test_document_of_another_issuer_fails(vathos: Driver) -> None:
    """A document that is another issuer's fails with 3."""
    server = vathos.server
    server.fail("discovery", Fault.amend(issuer="https://other.example"), times=None)
    report = doctor(vathos, VATHOS_TOKEN_URL="", VATHOS_ISSUER=server.issuer)
    assert report.status == Exit.CONFIGURATION
    assert "https://other.example" in report.words("discovery")
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.words("discovery").startswith("not used, and would not work")


@pytest.mark.parametrize(("seconds", "side"), [(100, "behind"), (-100, "ahead of")])
def test_clock_offset_is_a_warning(vathos: Driver, seconds: float, side: str) -> None:
    """A clock that differs by more than some seconds is told with its side."""
    vathos.server.advance(seconds)
    report = doctor(vathos)
    assert report.status == Exit.DONE
    assert report.outcome("clock") == "warning"
    offsets = [f"{abs(seconds) + more} s {side} the server's" for more in (-1, 0, 1)]
    assert any(offset in report.words("clock") for offset in offsets)
    assert "NTP" in report.words("clock")


def test_refused_credentials_fail(vathos: Driver) -> None:
    """Credentials that the server refuses fail with 4, after one attempt."""
    report = doctor(vathos, VATHOS_CLIENT_SECRET=CANARY.client_secret)
    assert report.status == Exit.REFUSED
    assert report.bad == ["token"]
    assert "invalid_client" in report.words("token")
    assert vathos.server.count("client_credentials") == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.status(503), Exit.UNREACHABLE),
        (Fault.redirect("https://example.org"), Exit.UNSAFE),
        (Fault.html(), Exit.UNREACHABLE),
    ],
)
def test_broken_token_endpoint_fails(vathos: Driver, fault: Fault, status: Exit) -> None:
    """A token endpoint that gives none fails by what that means."""
    # The first request asks whether the path is there.
    vathos.server.fail("token", Fault.delay(0))
    vathos.server.fail("token", fault)
    report = doctor(vathos)
    assert report.status == status
    assert report.bad == ["token"]


def test_token_without_lifetime_is_a_warning(vathos: Driver) -> None:
    """A server that names no lifetime has tokens used until the API refuses them."""
    vathos.server.fail("token", Fault.without("expires_in"), times=None)
    report = doctor(vathos)
    assert report.outcome("token") == "warning"


@pytest.mark.parametrize(
    ("fault", "outcome", "status", "detail"),
    [
        (Fault.status(401), "failed", Exit.CONFIGURATION, "HTTP 401 to a new token"),
        (Fault.status(403), "warning", Exit.DONE, "HTTP 403"),
        (Fault.status(404), "ok", Exit.DONE, "HTTP 404"),
        (Fault.status(502), "failed", Exit.UNREACHABLE, "HTTP 502"),
        (Fault.redirect("/v2"), "warning", Exit.DONE, "HTTP 302, a redirect"),
    ],
)
def test_api_answers(vathos: Driver, fault: Fault, outcome: str, status: Exit, detail: str) -> None:
    """What the API says to a good token is judged by what to do about it."""
    vathos.server.fail("api", fault)
    report = doctor(vathos)
    assert report.status == status
    assert report.outcome("API") == outcome
    assert f"{vathos.server.api_url} answers {detail}" in report.words("API")
    assert vathos.server.api.count() == 1


def test_api_that_breaks_off_fails(vathos: Driver) -> None:
    """An API that gives no answer fails with 5."""
    vathos.server.fail("api", Fault.drop_before())
    report = doctor(vathos)
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["API"]
    assert "VATHOS_BASE_URL" in report.words("API")


def test_api_elsewhere_is_reached_on_its_own_way(vathos: Driver) -> None:
    """An API on another host has a way of its own, and fails on its own."""
    report = doctor(vathos, VATHOS_BASE_URL="https://api.invalid/v1")
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["API DNS"]
    assert report.outcome("token") == "ok"
    assert "API" not in report


def test_worst_failure_is_the_status(vathos: Driver, tmp_path: Path) -> None:
    """Of several failures the status is that of the worst: 7, 3, 4, 5."""
    folder = tmp_path / "store"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    given = {"VATHOS_CLIENT_SECRET": "wrong", "VATHOS_BASE_URL": "https://api.invalid"}
    assert doctor(vathos, **given).status == Exit.REFUSED
    given["REQUESTS_CA_BUNDLE"] = str(tmp_path / "missing")
    assert doctor(vathos, **given).status == Exit.CONFIGURATION
    given["VATHOS_TOKEN_STORE"] = f"file:{folder}"
    assert doctor(vathos, **given).status == Exit.UNSAFE
