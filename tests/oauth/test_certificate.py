"""Client certificates: token requests and API requests with the one that is in the file now."""

from __future__ import annotations

import pickle
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests
import trustme

import vathos
from vathos import VathosSession
from vathos.errors import ConfigurationError, InsecureFileError, InvalidClientError
from vathos.oauth import discovery
from vathos.oauth.certificate import ClientCertificate
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, http_server

NAME = "robot-certificate"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache of discovery documents."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    discovery.forget()


class Factory:
    """An authority, and the certificates that it gives to robots."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.bundle = str(folder / "authority.pem")
        self._authority.cert_pem.write_to_path(self.bundle)

    def context(self) -> ssl.SSLContext:
        """TLS settings of a server that asks for certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(context)
        self._authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def issue(self, path: Path, name: str = "robot", key: Path | None = None) -> None:
        """Puts a new certificate and its key into one file, or into two."""
        issued = self._authority.issue_cert(
            "robot.example",
            common_name=name,
            organization_unit_name="robots",
            organization_name="example",
        )
        files = [(path, [*issued.cert_chain_pems])]
        if key is not None:
            files.append((key, [issued.private_key_pem]))
        else:
            files[0][1].append(issued.private_key_pem)
        for file, parts in files:
            new = file.with_suffix(".new")
            new.touch(0o600)
            new.write_bytes(b"".join(part.bytes() for part in parts))
            new.replace(file)


