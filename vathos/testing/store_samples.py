"""Identities and a token to try a store with; made of the client side's own values, when asked."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

__all__ = ["Samples", "samples"]

URL = "https://as.example/token"


@dataclass(frozen=True)
class Samples:
    """What the tests of a store put into it.

    Attributes:
        service: Identity of a client.
        wrong_secret: The same with another secret.
        person: Identity of a person.
        wrong_password: The same with another password.
        token: A token with everything; it lives for five minutes.
    """

    service: Any
    wrong_secret: Any
    person: Any
    wrong_password: Any
    token: Any

    @property
    def identities(self) -> tuple[Any, ...]:
        """All four identities."""
        return self.service, self.wrong_secret, self.person, self.wrong_password


def samples() -> Samples:
    """Makes the samples.

    Returns:
        The samples, with a token that begins to live now.
    """
    # Late: the server for tests does not come with the client side, only this contract does.
    from vathos.grants import ClientCredentialsGrant, PasswordGrant  # noqa: PLC0415
    from vathos.oauth.identity import identity_of  # noqa: PLC0415
    from vathos.tokens import Token  # noqa: PLC0415

    def service(secret: str) -> Any:
        return identity_of(URL, ClientCredentialsGrant(client_id="device", client_secret=secret))

    def person(password: str) -> Any:
        grant = PasswordGrant(
            client_id="app",
            client_secret="s",
            username="ada",
            password=password,
        )
        return identity_of(URL, grant)

    issued_at = float(int(time.time())) + 0.111111
    token = Token(
        access_token="sample-access-token-2e6f",
        expires_at=issued_at + 300.25,
        scope="openid profile",
        refresh_token="sample-refresh-token-c053",
        refresh_expires_at=issued_at + 1800.5,
        issued_at=issued_at,
        issued_boot=5_000.222222,
    )
    return Samples(service("right"), service("wrong"), person("right"), person("wrong"), token)
