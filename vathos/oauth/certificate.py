"""A client certificate with its key, used anew as soon as it is replaced (RFC 8705).

The files are looked at before each request. A pair that does not match, as between two writes, is
left alone: the one before stays in use, and a log line says so.
"""

from __future__ import annotations

import os
import ssl
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.util.ssl_ import create_urllib3_context

from vathos.oauth.key_files import read_key
from vathos.oauth.trust import SYSTEM, new_system_context, system_context
from vathos.system.forks import ForkSafeLock
from vathos.system.late_errors import configuration_error, is_one_of
from vathos.system.logs import logger

__all__ = ["CertificateAdapter", "ClientCertificate"]

log = logger("client")


class ClientCertificate(tuple[str, str]):
    """The files of a certificate and its key, as `requests` takes them; and what they hold."""

    _state: tuple[tuple[int, ...], ...] | None
    _contexts: dict[object, ssl.SSLContext]

    def __new__(cls, certificate: str, key: str | None = None) -> ClientCertificate:
        """Names the files; the key may be in that of the certificate."""
        made = super().__new__(cls, (certificate, key or certificate))
        made._state, made._contexts = None, {}  # by `verify`: each trusts what it was told to
        made._guard = ForkSafeLock()  # guards both
        return made

    _guard: ForkSafeLock

    def context(self, verify: object) -> ssl.SSLContext:
        """Returns TLS settings with the pair that is in the files now, or was the last to match."""
        with self._guard.lock:
            state, reason = None, ""
            try:
                state = tuple(_state(path) for path in self)
                if state != self._state or verify not in self._contexts:
                    wanted = {*self._contexts, verify}
                    self._contexts = {each: self._loaded(each) for each in wanted}
            except ssl.SSLError as error:
                reason = f"do not belong together, or hold something else ({error.reason})"
            except OSError as error:
                if verify not in self._contexts and is_one_of(error, "InsecureFileError"):
                    raise
                reason = f"cannot be read: {error.strerror or error}"
            if reason and verify not in self._contexts:
                configuration_error(f"{self} {reason}")
            if reason and state != self._state:
                log.warning("%s %s; the certificate before is still used", self, reason)
            self._state = state
            return self._contexts[verify]

    def _loaded(self, verify: object) -> ssl.SSLContext:
        read_key(self[1], "client_cert_file" if self[0] == self[1] else "client_key_file")
        context = new_system_context() if verify == SYSTEM else create_urllib3_context()
        if verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        # A pass phrase would be asked for on the terminal.
        context.load_cert_chain(*self, password=lambda: "")
        return context

    def __str__(self) -> str:
        files = f"{self[0]} and {self[1]}" if self[0] != self[1] else self[0]
        return f"certificate and key in {files} (client_cert_file)"

    def __reduce__(self) -> tuple[type[ClientCertificate], tuple[str, str]]:
        return ClientCertificate, (self[0], self[1])


def _state(path: str) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_mtime_ns, found.st_ino, found.st_size


class CertificateAdapter(HTTPAdapter):
    """Makes connections with the certificate as it is now; those with another one are not used.

    With `verify="system"` they trust what the operating system trusts.
    """

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> Any:
        """Chooses the pool of connections for a request, by its certificate and its trust too."""
        is_ours, is_system = isinstance(cert, ClientCertificate), verify == SYSTEM
        host, pool = super().build_connection_pool_key_attributes(
            request, is_system or verify, None if is_ours else cert
        )
        if host["scheme"] == "https" and (is_ours or is_system):
            pool["ssl_context"] = cert.context(verify) if is_ours else system_context()
        return host, pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leaves the certificate and the trust to the pool, which has them."""
        given = None if isinstance(cert, ClientCertificate) else cert
        is_system = verify == SYSTEM
        super().cert_verify(conn, url, is_system or verify, given)  # type: ignore[no-untyped-call]
        if is_system:
            conn.ca_certs = conn.ca_cert_dir = None
