"""Keeps oauthlib's loggers silent where the server calls oauthlib.

At DEBUG, oauthlib's provider side logs whole token answers and refresh tokens, and with
`oauthlib.set_debug(True)` whole request bodies. A test server must not put its users' secrets into
their test logs. Only records made inside `quiet()`, by the same thread, are dropped: what oauthlib
logs for the client under test is none of our business.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator

# Every provider module of oauthlib makes its logger at import; a filter works on one logger only,
# not on its children, so all of them must exist before `install` looks for them.
import oauthlib.oauth2  # noqa: F401

__all__ = ["install", "quiet"]

_state = threading.local()


def _may_speak(record: logging.LogRecord) -> bool:  # noqa: ARG001 - the signature of a filter
    return not getattr(_state, "quiet", False)


def install() -> None:
    """Adds the filter to every logger of oauthlib; doing so again changes nothing."""
    names = [name for name in logging.Logger.manager.loggerDict if name.startswith("oauthlib")]
    for name in names:
        logging.getLogger(name).addFilter(_may_speak)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drops what oauthlib logs in this thread while the block runs.

    Yields:
        Nothing.
    """
    _state.quiet = True
    try:
        yield
    finally:
        _state.quiet = False
