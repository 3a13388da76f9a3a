"""Token requests of the people and clients of the realm, sent with plain `requests`."""

from __future__ import annotations

import base64
import json
from typing import Any

import requests

from tests.servers.admin import TIMEOUT
from tests.servers.realm import (
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER_PASSWORD,
    OTHER_USERNAME,
    PASSWORD,
    USERNAME,
    Realm,
)

CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
ROBOT = {"grant_type": "client_credentials", **CLIENT}
ADA = {"grant_type": "password", "username": USERNAME, "password": PASSWORD, **CLIENT}
GRACE = {**ADA, "username": OTHER_USERNAME, "password": OTHER_PASSWORD}


def ask(realm: Realm, form: dict[str, str], **changes: str) -> requests.Response:
    """Sends one token request and returns the answer.

    Args:
        realm: Whom to ask.
        form: What to present.
        **changes: Fields of the form to add or to replace.
    """
    return requests.post(realm.token_url, data={**form, **changes}, timeout=TIMEOUT)


def token(realm: Realm, form: dict[str, str]) -> dict[str, Any]:
    """Returns the token answer to a request that must succeed."""
    answer = ask(realm, form)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content


def refresh(realm: Realm, refresh_token: str) -> requests.Response:
    """Presents a refresh token and returns the answer."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **CLIENT}
    return ask(realm, form)


def claims(jwt: str) -> dict[str, Any]:
    """Returns what a JWT says, unverified."""
    body = jwt.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return content
