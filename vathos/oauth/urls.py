"""URLs: origins, loopback addresses, where a token may be sent, and the paths of realms.

URLs are parsed by the same parser that `requests` connects with, and compared as values, never as
text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from vathos.system.late_errors import configuration_error

__all__ = [
    "Origin",
    "checked_url",
    "is_absolute",
    "is_below",
    "is_local_http",
    "join",
    "keycloak_issuer",
    "origin_of",
    "other_realm_path",
    "realm_hint",
    "receiver_of",
]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FIRST_SEGMENT = re.compile(r"[^/?#]*")
_AUTH = "/auth"
_MAY_HAVE_QUERY = {"token_url", "token_endpoint", "revocation_endpoint"}
"""URLs of endpoints, whose query is kept (RFC 6749 §3.2, RFC 7009 §2)."""
_TOKEN_PATH = "/protocol/openid-connect/token"  # noqa: S105 - a path


class Origin(NamedTuple):
    """Scheme, host and port: what decides who receives a request (RFC 6454 §4)."""

    scheme: str  # lower case
    host: str  # as it goes on the wire: IDNA, lower case, without brackets or a trailing dot
    port: int | None  # the scheme's default filled in

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine's own (`127.0.0.0/8`, `::1`, `localhost`)."""
        if self.host in {"localhost", "127.0.0.1", "::1"}:
            return True
        return _is_loopback_address(self.host)

    @property
    def is_secure(self) -> bool:
        """Whether a secret may travel there: over TLS, or without leaving this machine."""
        return self.scheme == "https" or self.is_loopback

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port is None or self.port == _DEFAULT_PORTS.get(self.scheme)
        return f"{self.scheme}://{host}" if default else f"{self.scheme}://{host}:{self.port}"


@lru_cache(maxsize=512)
def _is_loopback_address(host: str) -> bool:
    import ipaddress  # noqa: PLC0415 - only for plain http to an unusual host

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=512)
def origin_of(url: str) -> Origin:
    """Returns the origin of an absolute URL; raises `ValueError` if host or port cannot be read."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host and not host.isascii():
            host = _encoded(host)
    except ValueError:
        # Not in the words of the parser, which quote what may be a password.
        raise ValueError("its host or port is malformed") from None
    if not host:
        raise ValueError("it has no host")
    if port is None:
        port = _DEFAULT_PORTS.get(parts.scheme)
    return Origin(parts.scheme, host.removesuffix("."), port)


def _encoded(host: str) -> str:
    """Writes an international host name as `requests` sends it (IDNA)."""
    from requests.models import PreparedRequest  # noqa: PLC0415 - seldom, and slow to import

    prepared = PreparedRequest()
    prepared.prepare_url(f"https://{host}", None)
    return urlsplit(str(prepared.url)).hostname or ""


@lru_cache(maxsize=512)
def receiver_of(url: str) -> Origin | None:
    """Returns the origin of an HTTP URL, `None` for any other scheme."""
    return origin_of(url) if urlsplit(url).scheme in _DEFAULT_PORTS else None


def is_absolute(url: str) -> bool:
    """Tells a URL (RFC 3986 §4.3) from a relative path, whose first segment has no colon (§4.2).

    So `10.1.1.1:3128` is no path, though `10.1.1.1` is no scheme either.
    """
    return ":" in _FIRST_SEGMENT.match(url.lstrip())[0]  # type: ignore[index]  # matches any text


def join(base_url: str, path: str) -> str:
    """Puts a relative path below a base URL.

    Unlike with `urllib.parse.urljoin`, a leading slash does not climb out of the base, and a
    leading double slash does not name another host; `..` that would climb out of it is refused.
    """
    if not base_url:
        configuration_error(
            f"the path {path!r} needs a base URL, and the built-in one does not belong to your "
            "authorization server; set base_url= (VATHOS_BASE_URL), or pass the whole URL"
        )
    base = base_url.rstrip("/")
    path = path.strip().lstrip("/")
    if ".." in (unquote(path) if "%" in path else path):
        _refuse_climbing(path, base)
    if path.startswith("?"):
        return base + path
    return f"{base}/{path}" if path else base


def _refuse_climbing(path: str, base: str) -> None:
    depth = 0
    # `requests` decodes %2e, but no %2f.
    for segment in map(unquote, re.split(r"[?#]", path)[0].split("/")):
        depth += -1 if segment == ".." else segment not in {"", "."}
        if depth < 0:
            configuration_error(
                f"the path {path!r} leaves the base URL {base}, and the token would go along; "
                "write the whole URL if that is meant"
            )


def is_local_http(url: str) -> bool:
    """Tells whether a URL is plain http to this machine: past every proxy, or it is not safe."""
    if url[:5].lower() != "http:":
        return False
    try:
        return origin_of(url).is_loopback
    except ValueError:  # whoever sends it says what is wrong with it
        return False


def is_below(url: str, base_url: str) -> bool:
    """Tells whether a URL is the base URL or below it."""
    path, base = (f"{urlsplit(each).path.rstrip('/')}/" for each in (url, base_url))
    return origin_of(url) == origin_of(base_url) and path.startswith(base)


def checked_url(name: str, url: str, place: str | None = None) -> str:
    """Returns a URL that secrets and tokens may be sent to; else raises `ConfigurationError`.

    `name` is the setting it is the value of, `place` where that was found.
    """
    source = name if place is None else f"{name} ({place})"
    if any(char.isspace() or not char.isprintable() for char in url):
        configuration_error(f"{source} must not contain white space or control characters")
    try:
        origin = origin_of(url)
    except ValueError as error:
        configuration_error(f"{source} is not a URL: {error}")
    # `requests` decodes %61 in a host, ends it at a backslash, and leaves out a port 0.
    if origin.port == 0 or "\\" in origin.host or ("%" in origin.host and ":" not in origin.host):
        configuration_error(f"{source} is not a URL: its host or port is malformed")
    if origin.scheme not in {"http", "https"}:
        configuration_error(f"{source} must start with https://")
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        configuration_error(f"{source} must not hold a user name or password (before the @)")
    if name in _MAY_HAVE_QUERY and "#" in url:
        configuration_error(f"{source} must not have a fragment (after #)")
    if name not in _MAY_HAVE_QUERY and ("?" in url or "#" in url):
        configuration_error(f"{source} must not have a query or a fragment (after ? or #)")
    if not origin.is_secure:  # RFC 6749 §3.2
        from vathos.errors import InsecureURLError  # noqa: PLC0415 - see late_errors

        raise InsecureURLError(
            f"{source} is plain http to {origin.host}; use https (http is for loopback only)"
        )
    return url


def other_realm_path(url: str) -> str | None:
    """Returns a realm's URL with `/auth` (dropped by Keycloak 17) put in or out; else `None`."""
    parts = urlsplit(url)
    if parts.path.startswith(f"{_AUTH}/realms/"):
        return parts._replace(path=parts.path.removeprefix(_AUTH)).geturl()
    if parts.path.startswith("/realms/"):
        return parts._replace(path=_AUTH + parts.path).geturl()
    return None


def keycloak_issuer(token_url: str) -> str | None:
    """Returns the issuer of a token endpoint whose path is Keycloak's; `None` for another one."""
    issuer = token_url.removesuffix(_TOKEN_PATH)
    return None if issuer == token_url else issuer


def realm_hint(url: str) -> str:
    """Says what may be wrong with the path of a realm that was not found; empty if unknown."""
    other = other_realm_path(url)
    if other is None:
        return ""
    if len(other) < len(url):
        return "'/auth' may be too much (Keycloak has none since version 17)"
    return "'/auth' may be missing before '/realms'"
