"""The realm `picking`: its addresses, its people and clients, and an administrator's hands.

Plain `requests` against the admin REST API, so that this witness shares no code with the accused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import requests

from tests.servers.admin import TIMEOUT, AdminApi
from tests.servers.keys import SigningKeys

NAME = "picking"
LIFESPAN = 5
CLIENT_ID, CLIENT_SECRET = "robot", "robot-secret"
RESOURCE_ID, RESOURCE_SECRET = "resource-server", "resource-server-secret"
USERNAME, PASSWORD = "ada", "ada-password"
OTHER_USERNAME, OTHER_PASSWORD = "grace", "grace-password"
SERVICE_ACCOUNT = f"service-account-{CLIENT_ID}"

SECRETS = {CLIENT_ID: CLIENT_SECRET, RESOURCE_ID: RESOURCE_SECRET}
TOKEN_EVENTS = ("LOGIN", "CLIENT_LOGIN", "REFRESH_TOKEN")
EVENTS_AT_MOST = 10_000


class Realm:
    """Addresses of the realm, and what its administrator can see and do.

    Attributes:
        url: Address of the realm.
        issuer: The `iss` of its tokens; Keycloak derives it from the host that was asked.
        token_url: The token endpoint.
        introspection_url: The introspection endpoint (RFC 7662).
        revocation_url: The revocation endpoint (RFC 7009).
        keys_url: The published keys (JWKS).
        verify: The authority to trust for https, as `requests` takes it.
    """

    def __init__(self, base: str, verify: str | bool = True) -> None:
        self.verify = verify
        self.url = self.issuer = f"{base}/realms/{NAME}"
        protocol = f"{self.url}/protocol/openid-connect"
        self.token_url = f"{protocol}/token"
        self.introspection_url = f"{protocol}/token/introspect"
        self.revocation_url = f"{protocol}/revoke"
        self.keys_url = f"{protocol}/certs"
        self._admin = AdminApi(base, NAME, verify)
        self._keys = SigningKeys(self._admin)

    def close(self) -> None:
        """Closes the connections to the server."""
        self._admin.close()

    def reset(self) -> None:
        """Makes the realm what the import made it, whatever the last test did; forgets events."""
        self._keys.restore()
        for username in (USERNAME, OTHER_USERNAME, SERVICE_ACCOUNT):
            self.enable_user(username)
        for client_id, secret in SECRETS.items():
            self.set_secret(client_id, secret)
        self._admin.call("DELETE", "/attack-detection/brute-force/users")
        # Logging everybody out also sets the realm's not-before date, so this order.
        self._admin.call("POST", "/logout-all")
        self._admin.call("PUT", "", json={"notBefore": 0, "accessTokenLifespan": LIFESPAN})
        self.clear_events()

    # What happened

    def events(self, types: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Returns the saved events, the oldest first.

        Args:
            types: Only these, such as `LOGIN` or `REFRESH_TOKEN_ERROR`; None for all.
        """
        wanted = {} if types is None else {"type": list(types)}
        newest_first = self._admin.get("/events", max=EVENTS_AT_MOST, **wanted)
        return list(reversed(newest_first))

    def clear_events(self) -> None:
        """Forgets all events."""
        self._admin.call("DELETE", "/events")

    def token_requests(self) -> dict[str, int]:
        """Returns how many token requests of each kind were answered, refusals included.

        The keys are `LOGIN` (password grant), `CLIENT_LOGIN` (client credentials) and
        `REFRESH_TOKEN`, each also with `_ERROR`; a kind that did not happen has no key.
        """
        kinds = {*TOKEN_EVENTS, *(f"{kind}_ERROR" for kind in TOKEN_EVENTS)}
        return dict(Counter(event["type"] for event in self.events(kinds)))

    # People

    def session_count(self, username: str) -> int:
        """Returns how many sessions a person has; client credentials leave none."""
        return len(self._admin.get(f"/users/{self._user_id(username)}/sessions"))

    def logout_user(self, username: str) -> None:
        """Ends all sessions of a person, as an administrator does."""
        self._admin.call("POST", f"/users/{self._user_id(username)}/logout")

    def disable_user(self, username: str) -> None:
        """Disables a person, or with `SERVICE_ACCOUNT` the service account of `robot`."""
        self._change_user(username, enabled=False)

    def enable_user(self, username: str) -> None:
        """Enables a person again."""
        self._change_user(username, enabled=True)

    def lock_status(self, username: str) -> dict[str, Any]:
        """Returns what brute-force protection knows of a person, such as `disabled`.

        Keycloak counts a failure some milliseconds *after* it answered the failed request.
        """
        path = f"/attack-detection/brute-force/users/{self._user_id(username)}"
        status: dict[str, Any] = self._admin.get(path)
        return status

    def clear_lock(self, username: str) -> None:
        """Forgets the failures of a person, and the lock that came of them."""
        path = f"/attack-detection/brute-force/users/{self._user_id(username)}"
        self._admin.call("DELETE", path)

    # Clients

    def set_secret(self, client_id: str, secret: str) -> None:
        """Gives a client a secret of our choice; its tokens and sessions live on."""
        value = {"clientId": client_id, "secret": secret}
        self._admin.call("PUT", f"/clients/{self._client_uuid(client_id)}", json=value)

    def regenerate_secret(self, client_id: str) -> str:
        """Lets Keycloak make a new secret for a client, and returns it."""
        path = f"/clients/{self._client_uuid(client_id)}/client-secret"
        secret: str = self._admin.call("POST", path).json()["value"]
        return secret

    def set_client_keys(self, client_id: str, jwks: Mapping[str, Any]) -> None:
        """Registers the public keys that verify a client's own assertions, in place of the old."""
        path = f"/clients/{self._client_uuid(client_id)}"
        known = self._admin.get(path)
        known["attributes"]["jwks.string"] = json.dumps(jwks)
        self._admin.call("PUT", path, json=known)

    def trust(self, alias: str, issuer: str, keys_url: str) -> None:
        """Puts an issuer of workload tokens in the place of one that cannot be reached from here.

        Args:
            alias: The identity provider: `kubernetes`, `github` or `gitlab`.
            issuer: The `iss` of its tokens.
            keys_url: Its JWKS; a Kubernetes provider finds it by the issuer's discovery document.
        """
        path = f"/identity-provider/instances/{alias}"
        known = self._admin.get(path)
        known["config"]["issuer"] = issuer
        if "jwksUrl" in known["config"]:
            known["config"]["jwksUrl"] = keys_url
        self._admin.call("PUT", path, json=known)

    # Tokens

    def set_access_token_lifespan(self, seconds: int) -> None:
        """Changes how long access tokens live that are issued from now on."""
        self._admin.call("PUT", "", json={"accessTokenLifespan": seconds})

    def revoke_token(self, token: str) -> None:
        """Revokes an access token, or with a refresh token its whole session (RFC 7009)."""
        form = {"token": token, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        requests.post(self.revocation_url, data=form, timeout=TIMEOUT).raise_for_status()

    def rotate_realm_key(self) -> None:
        """Signs access tokens with a new key; the old one still verifies."""
        self._keys.rotate()

    def disable_old_keys(self) -> None:
        """Disables all keys but the newest; access tokens they signed are void."""
        self._keys.disable_old()

    def _change_user(self, username: str, **values: Any) -> None:
        self._admin.call("PUT", f"/users/{self._user_id(username)}", json=values)

    def _user_id(self, username: str) -> str:
        # Asked each time: an empty restart gives everybody a new one.
        found = self._admin.get("/users", username=username, exact="true")
        return str(found[0]["id"])

    def _client_uuid(self, client_id: str) -> str:
        found = self._admin.get("/clients", clientId=client_id)
        return str(found[0]["id"])
