"""`ca_bundle = "system"`: token requests and sessions trust what the operating system trusts."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import requests
import trustme

import vathos
from vathos.config.settings import resolve
from vathos.errors import ConfigurationError, TokenRequestError
from vathos.integrations.httpx2 import BearerAuth
from vathos.oauth.trust import system_context, system_trusts
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthorizationServer]:
    """A server whose authority only the operating system trusts, by a variable of OpenSSL."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    system_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with AuthorizationServer(tls=context) as server:
        yield server
    system_context.cache_clear()


def test_system_is_trusted_in_token_requests_and_sessions(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the setting both find the server; without it neither does."""
    account = server.service_account
    with pytest.raises(TokenRequestError):
        vathos.VathosSession(**account, store=MemoryStore()).get("x")
    monkeypatch.setenv("VATHOS_CA_BUNDLE", "system")
    with vathos.VathosSession(**account, store=MemoryStore()) as session:
        assert [session.get("x").status_code for _ in range(3)] == [200] * 3
        assert len(server.api.requests) == 3
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.api_url, timeout=5)


def test_what_only_certifi_trusts_is_refused(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the setting, the list of certifi does not count."""
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tmp_path / "ca.pem"))
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    account = server.service_account
    assert vathos.VathosSession(**account, store=MemoryStore()).get("x").status_code == 200
    monkeypatch.setenv("VATHOS_CA_BUNDLE", "system")
    with pytest.raises(TokenRequestError, match="local issuer"):
        vathos.VathosSession(**account, store=MemoryStore()).get("x")


def test_one_setting_serves_requests_and_httpx2(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What httpx2 trusts by itself, the source trusts then too."""
    monkeypatch.setenv("VATHOS_CA_BUNDLE", "system")
    robot = vathos.source(**server.service_account, store=MemoryStore())
    with httpx2.Client(auth=BearerAuth(robot), base_url=robot.base_url) as client:
        assert client.get("x").status_code == 200


def test_profile_may_name_the_system(tmp_path: Path) -> None:
    """In a profile it is no file beside the profile; a path still is."""
    config = tmp_path / "config.toml"
    config.write_text('[profile.a]\nca_bundle = "system"\n[profile.b]\nca_bundle = "ca.pem"\n')
    config.chmod(0o600)
    assert resolve({}, profile="a", config=str(config)).ca_bundle == "system"
    assert resolve({}, profile="b", config=str(config)).ca_bundle == str(tmp_path / "ca.pem")


def test_missing_package_is_named(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without truststore the setting is an error that says what to install."""
    monkeypatch.setitem(sys.modules, "truststore", None)
    with pytest.raises(ConfigurationError, match="needs the package truststore"):
        system_context()
    assert type(system_trusts()) is ssl.SSLContext
