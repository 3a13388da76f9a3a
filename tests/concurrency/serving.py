"""Embedded servers in processes of their own, which take no time from the client's threads."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from vathos.testing import AuthorizationServer, Fault


class Remote:
    """An embedded server in another process.

    Attributes:
        service_account: Arguments for a session of its service account.
        person: Arguments for a session of its person.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.service_account: dict[str, Any]
        self.person: dict[str, Any]
        self.service_account, self.person = pipe.recv()

    def ask(self, question: Callable[[AuthorizationServer], Any]) -> Any:
        """Runs a function of this module's kind on the server and returns its result."""
        self._pipe.send(question)
        return self._pipe.recv()


def _serve(pipe: Connection, options: dict[str, Any], delay: float) -> None:
    with AuthorizationServer(**options) as server:
        if delay:
            server.fail("token", Fault.delay(delay), times=None)
        pipe.send((dict(server.service_account), dict(server.person)))
        while (question := pipe.recv()) is not None:
            pipe.send(question(server))


@contextmanager
def remote(*, delay: float = 0.0, **options: Any) -> Iterator[Remote]:
    """Runs a server in another process.

    Args:
        delay: Seconds that the token endpoint takes for each answer.
        **options: Options of `AuthorizationServer`.

    Yields:
        The server.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, options, delay), daemon=True)
    process.start()
    try:
        yield Remote(ours)
        ours.send(None)
        process.join(10)
    finally:
        process.kill()
        process.join()


def count(server: AuthorizationServer) -> int:
    """Token requests that reached the server."""
    return server.count()


def api_answers(server: AuthorizationServer) -> tuple[int, int, int]:
    """API requests: all, those answered 200, those without a token."""
    return len(server.api.requests), server.api.count(200), server.api.unauthenticated
