"""The adapter of sessions with a client certificate; a file of its own, as others need not load it.

A session without one loads nothing of TLS before its first request.
"""

from __future__ import annotations

import requests

from vathos.dropin.fast_adapter import FastAdapter
from vathos.oauth.certificate import CertificateAdapter

__all__ = ["mount_for_certificate"]


class _FastCertificateAdapter(CertificateAdapter, FastAdapter):
    """Follows the certificate, and remembers what does not depend on it."""


def mount_for_certificate(session: requests.Session) -> None:
    """Has the session's own adapters follow a certificate that is replaced."""
    for prefix, adapter in tuple(session.adapters.items()):
        if type(adapter) is FastAdapter:
            session.mount(prefix, _FastCertificateAdapter())
