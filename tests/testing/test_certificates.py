"""TLS client certificates (RFC 8705 §2.1), and the endpoints for them (§5)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.testing.plain import credentials, send
from vathos.testing import AuthorizationServer, Client
from vathos.testing.certificates import same_subject

SUBJECT = "CN=robot\\, the first,OU=robots,O=example"


class Authority:
    """A certificate authority, and the files of a robot."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.path = str(folder / "authority.pem")
        self.authority.cert_pem.write_to_path(self.path)

    def context(self) -> ssl.SSLContext:
        """A server context that asks for certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1").configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def certificate(self, name: str) -> str:
        """Writes a certificate with its key, and returns the path."""
        issued = self.authority.issue_cert(
            "robot.example",
            common_name=name,
            organization_unit_name="robots",
            organization_name="example",
        )
        path = f"{self.path}-{len(name)}"
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority for the tests of this file."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: Authority) -> Iterator[AuthorizationServer]:
    """A server with a port for certificates."""
    clients = [Client("robot", "secret"), Client("robot-certificate", certificate=SUBJECT)]
    with AuthorizationServer(clients=clients, mtls=authority.context()) as running:
        yield running


FORM = {"grant_type": "client_credentials", "client_id": "robot-certificate"}


def test_certificate_proves_the_client(server: AuthorizationServer, authority: Authority) -> None:
    """The client id and a certificate with the right subject get a token, at the alias."""
    url = send("GET", server.discovery_url).json()["mtls_endpoint_aliases"]["token_endpoint"]
    assert url.startswith("https://")
    right, wrong = authority.certificate("robot, the first"), authority.certificate("other")
    answers = [
        send("POST", url, data=FORM, cert=certificate, verify=authority.path)
        for certificate in (right, wrong, None)
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert server.tokens()[0].client_id == "robot-certificate"


def test_main_port_sees_no_certificate(server: AuthorizationServer) -> None:
    """Who does not go to the alias is refused; so is who claims a certificate in a header."""
    for headers in ({}, {"certificate": SUBJECT}, {"X-Certificate": SUBJECT}):
        answer = send("POST", server.token_url, data=FORM, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_secrets_work_at_the_alias_too(server: AuthorizationServer, authority: Authority) -> None:
    """The alias is the same server: a client with a secret gets a token there as well."""
    url = send("GET", server.discovery_url).json()["mtls_endpoint_aliases"]["token_endpoint"]
    form = {"grant_type": "client_credentials", **credentials(server)}
    assert send("POST", url, data=form, verify=authority.path).status_code == 200


def test_certificate_of_another_authority_ends_the_handshake(
    server: AuthorizationServer, authority: Authority, tmp_path: Path
) -> None:
    """A certificate that nobody here signed does not come as far as the token endpoint."""
    url = send("GET", server.discovery_url).json()["mtls_endpoint_aliases"]["token_endpoint"]
    stranger = Authority(tmp_path).certificate("robot, the first")
    with pytest.raises(OSError, match=r"SSL|reset|aborted"):
        send("POST", url, data=FORM, cert=stranger, verify=authority.path)
    assert server.count() == 0


def test_one_port_for_both(authority: Authority) -> None:
    """With `tls` that asks for certificates, the token endpoint itself takes them."""
    clients = [Client("robot-certificate", certificate=SUBJECT.replace(",O", ", O"))]
    certificate = authority.certificate("robot, the first")
    with AuthorizationServer(clients=clients, tls=authority.context()) as server:
        answer = send("POST", server.token_url, data=FORM, cert=certificate, verify=authority.path)
        document = send("GET", server.discovery_url, verify=authority.path).json()
    assert answer.status_code == 200
    assert "mtls_endpoint_aliases" not in document
    assert document["token_endpoint_auth_methods_supported"] == ["tls_client_auth"]


def test_no_subject_is_nobodys_subject() -> None:
    """A client without a certificate is not proven by the lack of one."""
    assert not same_subject("", "")
    assert same_subject("CN=a, O=b", "CN=a,O=b")
    assert not same_subject("CN=a,O=b", "CN=a")
