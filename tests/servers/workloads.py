"""Clients of the realm that have no secret, and what each presents, with plain `requests`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import requests

from tests.servers.admin import TIMEOUT
from tests.servers.keycloak import Keycloak
from tests.servers.realm import Realm
from tests.testing.assertions import TYPE
from vathos.testing import AuthorizationServer, Client

SUBJECTS = {
    "kubernetes": "system:serviceaccount:picking:robot",
    "github": "repo:example/picking:ref:refs/heads/main",
    "gitlab": "project_path:example/picking:ref_type:branch:ref:main",
}
"""The identity providers of the realm, and the `sub` that its client has at each of them."""


@contextmanager
def trusted_issuers(keycloak: Keycloak) -> Iterator[dict[str, AuthorizationServer]]:
    """Runs issuers of workload tokens, over https, in the place of those that the realm names.

    One for each provider: Keycloak takes no two with one issuer.
    """
    with ExitStack() as stack:
        issuers = {}
        for alias, subject in SUBJECTS.items():
            server = AuthorizationServer(
                clients=[Client("issuer", workload=subject)],
                tls=keycloak.certificates.server_context(),
            )
            issuers[alias] = stack.enter_context(server)
            keycloak.realm.trust(alias, server.workload_issuer, server.workload_keys_url)
        yield issuers


def present(realm: Realm, assertion: str, **form: str) -> requests.Response:
    """Sends a token request with an assertion."""
    data = {
        "grant_type": "client_credentials",
        "client_assertion": assertion,
        "client_assertion_type": TYPE,
        **form,
    }
    return requests.post(realm.token_url, data=data, verify=realm.verify, timeout=TIMEOUT)


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    """Returns status, error and description of a refusal (RFC 6749 section 5.2)."""
    body = answer.json()
    return answer.status_code, body["error"], body["error_description"]
