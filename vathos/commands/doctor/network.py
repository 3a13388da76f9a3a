"""What is on the way to a server: the proxy, the name of the host, and TLS."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import requests.utils

from vathos.commands.doctor.certificates import Flaw, examine
from vathos.commands.doctor.checks import Finding, failed, found, ok, warning
from vathos.commands.doctor.local import bundle_of
from vathos.config.settings import Settings
from vathos.dropin.proxies import environment_proxies
from vathos.errors import ConfigurationError
from vathos.exit_codes import Exit
from vathos.oauth.urls import Origin, origin_of
from vathos.system.threads import within

__all__ = ["Way"]

_SOON = 14
_NETWORK_FIX = "check this machine's network and name server (/etc/resolv.conf)"
_PROXY_FIX = "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
_TLS_FIX = "check host and port of the URL, the proxy, and whether the server runs"


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a server.

    Attributes:
        url: A URL of the server.
        settings: The settings.
        timeout: Seconds for each step.
        whose: What the names of the checks begin with.
    """

    url: str
    settings: Settings
    timeout: float
    whose: str = ""

    def run(self) -> Iterator[Finding]:
        """Looks at one thing after the other, until one of them fails.

        Yields:
            What was found.
        """
        origin = origin_of(self.url)
        proxies: list[SplitResult | None] = []

        def proxy_on_the_way() -> Iterator[Finding]:
            proxies.append(_proxy_to(self.url))
            yield ok(f"{self.whose}proxy", _described(proxies[0], origin))

        yield from found(f"{self.whose}proxy", _PROXY_FIX, proxy_on_the_way)
        for proxy in proxies:
            yield from self._beyond(origin, proxy)

    def _beyond(self, origin: Origin, proxy: SplitResult | None) -> Iterator[Finding]:
        host = origin.host if proxy is None else str(proxy.hostname)
        for finding in found(f"{self.whose}DNS", _NETWORK_FIX, lambda: self._dns(host)):
            yield finding
            if finding.outcome == "failed":
                return
        if origin.scheme == "https":
            yield from found(f"{self.whose}TLS", _TLS_FIX, lambda: self._tls(origin, proxy))

    def _dns(self, host: str) -> Iterator[Finding]:
        name = f"{self.whose}DNS"
        if _is_address(host):
            yield ok(name, f"{host} is an address already")
            return
        try:
            addresses = _resolved(host, self.timeout)
        except TimeoutError:
            detail = f"{host}: no answer within {self.timeout:g} s"
            yield failed(name, detail, _NETWORK_FIX, Exit.UNREACHABLE)
        except socket.gaierror as error:
            fix = _NETWORK_FIX
            if error.errno == socket.EAI_NONAME:
                fix = "check the host name in the URL, and whether this network knows it"
            yield failed(name, f"{host}: {error.strerror}", fix, Exit.UNREACHABLE)
        except UnicodeError:  # a part of it is too long, or empty
            detail = f"{host[:80]} is no host name"
            yield failed(name, detail, "check the host name in the URL", Exit.CONFIGURATION)
        else:
            yield ok(name, f"{host} is {', '.join(addresses)}")

    def _tls(self, origin: Origin, proxy: SplitResult | None) -> Iterator[Finding]:
        name = f"{self.whose}TLS"
        if proxy is not None and proxy.scheme != "http":
            yield ok(name, "left to the requests below, for the kind of proxy on the way")
            return
        bundle, _ = bundle_of(self.settings, os.environ)
        try:
            certificate = examine(origin, proxy, bundle, self.timeout)
        except Flaw as flaw:
            yield failed(name, f"{origin.host}: {flaw}", flaw.fix, Exit.UNSAFE)
            return
        except OSError as error:
            reason = error.strerror or str(error)[:200]  # what a proxy said has no number
            yield failed(name, f"{origin.host}: {reason}", _TLS_FIX, Exit.UNREACHABLE)
            return
        detail = (
            f"{origin.host}: {certificate.version}, certificate by {certificate.issuer}, "
            f"valid for another {certificate.days} days"
        )
        if certificate.days < _SOON:
            yield warning(name, detail, "have the server's certificate renewed in time")
        else:
            yield ok(name, detail)


def _proxy_to(url: str) -> SplitResult | None:
    proxy = requests.utils.select_proxy(url, environment_proxies(url))
    if proxy is None:
        return None
    parts = None
    with contextlib.suppress(ValueError):
        parsed = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parsed.port != 0:  # asked for, as it may be no number
            parts = parsed
    if parts is None or not parts.hostname:
        # Not in the words of the parser, which quote what may be a password.
        raise ConfigurationError("the URL of the proxy is malformed")
    return parts


def _described(proxy: SplitResult | None, origin: Origin) -> str:
    names = {f"{origin.scheme}_proxy", "all_proxy"}
    variables = ", ".join(each for each in os.environ if each.lower() in names)
    if proxy is not None:
        host = f"{proxy.hostname}:{proxy.port}" if proxy.port else proxy.hostname
        login = " with a login" if proxy.username is not None else ""
        where = variables or "settings of the system"
        return f"{proxy.scheme}://{host}{login} ({where}) on the way to {origin.host}"
    exempt = f", though {variables} is set (NO_PROXY exempts the host)" if variables else ""
    return f"none on the way to {origin.host}{exempt}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolved(host: str, timeout: float) -> list[str]:
    """Resolves a name, but does not wait longer than that: the resolver knows no deadline."""

    def work() -> list[str]:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    return within(timeout, work, name="vathos-resolver").result()
