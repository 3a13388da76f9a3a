"""The admin REST API of one realm, with a token of its own that it keeps fresh."""

from __future__ import annotations

import time
from typing import Any

import requests

from tests.servers.process import ADMIN_PASSWORD, ADMIN_USERNAME

TIMEOUT = 30.0
RENEW_BEFORE = 15.0


class AdminApi:
    """Calls the admin REST API of one realm as the administrator of the server."""

    def __init__(self, base: str, realm: str, verify: str | bool = True) -> None:
        self._token_url = f"{base}/realms/master/protocol/openid-connect/token"
        self._url = f"{base}/admin/realms/{realm}"
        self._session = requests.Session()
        # A proxy or a netrc entry of the person who runs the tests is none of our business.
        self._session.trust_env = False
        self._session.verify = verify
        self._token = ""
        self._renew_at = 0.0

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Sends one request and returns its answer.

        Args:
            method: HTTP method.
            path: Path below the realm, with its leading slash, or an empty string.
            **arguments: Passed to `requests`: `json` and `params`.

        Raises:
            requests.HTTPError: The server refused.
        """
        answer = self._send(method, path, arguments)
        if answer.status_code == 401:
            # A restart with another database forgot the session of our token.
            self._renew_at = 0.0
            answer = self._send(method, path, arguments)
        answer.raise_for_status()
        return answer

    def get(self, path: str, **params: Any) -> Any:
        """Returns the JSON found under a path."""
        return self.call("GET", path, params=params).json()

    def _send(self, method: str, path: str, arguments: dict[str, Any]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._fresh_token()}"}
        return self._session.request(
            method, self._url + path, headers=headers, timeout=TIMEOUT, **arguments
        )

    def _fresh_token(self) -> str:
        """Returns the administrator's token; asks for a new one when the old one ends soon."""
        if time.monotonic() >= self._renew_at:
            form = {
                "grant_type": "password",
                "client_id": "admin-cli",
                "username": ADMIN_USERNAME,
                "password": ADMIN_PASSWORD,
            }
            asked_at = time.monotonic()
            answer = self._session.post(self._token_url, data=form, timeout=TIMEOUT)
            answer.raise_for_status()
            token = answer.json()
            self._token = token["access_token"]
            self._renew_at = asked_at + token["expires_in"] - RENEW_BEFORE
        return self._token
