"""`oauth_cb` for `confluent-kafka`; a file of its own, as each adapter is imported by its name."""

from __future__ import annotations

import time
from collections.abc import Callable

from vathos.token_source import TokenSource

__all__ = ["oauth_cb"]

_UNKNOWN = 300.0
"""Seconds for which a token of unknown lifetime is given to librdkafka."""


def oauth_cb(source: TokenSource) -> Callable[[str], tuple[str, float]]:
    """Makes the callback that librdkafka asks for a token (`sasl.mechanisms=OAUTHBEARER`).

    ```python
    robot = vathos.source("picking-robot", "robot-secret")
    Producer({..., "sasl.mechanisms": "OAUTHBEARER", "oauth_cb": oauth_cb(robot)})
    ```

    Args:
        source: What `vathos.source` returned.

    Returns:
        The callback. It returns the token and the Unix timestamp of its end; what it raises,
        librdkafka logs, and asks again after ten seconds.
    """

    def callback(_config: str) -> tuple[str, float]:
        token = source.token()
        ends = time.time() + _UNKNOWN if token.expires_at is None else token.expires_at
        return token.access_token, ends

    return callback
