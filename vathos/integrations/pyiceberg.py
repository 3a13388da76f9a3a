"""An `AuthManager` for PyIceberg; a file of its own, as each adapter is imported by its name."""

from __future__ import annotations

from typing import Any

from pyiceberg.catalog.rest.auth import AuthManager

import vathos
from vathos.bearer import header

__all__ = ["VathosAuthManager"]


class VathosAuthManager(AuthManager):
    """Gives the REST catalog of PyIceberg a token that works, at each of its requests.

    ```yaml
    catalog:
      warehouse:
        type: rest
        uri: https://catalog.example.com
        auth:
          type: custom
          impl: vathos.integrations.pyiceberg.VathosAuthManager
          custom: {profile: warehouse}
    ```

    Args:
        **settings: Arguments of `vathos.source`; the others come from environment and profile.
    """

    def __init__(self, **settings: Any) -> None:
        self._source = vathos.source(**settings)

    def auth_header(self) -> str:
        """Returns the value of the `Authorization` header; called by PyIceberg."""
        return header(self._source.token())
