"""`BearerAuth` for `httpx`; a file of its own, as `httpx2` takes no `Auth` but its own."""

from __future__ import annotations

import httpx

from vathos.integrations.httpx_flow import BearerFlow

__all__ = ["BearerAuth"]


class BearerAuth(BearerFlow, httpx.Auth):
    """An `httpx.Auth` for `Client` and `AsyncClient`, on a client or on a single request.

    ```python
    robot = vathos.source("picking-robot", "robot-secret")
    async with httpx.AsyncClient(auth=BearerAuth(robot), base_url=robot.base_url) as client:
        await client.get("products")
    ```

    If the API answers 401, the request is retried once with another token, unless its body cannot
    be sent again, as one that comes from an iterator. The token goes to the origins that it is for,
    over https or to this machine, and does not follow a redirect to another origin. An `auth=` of a
    single request goes before that of the client.

    Args:
        source: Where tokens come from, such as what `vathos.source` returned.
        origins: URLs whose origins (scheme, host, port) may get the token, or `"*"` for all; other
            requests are sent without it. By default the origin of the source's base URL if that was
            set, else all.
        replay: Whether a refused request is retried; else the caller gets the 401.

    Raises:
        ConfigurationError: If an origin is not an absolute http or https URL.
    """
