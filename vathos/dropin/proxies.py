"""Proxy settings of the environment, looked up once while the environment stays the same.

For each call `requests` reads the names of all environment variables twice, to find those that end
in `_proxy`. That is a third of what a call costs, and more in a large environment.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests

from vathos.dropin.unpatched import Originals

__all__ = ["environment_proxies", "forget"]

_MOST_HOSTS = 256

# Half of these names are not in the type stubs.
_sessions: Any = requests.sessions
_utils: Any = requests.utils
_urllib: Any = urllib.request

# What they return is remembered.
_originals = Originals(lambda: (_sessions.get_environ_proxies, _utils.should_bypass_proxies))


class _Remembered(NamedTuple):
    """The proxies of one state of the environment; replaced as a whole when that changes."""

    variables: Mapping[Any, Any]
    proxies: dict[str, dict[str, str]]  # by host and port, as written in the URL


_remembered = _Remembered({}, {})


def environment_proxies(url: str) -> dict[str, str]:
    """Returns what `requests.utils.get_environ_proxies` does; the caller may write to it."""
    variables = _variables()
    if variables is None:
        return _asked(url)
    known, host = _remembered, urlsplit(url).netloc
    # Compared as a whole, in C: urllib decides which names count, and in which case.
    if variables != known.variables:
        known = _start_anew(variables)
    found = known.proxies.get(host)
    if found is None:
        found = _looked_up(url, variables, known, host)
    return found.copy()


def forget() -> None:
    """Forgets what was looked up, so that the next call looks again."""
    _start_anew({})


def _variables() -> Mapping[Any, Any] | None:
    """Returns the environment to compare; `None` where proxies may come from elsewhere too.

    On macOS and Windows they come from the settings of the system too, whose changes are not seen
    here; and whoever replaces a function of urllib expects his own to be called.
    """
    if (
        _utils.getproxies is not _urllib.getproxies_environment
        or _utils.proxy_bypass is not _urllib.proxy_bypass_environment
        or not _originals.in_place()
    ):
        return None
    variables = getattr(os.environ, "_data", None)  # the mapping below os.environ, not yet decoded
    return variables if type(variables) is dict else None


def _start_anew(variables: Mapping[Any, Any]) -> _Remembered:
    global _remembered  # noqa: PLW0603 - one process has one environment
    _remembered = _Remembered(dict(variables), {})
    return _remembered


def _looked_up(
    url: str, variables: Mapping[Any, Any], known: _Remembered, host: str
) -> dict[str, str]:
    """Asks `requests`, and remembers the answer unless the environment changes meanwhile.

    It asks twice, as another thread may set a variable for a moment: `requests` itself does so for
    a call that names `no_proxy` among its proxies.
    """
    first, same = _asked(url), variables == known.variables
    second = _asked(url)
    if same and first == second and variables == known.variables:
        if len(known.proxies) >= _MOST_HOSTS:
            known.proxies.clear()
        known.proxies[host] = second
    return second


def _asked(url: str) -> dict[str, str]:
    proxies: dict[str, str] = _sessions.get_environ_proxies(url)
    return proxies
