"""A plain client: `requests` without netrc and proxies, and a raw socket."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from vathos.testing import AuthorizationServer


def send(method: str, url: str, **options: Any) -> requests.Response:
    """Sends one request on a connection of its own; redirects are not followed."""
    with requests.Session() as session:
        session.trust_env = False
        options.setdefault("allow_redirects", False)
        return session.request(method, url, timeout=30, **options)


def credentials(server: AuthorizationServer) -> dict[str, str]:
    """The default client's credentials as form parameters."""
    return {"client_id": server.client_id, "client_secret": server.client_secret}


def service(server: AuthorizationServer, **form: str) -> requests.Response:
    """A client credentials grant."""
    data = {"grant_type": "client_credentials", **credentials(server), **form}
    return send("POST", server.token_url, data=data)


def login(server: AuthorizationServer, **form: str) -> requests.Response:
    """A password grant."""
    person = {"username": server.username, "password": server.password}
    data = {"grant_type": "password", **credentials(server), **person, **form}
    return send("POST", server.token_url, data=data)


def refresh(server: AuthorizationServer, token: str, **form: str) -> requests.Response:
    """A refresh grant."""
    data = {"grant_type": "refresh_token", "refresh_token": token, **credentials(server), **form}
    return send("POST", server.token_url, data=data)


def call(
    server: AuthorizationServer,
    token: str,
    path: str = "/items",
    method: str = "GET",
    **options: Any,
) -> requests.Response:
    """An API call with a token."""
    headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
    return send(method, server.api_url + path, headers=headers, **options)


def introspect(server: AuthorizationServer, token: str) -> requests.Response:
    """An introspection request of the default client."""
    return send("POST", server.introspection_url, data={"token": token, **credentials(server)})


def revoke(server: AuthorizationServer, token: str) -> requests.Response:
    """A revocation request of the default client."""
    return send("POST", server.revocation_url, data={"token": token, **credentials(server)})


def basic(name: str, secret: str) -> dict[str, str]:
    """A Basic header of two parts that are taken as they are."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


@contextmanager
def raw(server: AuthorizationServer) -> Iterator[socket.socket]:
    """A bare TCP connection to the server."""
    parts = urlsplit(server.issuer)
    assert parts.port is not None
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Reads until the server closes."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received
