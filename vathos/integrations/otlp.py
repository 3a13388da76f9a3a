"""The session of OpenTelemetry's exporters over HTTP; a file of its own, as one variable names it.

`OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER=vathos` makes each exporter over HTTP use it;
who the service is comes from the variables and the profile of `vathos`.
"""

from __future__ import annotations

import os

import vathos

__all__ = ["session"]

_ENDPOINTS = [
    f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_")
]
_DEFAULT = "http://localhost:4318"


def session() -> vathos.VathosSession:
    """Builds a session whose token goes to the collectors, and nowhere else.

    Each exporter has a session of its own; all share one token.

    Returns:
        The session.

    Raises:
        ConfigurationError: If a credential is missing, or an endpoint is not a URL.
    """
    endpoints = [os.environ[name] for name in _ENDPOINTS if os.environ.get(name)]
    collectors = tuple(url.partition("?")[0] for url in endpoints or [_DEFAULT])
    return vathos.VathosSession(source=vathos.source(), origins=collectors)
