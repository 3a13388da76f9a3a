"""`vathos doctor` against a real Keycloak, by Keycloak's own records."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.commands.driving import PROCESS
from tests.servers.keycloak import Keycloak
from tests.servers.realm import CLIENT_ID, CLIENT_SECRET, PASSWORD, USERNAME, Realm
from tests.servers.resource import ProtectedResource
from tests.servers.workloads import trusted_issuers
from vathos.exit_codes import Exit


def checked(realm: Realm, resource: ProtectedResource, **more: str) -> tuple[int, dict[str, Any]]:
    """Runs the doctor on a realm, and returns its status and its checks by name."""
    environ = {
        "VATHOS_TOKEN_URL": realm.token_url,
        "VATHOS_BASE_URL": resource.url.rstrip("/"),
        "VATHOS_CLIENT_ID": CLIENT_ID,
        "VATHOS_CLIENT_SECRET": CLIENT_SECRET,
        **more,
    }
    done = subprocess.run(
        [*PROCESS, "doctor", "--json"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)}


def test_all_is_well(realm: Realm, resource: ProtectedResource) -> None:
    """A service account is fine, and Keycloak saw one login."""
    status, found = checked(realm, resource)
    assert status == Exit.DONE
    assert {each["outcome"] for each in found.values()} == {"ok"}
    assert realm.token_requests() == {"CLIENT_LOGIN": 1}


def test_person_is_warned(realm: Realm, resource: ProtectedResource) -> None:
    """The password grant is a warning, and a wrong password is sent once."""
    person = {"VATHOS_USERNAME": USERNAME, "VATHOS_PASSWORD": PASSWORD}
    status, found = checked(realm, resource, **person)
    assert status == Exit.DONE
    assert [name for name, each in found.items() if each["outcome"] != "ok"] == ["grant"]
    assert realm.session_count(USERNAME) == 0
    status, found = checked(realm, resource, **{**person, "VATHOS_PASSWORD": "wrong"})
    assert status == Exit.REFUSED
    assert realm.token_requests() == {"LOGIN": 1, "LOGIN_ERROR": 1}


def test_wrong_paths_are_corrected(realm: Realm, resource: ProtectedResource) -> None:
    """With or without /auth, whichever is wrong: the other URL is the fix, and it works."""
    there = realm.token_url
    wrong = there.replace("/auth/realms/", "/realms/")
    if wrong == there:
        wrong = there.replace("/realms/", "/auth/realms/")
    status, found = checked(realm, resource, VATHOS_TOKEN_URL=wrong)
    assert status == Exit.CONFIGURATION
    assert found["realm"]["fix"] == f"set VATHOS_TOKEN_URL={there}"
    unknown = there.replace("/realms/", "/realms/no-")
    status, found = checked(realm, resource, VATHOS_TOKEN_URL=unknown)
    assert status == Exit.CONFIGURATION
    assert found["realm"]["outcome"] == "failed"
    assert realm.token_requests() == {}


def test_pod_is_told_the_right_volume(
    keycloak: Keycloak, realm: Realm, resource: ProtectedResource, tmp_path: Path
) -> None:
    """A pod's token is fine; of one for another audience the doctor prints the volume to mount."""
    file = tmp_path / "token"
    pod = {
        "VATHOS_CLIENT_ID": "",
        "VATHOS_CLIENT_SECRET": "",
        "VATHOS_CLIENT_ASSERTION_FILE": str(file),
    }
    with trusted_issuers(keycloak) as issuers:
        file.write_text(issuers["kubernetes"].workload_token(aud=realm.issuer))
        status, found = checked(realm, resource, **pod)
        assert status == Exit.DONE
        assert {each["outcome"] for each in found.values()} == {"ok"}
        file.write_text(issuers["kubernetes"].workload_token(aud="https://kubernetes.default.svc"))
        status, found = checked(realm, resource, **pod)
    assert status == Exit.REFUSED
    assert found["client assertion"]["outcome"] == "failed"
    assert f"audience: {realm.issuer}" in found["client assertion"]["fix"]
    assert realm.token_requests()["CLIENT_LOGIN"] == 1
