"""The commands against a real Keycloak, by Keycloak's own records."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.commands.driving import PROCESS
from tests.commands.journey import Account, as_a_person
from tests.commands.terminal import Terminal
from tests.servers.realm import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Realm
from tests.servers.resource import ProtectedResource

# pexpect forks, which newer Pythons warn of in a process with threads; the child only executes.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")]


def account(realm: Realm, resource: ProtectedResource) -> Account:
    """The service account; its tokens live long enough to be compared."""
    realm.set_access_token_lifespan(300)
    return Account(realm.token_url, resource.url.rstrip("/"), CLIENT_ID, CLIENT_SECRET)


def test_first_hour_of_a_service_account(
    realm: Realm, resource: ProtectedResource, tmp_path: Path
) -> None:
    """A service account logs in in a terminal, looks around, makes calls and logs out."""
    with Terminal(tmp_path) as terminal:
        as_a_person(terminal, account(realm, resource), tmp_path)
    # The error is the wrong secret that was typed first.
    assert realm.token_requests().keys() == {"CLIENT_LOGIN", "CLIENT_LOGIN_ERROR"}
    assert resource.without_token == 0


def test_first_hour_of_a_person(realm: Realm, resource: ProtectedResource, tmp_path: Path) -> None:
    """A person does the same, and leaves no session behind."""
    person = account(realm, resource)._replace(username=USERNAME, password=PASSWORD)
    with Terminal(tmp_path) as terminal:
        as_a_person(terminal, person, tmp_path)
    assert realm.session_count(USERNAME) == 0


def test_twenty_cold_commands_make_one_token_request(
    realm: Realm, resource: ProtectedResource
) -> None:
    """20 `vathos token` started together without a token log in once."""
    where = account(realm, resource)
    environ = {
        "VATHOS_TOKEN_URL": where.token_url,
        "VATHOS_CLIENT_ID": where.client_id,
        "VATHOS_CLIENT_SECRET": where.client_secret,
    }
    command = [*PROCESS, "token"]
    running = [
        subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True)
        for _ in range(20)
    ]
    outputs = {each.communicate(timeout=120)[0] for each in running}
    assert len(outputs) == 1
    assert outputs.pop().count(".") == 2
    assert realm.token_requests() == {"CLIENT_LOGIN": 1}
