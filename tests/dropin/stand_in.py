"""A pytest plugin for the suites of others: puts `VathosSession` in place of the parent class.

It is loaded by name into a pytest of its own, whose tests were written elsewhere; so it imports
nothing of this repository's tests. `VATHOS_STAND_IN` says for which class `VathosSession` stands in
(`Session`, `OAuth2Session`, or nothing for the parent's own run), `VATHOS_OUTCOMES` where to write
what became of each test.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import requests
import requests_oauthlib

from vathos import VathosSession
from vathos.testing import AuthorizationServer

STAND_IN = os.environ.get("VATHOS_STAND_IN", "")
OUTCOMES = pytest.StashKey[dict[str, str]]()
SERVER = pytest.StashKey[AuthorizationServer]()


def pytest_configure(config: pytest.Config) -> None:
    """Replaces the class before any test module is imported."""
    config.stash[OUTCOMES] = {}
    if STAND_IN == "Session":
        # With a grant from the environment, as `Session()` takes no arguments.
        server = config.stash[SERVER] = AuthorizationServer()
        account = {k: v for k, v in server.service_account.items() if k != "base_url"}
        os.environ.update({f"VATHOS_{name.upper()}": value for name, value in account.items()})
        # One test looks for the word "token" in what was sent.
        VathosSession().token = {"access_token": "stand-in", "expires_in": 36_000}
        requests.Session = requests.sessions.Session = VathosSession  # type: ignore[misc]
    elif STAND_IN == "OAuth2Session":
        requests_oauthlib.OAuth2Session = VathosSession  # type: ignore[misc]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Notes what became of each test: of its call, or of the step around it that broke."""
    outcomes = CONFIG.stash[OUTCOMES]
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = "xfailed" if hasattr(report, "wasxfail") else report.outcome


def pytest_sessionstart(session: pytest.Session) -> None:
    """Keeps the configuration, which a report does not carry."""
    global CONFIG  # noqa: PLW0603 - one pytest, one configuration
    CONFIG = session.config


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the outcomes where the runner looks for them."""
    Path(os.environ["VATHOS_OUTCOMES"]).write_text(json.dumps(session.config.stash[OUTCOMES]))
    if server := session.config.stash.get(SERVER, None):
        server.close()


CONFIG: pytest.Config
