"""How servers are reached: the settings that API requests and token requests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Transport"]


@dataclass(slots=True)
class Transport:
    """How to reach servers: the settings of `requests.Session` that token requests share.

    Attributes:
        verify: Whether, or by which CA bundle, TLS certificates are verified.
        cert: Client certificate, a path or a pair of paths.
        proxies: Proxies by scheme.
        trust_env: Whether proxies and CA bundle may come from the environment.
    """

    verify: Any = True
    cert: Any = None
    proxies: Any = field(default_factory=dict)
    trust_env: bool = True
