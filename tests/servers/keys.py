"""The signing keys of the realm: rotated, retired, put back."""

from __future__ import annotations

from typing import Any

from tests.servers.admin import AdminApi

KEY_PROVIDER = "org.keycloak.keys.KeyProvider"
IN_USE = {"enabled": ["true"], "active": ["true"]}
PASSIVE = {"enabled": ["true"], "active": ["false"]}
DISABLED = {"enabled": ["false"], "active": ["false"]}


class SigningKeys:
    """The RSA keys that sign access tokens; refresh tokens have an HMAC key and are not touched."""

    def __init__(self, admin: AdminApi) -> None:
        self._admin = admin

    def rotate(self) -> None:
        """Signs with a new key from now on; the old ones are passive: they only verify."""
        old = self._all()
        priority = _priority(old[0]) + 100
        component = {
            "name": f"rotated-{priority}",
            "providerId": "rsa-generated",
            "providerType": KEY_PROVIDER,
            "parentId": self._admin.get("")["id"],
            "config": {"priority": [str(priority)], "algorithm": ["RS256"]},
        }
        self._admin.call("POST", "/components", json=component)
        for key in old:
            self._change(key, PASSIVE)

    def disable_old(self) -> None:
        """Disables every key but the one that signs now: what they signed is void at once."""
        for key in self._all()[1:]:
            self._change(key, DISABLED)

    def restore(self) -> None:
        """Puts the first key of the realm back in use and removes the others."""
        *new, first = self._all()
        if not new:
            return
        # In this order: in a realm without an active key, Keycloak makes a "fallback" one.
        self._change(first, IN_USE)
        for key in new:
            self._admin.call("DELETE", f"/components/{key['id']}")

    def _all(self) -> list[dict[str, Any]]:
        """Returns the providers of RSA signing keys, the newest first."""
        found = self._admin.get("/components", type=KEY_PROVIDER)
        keys = [key for key in found if key["providerId"] == "rsa-generated"]
        return sorted(keys, key=_priority, reverse=True)

    def _change(self, key: dict[str, Any], settings: dict[str, list[str]]) -> None:
        # Keycloak keeps the settings that are not mentioned, the private key among them.
        changed = {**key, "config": {**key["config"], **settings}}
        self._admin.call("PUT", f"/components/{key['id']}", json=changed)


def _priority(key: dict[str, Any]) -> int:
    """Returns the priority of a key provider: the highest active one signs."""
    return int(key["config"]["priority"][0])
