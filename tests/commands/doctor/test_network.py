"""What `vathos doctor` checks on the way to a server."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import trustme

from tests.canaries import CANARY
from tests.commands.doctor.report import Report, doctor
from tests.commands.driving import Driver, environment
from tests.wire import Wire, answering, closed_port
from vathos.commands.doctor import network
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer


def test_unknown_name_fails(vathos: Driver) -> None:
    """A host name that DNS does not know fails with 5, and what depends on it is skipped."""
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
    checked, resolved = threading.Event(), threading.Event()

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if host != "auth.invalid":
            return real(host, *arguments, **options)
        if error is None:
            checked.wait(30)
        resolved.set()
        raise error or OSError

    with mock.patch.object(socket, "getaddrinfo", resolve):
        report = doctor(
            vathos, "--token-timeout", "0.05", VATHOS_TOKEN_URL="https://auth.invalid/token"
        )
        checked.set()
        assert resolved.wait(30)  # so that the resolver ends before the patch does
    assert report.outcome("DNS") == "failed"
    assert "name server" in report.words("DNS")
    assert ("Temporary failure" if error else "0.05 s") in report.words("DNS")


def test_host_that_is_no_name_fails(vathos: Driver) -> None:
    """A host name with a part that is too long fails with 3."""
    host = f"{'a' * 64}.localhost"
    with mock.patch.object(network.socket, "getaddrinfo", side_effect=UnicodeError):
        report = doctor(vathos, VATHOS_TOKEN_URL=f"https://{host}/token")
    assert report.status == Exit.CONFIGURATION
    assert report.bad[0] == "DNS"
    assert host in report.words("DNS")


def test_name_is_resolved(vathos: Driver) -> None:
    """A host name is reported with its addresses."""
    url = vathos.server.token_url.replace("127.0.0.1", "localhost")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.DONE
    assert "127.0.0.1" in report.words("DNS")


def test_server_that_is_not_there_fails(vathos: Driver) -> None:
    """A closed port fails with 5."""
    with closed_port() as port:
        report = doctor(vathos, VATHOS_TOKEN_URL=f"http://127.0.0.1:{port}/token")
    assert report.status == Exit.UNREACHABLE
    assert report.bad == ["realm"]
    assert "Connection refused" in report.words("realm")


def test_proxy_is_told_without_its_password(vathos: Driver) -> None:
    """The proxy in use is reported with the variable that names it, and so is an exemption."""
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
    """A proxy that is not a URL fails with 3, and is not printed."""
    report = doctor(vathos, http_proxy=f"http://ada:{CANARY.password}")
    assert report.status == Exit.CONFIGURATION
    assert report.bad == ["proxy"]
    assert CANARY.password not in report.words("proxy")


# --- TLS


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

    def checked(self, **environ: str) -> Report:
        """Runs the doctor on it."""
        with AuthorizationServer(tls=self._context) as server:
            return doctor(self._vathos, **environment(server), **self._environ, **environ)


def days_from_now(days: float) -> datetime.datetime:
    """Returns a moment so many days from now."""
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)


def test_tls_is_told(vathos: Driver, tmp_path: Path, ca: trustme.CA) -> None:
    """A trusted certificate is reported with the days it is still valid, and with its CA bundle."""
    issued = ca.issue_cert("127.0.0.1", not_after=days_from_now(90.5))
    for name in ("VATHOS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        report = Secure(vathos, issued, **{name: str(tmp_path / "ca.pem")}).checked()
        assert report.status == Exit.DONE
        assert report.outcome("TLS") == "ok"
        assert "127.0.0.1: TLSv1." in report.words("TLS")
        assert "another 90 days" in report.words("TLS")
        assert f"{tmp_path / 'ca.pem'} ({name})" in report.words("CA bundle")


def test_certificate_that_ends_soon_is_a_warning(
    vathos: Driver, tmp_path: Path, ca: trustme.CA
) -> None:
    """A certificate that expires within two weeks is a warning."""
    issued = ca.issue_cert("127.0.0.1", not_after=days_from_now(3.5))
    report = Secure(vathos, issued, VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")).checked()
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
    report = Secure(vathos, issued, VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")).checked()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert detail in report["TLS"]["detail"]
    assert fix in report["TLS"]["fix"]
    assert "token" not in report


def test_unknown_ca_is_told_apart(vathos: Driver, ca: trustme.CA) -> None:
    """A CA that is not trusted here is not reported as a problem of the certificate."""
    report = Secure(vathos, ca.issue_cert("127.0.0.1")).checked()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert "a CA that is not trusted" in report.words("TLS")
    assert "VATHOS_CA_BUNDLE" in report.words("TLS")


def test_ca_that_the_system_trusts_is_named(vathos: Driver, tmp_path: Path, ca: trustme.CA) -> None:
    """Where requests and the operating system disagree, the doctor says how to make them agree."""
    secure = Secure(vathos, ca.issue_cert("127.0.0.1"), SSL_CERT_FILE=str(tmp_path / "ca.pem"))
    report = secure.checked()
    assert report.bad == ["TLS"]
    assert 'set ca_bundle to "system"' in report.words("TLS")
    report = secure.checked(VATHOS_CA_BUNDLE="system")
    assert report.outcome("TLS") == report.outcome("CA bundle") == "ok"
    assert "the operating system trusts" in report.words("CA bundle")


def test_ca_that_only_requests_trusts_is_a_warning(
    vathos: Driver, tmp_path: Path, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that httpx2 in the same process would refuse is told."""
    path = str(tmp_path / "ca.pem")
    monkeypatch.setattr("requests.utils.DEFAULT_CA_BUNDLE_PATH", path)
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", path)
    report = Secure(vathos, ca.issue_cert("127.0.0.1")).checked()
    assert report.outcome("TLS") == "ok"
    assert report.outcome("TLS trust") == "warning"
    assert "httpx2 in this process would refuse" in report.words("TLS trust")


def test_plain_http_in_place_of_tls_fails(vathos: Driver) -> None:
    """A server that speaks http at an https URL fails with 7."""
    url = vathos.server.token_url.replace("http:", "https:")
    report = doctor(vathos, VATHOS_TOKEN_URL=url)
    assert report.status == Exit.UNSAFE
    assert report.outcome("TLS") == "failed"
    assert "serve https" in report.words("TLS")


def test_tls_through_a_proxy(vathos: Driver, tmp_path: Path, ca: trustme.CA) -> None:
    """The certificate is checked through the proxy that the requests use, with its login."""
    received: list[bytes] = []

    def proxy(connection: Any) -> None:
        connection.tunnel()
        received.append(connection.received)

    with Wire(proxy) as wire:
        secure = Secure(
            vathos, ca.issue_cert("127.0.0.1"), VATHOS_CA_BUNDLE=str(tmp_path / "ca.pem")
        )
        report = secure.checked(https_proxy=f"http://ada:pass%20word@127.0.0.1:{wire.port}")
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
        report = Secure(vathos, ca.issue_cert("127.0.0.1")).checked()
    assert report.status == Exit.UNSAFE
    assert report.bad == ["TLS"]
    assert "invalid CA certificate" in report.words("TLS")
