"""Who takes part: one small class for each, set up as well as its library can be.

Everyone sends the same GET to the API on one shared client with kept-alive connections. Tokens
are requested with the client credentials grant. Those that can renew early start at the same share
of the lifetime as a `VathosSession` does, unless the library fixes its leeway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from tests.benchmarks.contenders.base import Bed, Contender

__all__ = ["BASE", "CONTENDERS", "OURS", "Entry", "able", "load", "reasons", "version_of"]


class Entry(NamedTuple):
    """A contender, as the tables tell of it.

    Attributes:
        title: Its name.
        setup: How it is set up, in one sentence.
        packages: The distributions whose versions matter.
        imports: The statement that a program which uses it begins with.
        cannot: Why it takes no part in a benchmark, by the name of the benchmark.
    """

    title: str
    setup: str
    packages: tuple[str, ...]
    imports: str
    cannot: Mapping[str, str] = {}


BASE, OURS = "plain", "vathos"

_STATIC = dict.fromkeys(("stampede", "expiry", "outage", "processes"), "the header is static")
_HEADER_IS_SET_ONCE = {"attach": "the header is set once"}

CONTENDERS: dict[str, Entry] = {
    BASE: Entry(
        "plain `requests`",
        "`requests.Session`, `Authorization` set once among the session's headers.",
        ("requests", "urllib3"),
        "import requests",
        _STATIC | _HEADER_IS_SET_ONCE,
    ),
    OURS: Entry(
        "`VathosSession`",
        "Default settings; tokens in memory, for the processes in a `file:` store.",
        ("vathos",),
        "from vathos import VathosSession",
    ),
    "oauth2session": Entry(
        "`OAuth2Session`",
        "Requests-OAuthlib with `BackendApplicationClient`; it does not renew this grant, so its "
        "caller catches `TokenExpiredError` and fetches a token.",
        ("requests-oauthlib", "oauthlib"),
        "import requests_oauthlib",
    ),
    "oauth2session_locked": Entry(
        "`OAuth2Session` with a lock",
        "The same, but its caller watches `expires_at`, fetches ahead of it under a lock, and "
        "looks again first.",
        ("requests-oauthlib", "oauthlib"),
        "import requests_oauthlib",
    ),
    "authlib_requests": Entry(
        "Authlib on `requests`",
        'Its `OAuth2Session` with `grant_type="client_credentials"` and `token_endpoint`, which '
        "turns automatic renewal on; `leeway` set.",
        ("authlib",),
        "from authlib.integrations.requests_client import OAuth2Session",
    ),
    "google": Entry(
        "google-auth",
        "`AuthorizedSession` with credentials of its own class, `with_non_blocking_refresh()` on; "
        "its leeway is fixed at 225 s, and it sends a call again after a 401.",
        ("google-auth",),
        "from google.auth.transport.requests import AuthorizedSession",
    ),
    "httpx": Entry(
        "plain `httpx`",
        "`httpx.Client`, `Authorization` set once among the client's headers.",
        ("httpx",),
        "import httpx",
        _STATIC | _HEADER_IS_SET_ONCE | {"waits": "the header is static"},
    ),
}


def version_of(package: str) -> str | None:
    """Tells the version of a distribution.

    Args:
        package: Its name.

    Returns:
        The version, `None` if it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def reasons(benchmark: str, keys: Sequence[str]) -> dict[str, str]:
    """Tells who cannot take part in a benchmark, and why.

    Args:
        benchmark: Its name.
        keys: Who was asked for.

    Returns:
        The reasons, by contender.
    """
    found = {}
    for key in keys:
        entry = CONTENDERS[key]
        missing = [package for package in entry.packages if version_of(package) is None]
        if missing:
            found[key] = f"{' and '.join(missing)} not installed"
        elif benchmark in entry.cannot:
            found[key] = entry.cannot[benchmark]
    return found


def able(benchmark: str, keys: Sequence[str]) -> list[str]:
    """Lists who takes part in a benchmark.

    Args:
        benchmark: Its name.
        keys: Who was asked for.

    Returns:
        Those of them that can, in the same order.
    """
    out = reasons(benchmark, keys)
    return [key for key in keys if key not in out]


def load(key: str, bed: Bed) -> Contender:
    """Sets a contender up; its library is imported only now.

    Args:
        key: Which one.
        bed: What it works against.

    Returns:
        The contender.
    """
    module = import_module(f"{__name__}.{key}")
    contender: Contender = module.make(bed)
    return contender
