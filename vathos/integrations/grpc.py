"""Call credentials for `grpc`; a file of its own, as each adapter is imported by its name."""

from __future__ import annotations

from typing import Any

import grpc

from vathos.bearer import header
from vathos.errors import VathosError
from vathos.token_source import TokenSource

__all__ = ["TokenPlugin", "call_credentials"]


class TokenPlugin(grpc.AuthMetadataPlugin):
    """Puts the token into the metadata of each call; gRPC asks for it in a thread of its own.

    Args:
        source: What `vathos.source` returned.
    """

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(
        self, _context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback
    ) -> None:
        """Gives gRPC the token, or the error, which ends the call as UNAVAILABLE."""
        try:
            token = self._source.token()
        except VathosError as error:
            callback((), error)
        else:
            callback((("authorization", header(token)),), None)


def call_credentials(source: TokenSource) -> Any:
    """Makes call credentials, for `grpc.composite_channel_credentials`.

    gRPC sends them over TLS or to this machine only.

    Args:
        source: What `vathos.source` returned.

    Returns:
        The `grpc.CallCredentials`.
    """
    return grpc.metadata_call_credentials(TokenPlugin(source), "vathos")
