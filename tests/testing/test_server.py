"""The server's life: sockets, threads, TLS, concurrency, clients that misbehave."""

from __future__ import annotations

import contextlib
import pathlib
import ssl
import threading

import pytest
import requests
import trustme

from tests.helpers import together, wait_for
from tests.testing.plain import credentials, login, raw, read_all, refresh, send, service
from vathos.testing import AuthorizationServer


def own_threads(server: AuthorizationServer) -> list[str]:
    """Names of the living threads of a server."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name.startswith(f"vathos-testing-{port_of(server)}")]


def port_of(server: AuthorizationServer) -> int:
    """The port of a server."""
    return int(server.api_url.split(":")[2].split("/")[0])


def test_server_is_ready_and_gone() -> None:
    """It answers when the constructor has returned, and after close nothing listens any more."""
    server = AuthorizationServer()
    assert service(server).status_code == 200
    server.close()
    server.close()
    with pytest.raises(requests.ConnectionError):
        service(server)
    wait_for(lambda: own_threads(server) == [])


def test_close_drops_open_connections(server: AuthorizationServer) -> None:
    """Idle, half-sent and kept-alive connections all end with the server, threads included."""
    with raw(server) as idle, raw(server) as half, raw(server) as kept:
        half.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        kept.sendall(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert kept.recv(65536).startswith(b"HTTP/1.1 401")
        server.close()
        wait_for(lambda: own_threads(server) == [])
        for connection in (idle, half, kept):
            # Whoever was not served yet is reset, the others see the end of the stream.
            with contextlib.suppress(ConnectionResetError):
                assert read_all(connection) == b""


def test_block_closes_the_server() -> None:
    """The with block closes, also when an exception leaves it."""
    with pytest.raises(KeyError), AuthorizationServer() as server:
        raise KeyError
    wait_for(lambda: own_threads(server) == [])


def test_given_port_is_used_and_can_be_taken() -> None:
    """A given port is used; a second server on it is an error that leaves nothing behind."""
    with AuthorizationServer(host="0.0.0.0") as server:
        port = port_of(server)
        assert server.issuer.startswith(f"http://127.0.0.1:{port}/")
        with pytest.raises(OSError, match="in use"):
            AuthorizationServer(host="0.0.0.0", port=port)
    with AuthorizationServer(port=port) as again:
        assert port_of(again) == port


def test_arguments_of_sessions(server: AuthorizationServer) -> None:
    """The dictionaries for sessions hold the credentials and the URLs."""
    assert server.service_account == {
        **credentials(server),
        "token_url": server.token_url,
        "base_url": server.api_url,
    }
    assert server.person.items() >= {("username", "ada"), ("password", server.password)}
    assert repr(server) == f"<AuthorizationServer {server.issuer}>"


def test_tls_serves_https(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With a TLS context the URLs are https; a client that distrusts it harms nobody."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with AuthorizationServer(tls=context) as server:
        assert server.token_url.startswith("https://127.0.0.1:")
        data = {"grant_type": "client_credentials", **credentials(server)}
        with pytest.raises(requests.exceptions.SSLError):
            send("POST", server.token_url, data=data)
        assert send("POST", server.token_url, data=data, verify=str(bundle)).status_code == 200
        with requests.Session() as session, raw(server):
            session.trust_env = False
            kept = session.get(server.discovery_url, verify=str(bundle), timeout=30)
            assert kept.json()["issuer"] == server.issuer
            server.close()
    wait_for(lambda: own_threads(server) == [])
    assert capfd.readouterr().err == ""


def test_sixteen_threads_get_sixteen_numbers(server: AuthorizationServer) -> None:
    """Concurrent grants never share a token or a number, and all are counted."""

    def some() -> list[int]:
        return [server.number(service(server).json()["access_token"]) for _ in range(8)]

    numbers = [number for part in together(16, lambda _: some()) for number in part]  # type: ignore[attr-defined]
    assert sorted(numbers) == list(range(1, 129))
    assert server.count("client_credentials") == 128
    assert len({each.number for each in server.requests}) == 128


def test_one_refresh_token_is_spent_once(server: AuthorizationServer) -> None:
    """Of many concurrent refreshes with one token exactly one succeeds; the rest is reuse."""
    token = login(server).json()["refresh_token"]
    statuses = together(16, lambda _: refresh(server, token).status_code)
    assert sorted(statuses) == [200, *[400] * 15]  # type: ignore[type-var]
    assert server.reuse_events == 1
    assert server.sessions == ()
