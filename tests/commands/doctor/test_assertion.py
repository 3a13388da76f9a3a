"""What `vathos doctor` says of a client assertion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.doctor.report import Report, doctor
from tests.commands.driving import Driver
from tests.oauth.keys import write_key
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Client

POD = "system:serviceaccount:picking:robot"


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[tuple[AuthorizationServer, Path]]:
    """A server that knows a pod, and the pod's file."""
    with AuthorizationServer(clients=[Client("robot", workload=POD)]) as server:
        yield server, tmp_path / "token"


def report_on(
    vathos: Driver, pod: tuple[AuthorizationServer, Path], text: str, *options: str
) -> Report:
    """Writes the file, and runs the doctor with nothing else."""
    server, path = pod
    path.write_text(text)
    environ = {"VATHOS_TOKEN_URL": server.token_url, "VATHOS_BASE_URL": server.api_url}
    none = {"VATHOS_CLIENT_ID": "", "VATHOS_CLIENT_SECRET": ""}
    return doctor(vathos, *options, **environ, **none, VATHOS_CLIENT_ASSERTION_FILE=str(path))


def test_good_assertion(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """Issuer, subject, audience and end are shown, and a token is had with it."""
    server, _ = pod
    report = report_on(vathos, pod, server.workload_token())
    assert (report.status, report.bad) == (Exit.DONE, [])
    words = report.words("client assertion")
    assert f"iss {server.workload_issuer}, sub {POD}, aud {server.issuer}, works for" in words
    assert report.outcome("token") == "ok"


def test_wrong_audience(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """The commonest mistake is told with the lines that a pod needs."""
    server, _ = pod
    report = report_on(vathos, pod, server.workload_token(aud="api"), "--no-network")
    assert (report.status, report.bad) == (Exit.REFUSED, ["client assertion"])
    assert f"aud api: the server takes one audience only, {server.issuer}" in report.words(
        "client assertion"
    )
    assert f"\n        audience: {server.issuer}\n" in report["client assertion"]["fix"]


def test_two_audiences(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """An audience beside the issuer is one too many; outside of a pod no pod is described."""
    server, _ = pod
    audiences = [server.issuer, server.token_url]
    report = report_on(vathos, pod, server.workload_token("ci", audiences), "--no-network")
    assert report.bad == ["client assertion"]
    assert report["client assertion"]["fix"] == f"have it issued for the audience {server.issuer}"


@pytest.mark.parametrize(
    ("claims", "said"),
    [({"lifetime": -60}, "it expired 6"), ({"exp": None}, "it has no exp")],
)
def test_end(
    vathos: Driver,
    pod: tuple[AuthorizationServer, Path],
    claims: dict[str, float],
    said: str,
) -> None:
    """An assertion that has ended, or says no end, will be refused."""
    server, _ = pod
    report = report_on(vathos, pod, server.workload_token(**claims), "--no-network")
    assert report.bad == ["client assertion"]
    assert said in report.words("client assertion")


def test_no_jwt(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """What cannot be read may be right all the same."""
    report = report_on(vathos, pod, "opaque", "--no-network")
    assert report.outcome("client assertion") == "warning"


def test_missing_file(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """A file that is not there is named."""
    path = pod[1].with_name("missing")
    none = {"VATHOS_CLIENT_ID": "", "VATHOS_CLIENT_SECRET": ""}
    report = doctor(vathos, "--no-network", VATHOS_CLIENT_ASSERTION_FILE=str(path), **none)
    assert report.bad == ["client assertion"]
    assert str(path) in report.words("client assertion")


def test_fix_of_several_lines_is_printed_below_each_other(
    vathos: Driver, pod: tuple[AuthorizationServer, Path]
) -> None:
    """The lines for the pod can be copied from the terminal."""
    server, path = pod
    path.write_text(server.workload_token(aud="api"))
    done = vathos(
        "doctor",
        "--no-network",
        VATHOS_TOKEN_URL=server.token_url,
        VATHOS_CLIENT_ID="",
        VATHOS_CLIENT_SECRET="",
        VATHOS_CLIENT_ASSERTION_FILE=str(path),
    )
    assert f"\n                   audience: {server.issuer}\n" in done.out


def test_key_of_a_client(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """A key that can be used is told; one that others can read is refused with the fix."""
    key = pod[1].with_name("robot.pem")
    write_key(key)
    none = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_KEY_FILE": str(key)}
    report = doctor(vathos, "--no-network", **none)
    assert (report.bad, report.outcome("client key")) == ([], "ok")
    key.chmod(0o644)
    report = doctor(vathos, "--no-network", **none)
    assert (report.status, report.bad) == (Exit.UNSAFE, ["client assertion"])
    assert f"chmod 600 {key}" in report.words("client assertion")


def test_certificate_of_a_client(vathos: Driver, pod: tuple[AuthorizationServer, Path]) -> None:
    """A certificate without its key is named."""
    path = pod[1].with_name("robot.crt")
    path.touch(0o600)
    none = {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_CERT_FILE": str(path)}
    report = doctor(vathos, "--no-network", **none)
    assert report.bad == ["client assertion"]
    assert f"certificate and key in {path}" in report.words("client assertion")
