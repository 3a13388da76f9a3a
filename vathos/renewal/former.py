"""Ends what earlier secrets of an account obtained: its sessions at the server, and its entries.

With another secret or password the identity is another one, so that the token of the old one is
never used again. Nobody else would find it: its session would stay at the server until it ends.
"""

from __future__ import annotations

from vathos.errors import VathosError
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Credentials
from vathos.oauth.revocation import revoke
from vathos.renewal.cache import TokenCache
from vathos.system.logs import logger

__all__ = ["end_former", "end_former_quietly"]

log = logger("renewal")

_LONGEST = 5.0
"""Seconds for each token to revoke, while nobody has asked for it."""


def end_former(
    credentials: Credentials,
    endpoint: TokenEndpoint,
    cache: TokenCache,
    timeout: float,
    url: str | None = None,
) -> None:
    """Revokes each token of earlier secrets with the present ones, then deletes it.

    `timeout` is in seconds, for each exchange. If the server cannot be reached or refuses, that
    token is kept.
    """
    for former in cache.former(credentials.identity, credentials.former):
        revoke(endpoint, credentials.grant, former.token, url, timeout)
        former.drop()
    credentials.former.clear()


def end_former_quietly(
    credentials: Credentials, endpoint: TokenEndpoint, cache: TokenCache
) -> None:
    """Does so after a login with new secrets; a failure is a log line.

    What another process obtained, which may have a secret that is valid too, is left alone while
    its access token works.
    """
    at = endpoint.clock()
    for token, is_own, drop in cache.former(credentials.identity, credentials.former):
        if token.refresh_token is None or not (is_own or token.seconds_left(at) <= 0):
            continue
        try:
            revoke(endpoint, credentials.grant, token, None, _LONGEST)
        except VathosError as error:
            log.info("a session of an earlier secret could not be ended: %s", error)
            return
        drop()
    credentials.former.clear()
