"""Trust in what the operating system trusts, by truststore: `ca_bundle = "system"`.

`requests` trusts the authorities that the package certifi lists, `httpx2` those of the operating
system; with this setting both agree.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

__all__ = ["SYSTEM", "new_system_context", "system_context", "system_trusts"]

SYSTEM = "system"
"""The value of `verify` and of the setting `ca_bundle`, in place of a path."""


def new_system_context() -> ssl.SSLContext:
    """Makes TLS settings that trust the operating system; raises `ConfigurationError`."""
    import ssl  # noqa: PLC0415 - seldom, as the next

    from vathos.system.extras import required  # noqa: PLC0415

    truststore: Any = required("truststore", "system", 'ca_bundle = "system"')
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


@cache
def system_context() -> ssl.SSLContext:
    """Returns one for all connections, so that they can be used again."""
    return new_system_context()


def system_trusts() -> ssl.SSLContext:
    """Makes such settings for a look at what httpx2 would say; by OpenSSL without truststore."""
    import ssl  # noqa: PLC0415 - seldom

    from vathos.errors import ConfigurationError  # noqa: PLC0415 - loads requests

    try:
        return new_system_context()
    except ConfigurationError:
        return ssl.create_default_context()
