"""The fixture `vathos_server`; a file of its own, as pytest imports it in every test run.

It is found through its entry point as soon as `vathos` is installed. Importing it imports nothing
but pytest, so that it costs test suites nothing that do not use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vathos.testing import AuthorizationServer

__all__ = ["vathos_server"]


_PLACES = {"VATHOS_CONFIG", "HOME", "XDG_CONFIG_HOME", "APPDATA"}
_of_the_developer = dict(os.environ)


@pytest.fixture
def vathos_server() -> Iterator[AuthorizationServer]:
    """A fresh authorization server with a protected API, running while the test runs.

    The settings of whoever runs the tests do not count meanwhile: neither the `VATHOS_` variables
    with which pytest was started nor the user's configuration file. What the test itself has set
    before does.

    ```python
    def test_token_is_renewed(vathos_server):
        with VathosSession(**vathos_server.service_account) as session:
            session.get("/items")
            vathos_server.advance(301)
            session.get("/items")
        assert vathos_server.count("client_credentials") == 2
    ```

    Yields:
        The server.
    """
    from vathos.testing import AuthorizationServer  # noqa: PLC0415 - only for who asks for it

    with pytest.MonkeyPatch.context() as patch, AuthorizationServer() as server:
        own = {k for k, value in os.environ.items() if value == _of_the_developer.get(k)}
        for name in own:
            if name.startswith("VATHOS_") or name == "CREDENTIALS_DIRECTORY":
                patch.delenv(name)
        if all(os.environ.get(k) == _of_the_developer.get(k) for k in _PLACES - own):
            patch.setenv("VATHOS_CONFIG", "")
        yield server