class Served(NamedTuple):
    """A server, and whose certificate each request came with."""

    server: AuthorizationServer
    subjects: list[str]


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Factory:
    """An authority for the tests of this file."""
    return Factory(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def served(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server with TLS that knows two certificates."""
    clients = [
        Client(NAME, certificate="CN=robot,OU=robots,O=example"),
        Client("robot-secret", "secret"),
    ]
    seen: list[str] = []
    real = http_server.certificate_subject

    def subject(connection: socket.socket) -> str:
        seen.append(real(connection).partition(",")[0].removeprefix("CN="))
        return real(connection)

    monkeypatch.setattr(http_server, "certificate_subject", subject)
    with AuthorizationServer(clients=clients, tls=factory.context()) as running:
        yield Served(running, seen)


@pytest.fixture
def file(tmp_path: Path, factory: Factory) -> Path:
    """A robot's certificate with its key."""
    path = tmp_path / "robot.pem"
    factory.issue(path)
    return path


def session_of(served: Served, factory: Factory, **options: Any) -> VathosSession:
    """A session that trusts the authority."""
    server = served.server
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    defaults = {"client_id": NAME, "store": MemoryStore()}
    session = VathosSession(**{**urls, **defaults, **options})  # type: ignore[arg-type]
    session.verify = factory.bundle
    return session


# --- the wire -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [None, "tls_client_auth"])
def test_certificate_proves_the_client(
    served: Served, factory: Factory, file: Path, method: str | None
) -> None:
    """The client id alone is in the form; the API sees the certificate too."""
    session = session_of(served, factory, client_cert_file=file, client_authentication=method)
    assert session.get("products").ok
    (request,) = [each for each in served.server.requests if each.endpoint == "token"]
    assert set(request.form) == {"client_id", "grant_type"}
    assert not request.has_authorization
    assert served.subjects == ["robot", "robot"]


def test_key_may_be_in_a_file_of_its_own(served: Served, factory: Factory, tmp_path: Path) -> None:
    """Certificate and key are often two files."""
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    factory.issue(cert, key=key)
    options = {"client_authentication": "tls_client_auth", "client_key_file": key}
    assert session_of(served, factory, client_cert_file=cert, **options).get("products").ok


def test_certificate_beside_a_secret(served: Served, factory: Factory, file: Path) -> None:
    """A client that proves itself by a secret may show a certificate as well."""
    session = session_of(
        served, factory, client_id="robot-secret", client_secret="secret", client_cert_file=file
    )
    assert session.get("products").ok
    assert served.subjects == ["robot", "robot"]


def test_source_uses_the_certificate(
    served: Served, file: Path, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does a source without a session, and everything may come from the environment."""
    monkeypatch.setenv("VATHOS_CLIENT_ID", NAME)
    monkeypatch.setenv("VATHOS_CLIENT_CERT_FILE", str(file))
    monkeypatch.setenv("VATHOS_TOKEN_URL", served.server.token_url)
    monkeypatch.setenv("VATHOS_CA_BUNDLE", factory.bundle)
    assert vathos.source(store=MemoryStore()).token().access_token == served.server.issued[0]
    assert served.subjects == ["robot"]


def test_aliases_of_the_issuer_are_used(factory: Factory, file: Path) -> None:
    """With a certificate, token requests go where the discovery document says, else they do not."""
    clients = [Client(NAME, "secret", certificate="CN=robot,OU=robots,O=example")]
    with AuthorizationServer(clients=clients, mtls=factory.context()) as server:
        options = {"issuer": server.issuer, "base_url": server.api_url}
        for credentials in ({"client_secret": "secret"}, {"client_cert_file": file}):
            session = VathosSession(NAME, **options, **credentials, store=MemoryStore())  # type: ignore[arg-type]
            session.verify = factory.bundle
            session.fetch_token()
            discovery.forget()  # the second time from the cache folder
        assert server.count() == 2
        session.revoke()


# --- certificates that are replaced -------------------------------------------------------------


def test_new_certificate_is_used_at_once(served: Served, factory: Factory, file: Path) -> None:
    """As soon as the file has another one, both token requests and API requests show it."""
    session = session_of(served, factory, client_cert_file=file)
    session.get("products")
    factory.issue(file, "robot-2")
    assert session.get("products").ok
    assert served.subjects == ["robot", "robot", "robot-2"]
    with pytest.raises(InvalidClientError, match="does not take the certificate"):
        session.fetch_token()
    assert served.subjects[3:] == ["robot-2"]
    factory.issue(file, "robot")
    session.fetch_token()


def test_connection_is_kept_while_the_certificate_stays(
    served: Served, factory: Factory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looking at the file makes no new connection."""
    made: list[object] = []
    real = ssl.SSLContext.wrap_socket
    session = session_of(served, factory, client_cert_file=file)
    session.get("products")
    monkeypatch.setattr(
        ssl.SSLContext, "wrap_socket", lambda *a, **k: made.append(1) or real(*a, **k)
    )
    for _ in range(3):
        session.get("products")
    assert made == []


def test_pair_that_does_not_match_is_left_alone(
    served: Served, factory: Factory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Between two writes the pair before is used, and one line says so; then the new one is."""
    cert, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    new_cert, new_key = tmp_path / "new.crt", tmp_path / "new.key"
    factory.issue(cert, key=key)
    options = {"client_authentication": "tls_client_auth", "client_key_file": key}
    session = session_of(served, factory, client_cert_file=cert, **options)
    session.get("products")
    factory.issue(new_cert, "robot-2", key=new_key)
    new_cert.replace(cert)
    for _ in range(3):
        assert session.get("products").ok
    assert served.subjects == ["robot"] * 5
    assert caplog.text.count("do not belong together") == 1
    assert "the certificate before is still used" in caplog.text
    new_key.replace(key)
    session.get("products")
    assert served.subjects[5:] == ["robot-2"]


def test_missing_file_leaves_the_certificate_in_use(
    served: Served, factory: Factory, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that is gone for a moment is no outage for API requests."""
    session = session_of(served, factory, client_cert_file=file)
    session.get("products")
    file.unlink()
    assert session.get("products").ok
    assert "cannot be read" in caplog.text


# --- values that are none -----------------------------------------------------------------------


def test_file_that_holds_no_pair_is_named(served: Served, factory: Factory, tmp_path: Path) -> None:
    """At the start there is no pair before: it is an error, and nothing is sent."""
    path = tmp_path / "robot.pem"
    path.touch(0o600)
    for content in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        path.write_text(content)
        with pytest.raises(ConfigurationError, match=str(path)):
            session_of(served, factory, client_cert_file=path).get("products")
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        session_of(served, factory, client_cert_file=tmp_path / "missing.pem").get("products")
    assert served.subjects == []


def test_key_that_others_can_read_is_refused(served: Served, factory: Factory, file: Path) -> None:
    """The file with the key is closed to others."""
    file.chmod(0o644)
    with pytest.raises(InsecureFileError, match=f"chmod 600 {file}"):
        session_of(served, factory, client_cert_file=file).get("products")


def test_half_a_configuration_is_refused(file: Path) -> None:
    """The method without a certificate, and with something else beside it, names both."""
    method = {"client_authentication": "tls_client_auth"}
    for options, said in (
        (method, "client_authentication .* tls_client_auth, and there is no certificate"),
        (
            {**method, "client_cert_file": file, "client_secret": "s"},
            "both client_authentication .* and client_secret",
        ),
        (
            {**method, "client_cert_file": file, "assertion": "x"},
            "both client_authentication .* and client_assertion",
        ),
    ):
        with pytest.raises(ConfigurationError, match=said):
            VathosSession(NAME, **options)  # type: ignore[arg-type]


def test_secret_of_a_shell_does_not_count(
    served: Served, factory: Factory, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that was left in the environment does not stand beside the method of an argument."""
    monkeypatch.setenv("VATHOS_CLIENT_SECRET", "left-over")
    options = {"client_cert_file": file, "client_authentication": "tls_client_auth"}
    assert session_of(served, factory, **options).get("products").ok


def test_session_can_be_pickled(served: Served, factory: Factory, file: Path) -> None:
    """A session travels with the path, and reads the certificate where it arrives."""
    session = session_of(served, factory, client_cert_file=file, store=None)
    session.get("products")
    copy = pickle.loads(pickle.dumps(session))
    assert copy.get("products").ok
    assert isinstance(copy.cert, ClientCertificate)
    assert served.subjects[-1] == "robot"


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_certificate_is_not_verified_less(served: Served, factory: Factory, file: Path) -> None:
    """A request that verifies nothing does not make another one trust what it should not."""
    session = session_of(served, factory, client_cert_file=file)
    session.get("products")
    session.get("products", verify=False)
    session.verify = True
    with pytest.raises(requests.exceptions.SSLError):
        session.get("products")
