"""Looks at the certificate of a server, and says what is wrong with it in words that help."""

from __future__ import annotations

import base64
import contextlib
import http.client
import os
import ssl
import time
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote

import requests.utils
from urllib3.util.ssl_ import create_urllib3_context

from vathos.oauth.urls import Origin

__all__ = ["Certificate", "Flaw", "examine"]

_EXPIRED, _NOT_YET, _HOST, _ADDRESS = 10, 9, 62, 64  # OpenSSL's X509_V_ERR_…
_UNKNOWN_CA = {2, 18, 19, 20, 21}

_CLOCK = "set this machine's clock if it is wrong; else the server needs a new certificate"
_WORDS = {
    _EXPIRED: ("the certificate has expired", _CLOCK),
    _NOT_YET: ("the certificate is not valid yet", _CLOCK),
    _HOST: (
        "the certificate is for another host name",
        "write the URL with the name in the certificate, or have one made for this name",
    ),
}
_WORDS[_ADDRESS] = _WORDS[_HOST]
_CA_WORDS = (
    "the certificate is by a CA that is not trusted here",
    "name the CA's certificate with VATHOS_CA_BUNDLE (--ca-bundle), or have the server send the "
    "intermediate certificates; a proxy that looks into TLS has a CA of its own",
)


class Certificate(NamedTuple):
    """A certificate that is fine.

    Attributes:
        version: Version of TLS.
        issuer: Who signed it.
        days: Days it is valid from now.
    """

    version: str
    issuer: str
    days: int


class Flaw(Exception):  # noqa: N818 - it is not the program's error
    """TLS could not be agreed.

    Args:
        detail: What is wrong.
        fix: What to do about it.
    """

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.fix = fix


def examine(
    origin: Origin, proxy: SplitResult | None, bundle: str | None, timeout: float
) -> Certificate:
    """Connects as a token request would, and looks at the certificate.

    Args:
        origin: The server.
        proxy: The proxy on the way, one that is spoken to in plain http, or `None`.
        bundle: File or folder with the CA certificates to trust, or `None` for the usual ones.
        timeout: Seconds for each step.

    Returns:
        The certificate, if it is trusted.

    Raises:
        Flaw: If TLS could not be agreed.
        OSError: If the server could not be reached.
    """
    bundle = bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH
    context = create_urllib3_context()  # what requests would use
    context.check_hostname, context.verify_mode = True, ssl.CERT_REQUIRED
    context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    with contextlib.closing(_connection(origin, proxy, context, timeout)) as connection:
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise _flaw(error) from None
        sock: ssl.SSLSocket = connection.sock
        found: Any = sock.getpeercert()
        left = ssl.cert_time_to_seconds(found["notAfter"]) - time.time()
        return Certificate(str(sock.version()), _name(found["issuer"]), int(left // 86400))


def _connection(
    origin: Origin, proxy: SplitResult | None, context: ssl.SSLContext, timeout: float
) -> http.client.HTTPSConnection:
    if proxy is None:
        return http.client.HTTPSConnection(
            origin.host, origin.port, timeout=timeout, context=context
        )
    connection = http.client.HTTPSConnection(
        proxy.hostname or "", proxy.port or 80, timeout=timeout, context=context
    )
    headers = {}
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    connection.set_tunnel(origin.host, origin.port, headers)
    return connection


def _flaw(error: ssl.SSLError) -> Flaw:
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _CA_WORDS if error.verify_code in _UNKNOWN_CA else _WORDS.get(error.verify_code)
        if words is not None:
            return Flaw(f"{words[0]} ({error.verify_message})", words[1])
        return Flaw(
            f"the certificate is not valid ({error.verify_message})",
            "have the server's certificate mended",
        )
    return Flaw(
        f"TLS could not be agreed ({error.reason or type(error).__name__})",
        "check that the host and port of the URL serve https, and which versions of TLS they speak",
    )


def _name(issuer: Any) -> str:
    fields = {name: value for part in issuer for name, value in part}
    return str(fields.get("organizationName") or fields.get("commonName") or "unknown")
