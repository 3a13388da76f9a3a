"""What `vathos doctor` checks on the way to a server: proxy, DNS, TLS and its certificate."""

from __future__ import annotations

import base64
import contextlib
import http.client
import ipaddress
import os
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import requests.utils
from urllib3.util.ssl_ import create_urllib3_context

from vathos.commands.doctor.checks import Check, failed, ok, run_check, until_failed, warning
from vathos.commands.doctor.local import bundle_of
from vathos.config.settings import Settings
from vathos.dropin.proxies import environment_proxies
from vathos.errors import ConfigurationError
from vathos.exit_codes import Exit
from vathos.oauth.trust import SYSTEM, system_context, system_trusts
from vathos.oauth.urls import Origin, origin_of
from vathos.system.text import washed
from vathos.system.threads import within

__all__ = ["Route"]

_SOON = 14
_NETWORK_FIX = "check this machine's network and name server (/etc/resolv.conf)"
_PROXY_FIX = "check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY"
_TLS_FIX = "check the URL's host and port, the proxy, and whether the server is running"

_EXPIRED, _NOT_YET, _HOST, _ADDRESS = 10, 9, 62, 64  # OpenSSL's X509_V_ERR_…
_UNKNOWN_CA = {2, 18, 19, 20, 21}
_TRUST_FIX = 'the operating system trusts it, and so does httpx2: set ca_bundle to "system"'
_CLOCK_FIX = "correct this machine's clock if it is wrong; else the server needs a new certificate"
_PROBLEMS = {
    _EXPIRED: ("the certificate has expired", _CLOCK_FIX),
    _NOT_YET: ("the certificate is not valid yet", _CLOCK_FIX),
    _HOST: (
        "the certificate is for another host name",
        "use the name in the certificate in the URL, or have a certificate issued for this name",
    ),
}
_PROBLEMS[_ADDRESS] = _PROBLEMS[_HOST]
_CA_PROBLEM = (
    "the certificate is from a CA that is not trusted here",
    "name the CA's certificate with VATHOS_CA_BUNDLE (--ca-bundle), or have the server send the "
    "intermediate certificates; a proxy that inspects TLS has its own CA",
)


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a server: a URL of it, seconds for each step, and a prefix for the check names."""

    url: str
    settings: Settings
    timeout: float
    whose: str = ""

    def run(self) -> Iterator[Check]:
        """Checks proxy, DNS and TLS, up to the first that fails."""
        origin = origin_of(self.url)
        proxies: list[SplitResult | None] = []

        def proxy_check() -> Iterator[Check]:
            proxies.append(_proxy_to(self.url))
            yield ok(f"{self.whose}proxy", _described(proxies[0], origin))

        yield from run_check(f"{self.whose}proxy", _PROXY_FIX, proxy_check)
        for proxy in proxies:
            host = origin.host if proxy is None else str(proxy.hostname)
            dns = run_check(f"{self.whose}DNS", _NETWORK_FIX, self._dns, host)
            if (yield from until_failed(dns)) and origin.scheme == "https":
                yield from run_check(f"{self.whose}TLS", _TLS_FIX, self._tls, origin, proxy)

    def _dns(self, host: str) -> Iterator[Check]:
        name = f"{self.whose}DNS"
        if _is_address(host):
            yield ok(name, f"{host} is already an IP address")
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
            detail = f"{host[:80]} is not a host name"
            yield failed(name, detail, "check the host name in the URL", Exit.CONFIGURATION)
        else:
            yield ok(name, f"{host} is {', '.join(addresses)}")

    def _tls(self, origin: Origin, proxy: SplitResult | None) -> Iterator[Check]:
        name = f"{self.whose}TLS"
        if proxy is not None and proxy.scheme != "http":
            yield ok(
                name, "not checked separately through this kind of proxy; see the checks below"
            )
            return
        bundle, _ = bundle_of(self.settings, os.environ)
        try:
            certificate = _certificate(origin, proxy, _context(bundle), self.timeout)
        except CertificateProblem as problem:
            fix = problem.fix
            if self.settings.ca_bundle is None and self._system_trusts(origin, proxy):
                fix = _TRUST_FIX
            yield failed(name, f"{origin.host}: {problem}", fix, Exit.UNSAFE)
        except OSError as error:
            reason = error.strerror or washed(str(error), longest=200)  # a proxy said it
            yield failed(name, f"{origin.host}: {reason}", _TLS_FIX, Exit.UNREACHABLE)
        else:
            issued = f"{certificate.version}, certificate from {certificate.issuer}"
            detail = f"{origin.host}: {issued}, valid for another {certificate.days} days"
            soon = "have the server's certificate renewed in time"
            is_late = certificate.days < _SOON
            yield warning(name, detail, soon) if is_late else ok(name, detail)
            if bundle is None and not self._system_trusts(origin, proxy):
                detail = f"{origin.host}: trusted here, but not by the operating system"
                yield warning(
                    f"{name} trust", detail, "httpx2 in this process would refuse the server"
                )

    def _system_trusts(self, origin: Origin, proxy: SplitResult | None) -> bool:
        """Tells what a client that trusts the operating system would find."""
        try:
            _certificate(origin, proxy, system_trusts(), self.timeout)
        except (CertificateProblem, OSError):
            return False
        return True


def _proxy_to(url: str) -> SplitResult | None:
    proxy = requests.utils.select_proxy(url, environment_proxies(url))
    if proxy is None:
        return None
    parts = None
    with contextlib.suppress(ValueError):
        parsed = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parsed.port != 0:  # reading it raises if it is not a number
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
        where = variables or "system settings"
        return f"{proxy.scheme}://{host}{login} ({where}), used for {origin.host}"
    exempt = f", although {variables} is set (NO_PROXY exempts the host)" if variables else ""
    return f"none used for {origin.host}{exempt}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolved(host: str, timeout: float) -> list[str]:
    """Resolves a name under a deadline, which the resolver itself has not."""

    def work() -> list[str]:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    return within(timeout, work, name="vathos-resolver").result()


class _Certificate(NamedTuple):
    version: str
    issuer: str
    days: int


class CertificateProblem(Exception):  # noqa: N818 - a finding, not an error of the program
    """No trusted TLS connection: what is wrong, and how to fix it."""

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.fix = fix


def _context(bundle: str | None) -> ssl.SSLContext:
    """Makes the TLS settings that a token request has."""
    if bundle == SYSTEM:
        return system_context()
    bundle = bundle or requests.utils.DEFAULT_CA_BUNDLE_PATH
    context = create_urllib3_context()  # what requests would use
    context.check_hostname, context.verify_mode = True, ssl.CERT_REQUIRED
    context.load_verify_locations(**{"capath" if os.path.isdir(bundle) else "cafile": bundle})
    return context


def _certificate(
    origin: Origin, proxy: SplitResult | None, context: ssl.SSLContext, timeout: float
) -> _Certificate:
    """Connects as a token request would, through an http proxy if there is one."""
    with contextlib.closing(_connection(origin, proxy, context, timeout)) as connection:
        try:
            connection.connect()
        except ssl.SSLError as error:
            raise _problem(error) from None
        sock: ssl.SSLSocket = connection.sock
        found: Any = sock.getpeercert()
        left = ssl.cert_time_to_seconds(found["notAfter"]) - time.time()
        return _Certificate(str(sock.version()), _name(found["issuer"]), int(left // 86400))


def _connection(
    origin: Origin, proxy: SplitResult | None, context: ssl.SSLContext, timeout: float
) -> http.client.HTTPSConnection:
    host, port = (origin.host, origin.port) if proxy is None else (proxy.hostname, proxy.port or 80)
    connection = http.client.HTTPSConnection(host or "", port, timeout=timeout, context=context)
    if proxy is not None:
        headers = {}
        if proxy.username is not None:
            pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}".encode()
            headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        connection.set_tunnel(origin.host, origin.port, headers)
    return connection


def _problem(error: ssl.SSLError) -> CertificateProblem:
    if isinstance(error, ssl.SSLCertVerificationError):
        is_unknown = error.verify_code in _UNKNOWN_CA
        words = _CA_PROBLEM if is_unknown else _PROBLEMS.get(error.verify_code)
        detail, fix = words or (
            "the certificate is not valid",
            "have the server's certificate corrected",
        )
        return CertificateProblem(f"{detail} ({error.verify_message})", fix)
    return CertificateProblem(
        f"the TLS handshake failed ({error.reason or type(error).__name__})",
        "check that the URL's host and port serve https, and which TLS versions they support",
    )


def _name(issuer: Any) -> str:
    fields = {name: value for part in issuer for name, value in part}
    return str(fields.get("organizationName") or fields.get("commonName") or "unknown")
