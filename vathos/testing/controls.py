"""What a test can do to a server: turn its clock, change its accounts, revoke, break, heal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from vathos.testing.accounts import Accounts, Client, User
from vathos.testing.clock import Clock
from vathos.testing.faults import Fault
from vathos.testing.ledger import Ledger
from vathos.testing.realm import Realm

__all__ = ["Controls"]


class Controls:
    """The controls of an `AuthorizationServer`; every one of them may be used from any thread.

    Args:
        clock: The server's clock.
        accounts: The clients and users.
        ledger: The tokens and sessions.
        realm: What answers.
    """

    def __init__(self, clock: Clock, accounts: Accounts, ledger: Ledger, realm: Realm) -> None:
        self._clock = clock
        self._accounts = accounts
        self._ledger = ledger
        self._realm = realm

    def now(self) -> float:
        """Tells the server's time.

        Returns:
            Unix timestamp (seconds, UTC).
        """
        return self._clock.now()

    def advance(self, seconds: float) -> None:
        """Turns the server's clock: tokens expire without anyone waiting.

        Args:
            seconds: How far; negative values turn it back.
        """
        self._clock.advance(seconds)

    def add_client(self, client: Client) -> None:
        """Adds a client, or replaces the one of that identifier.

        Args:
            client: The client.
        """
        self._accounts.add(client)

    def add_user(self, user: User) -> None:
        """Adds a user, or replaces the one of that name.

        Args:
            user: The user.
        """
        self._accounts.add(user)

    def set_client_secret(self, client_id: str, secret: str) -> None:
        """Changes a client's secret; its tokens and sessions live on.

        Args:
            client_id: The client.
            secret: The new secret.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, client_secret=secret)

    def set_password(self, username: str, password: str) -> None:
        """Changes a user's password; tokens and sessions live on.

        Args:
            username: The user.
            password: The new password.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, password=password)

    def disable_user(self, username: str) -> None:
        """Disables a user: no login and no refresh; access tokens live until they expire.

        Args:
            username: The user.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, enabled=False)

    def enable_user(self, username: str) -> None:
        """Enables a user again, and unlocks it.

        Args:
            username: The user.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, enabled=True)

    def disable_client(self, client_id: str) -> None:
        """Disables a client; access tokens live until they expire.

        Args:
            client_id: The client.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, enabled=False)

    def enable_client(self, client_id: str) -> None:
        """Enables a client again.

        Args:
            client_id: The client.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, enabled=True)

    def revoke_access_tokens(self) -> None:
        """Revokes every access token; sessions and refresh tokens live on."""
        self._ledger.revoke_access_tokens()

    def revoke_sessions(self, username: str | None = None) -> None:
        """Ends sessions as an administrator's logout does: their access and refresh tokens die.

        Args:
            username: Whose sessions; all sessions if `None`.
        """
        self._ledger.end_sessions(username)

    def revoke_all(self) -> None:
        """Ends every session and revokes every access token."""
        self._ledger.end_sessions()
        self._ledger.revoke_access_tokens()

    def reset(self, *, keys: bool = True) -> None:
        """Does what a restart with an empty database does; clients and users stay.

        Args:
            keys: Whether the signing keys are lost too, so that access tokens die with the rest.
        """
        self._accounts.forget_failures()
        self._ledger.wipe(keys=keys)

    def fail(
        self, endpoint: str, fault: Fault, *, times: int | None = 1, seconds: float | None = None
    ) -> None:
        """Makes the next requests to an endpoint go wrong.

        Counted faults are used up in the order they were queued; then the latest standing one
        applies.

        Args:
            endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"` or `"discovery"`.
            fault: What goes wrong.
            times: For how many requests; `None` for all until `heal`.
            seconds: For how long by the server's clock, for all requests; replaces `times`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        self._realm.faults.put(endpoint, fault, times=times, seconds=seconds)

    def heal(self, endpoint: str | None = None) -> None:
        """Takes all queued and standing faults back.

        Args:
            endpoint: Of which endpoint; of all if `None`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        self._realm.faults.heal(endpoint)

    @contextlib.contextmanager
    def outage(self, endpoint: str, fault: Fault | None = None) -> Iterator[None]:
        """Keeps an endpoint out of order while the block runs.

        Args:
            endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"` or `"discovery"`.
            fault: What goes wrong; 503 without a `Retry-After` if `None`.

        Yields:
            Nothing.

        Raises:
            ValueError: If there is no such endpoint.
        """
        standing = Fault.status(503) if fault is None else fault
        take_back = self._realm.faults.put(endpoint, standing, times=None, seconds=None)
        try:
            yield
        finally:
            take_back()
