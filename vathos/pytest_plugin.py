"""The fixture `vathos_server`; a file of its own, as pytest imports it in every test run.

It is found through its entry point as soon as `vathos` is installed. Importing it imports nothing
but pytest, so that it costs test suites nothing that do not use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from vathos.testing import AuthorizationServer

__all__ = ["vathos_server"]


@pytest.fixture
def vathos_server() -> Iterator[AuthorizationServer]:
    """A fresh authorization server with a protected API, running while the test runs.

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

    with AuthorizationServer() as server:
        yield server
