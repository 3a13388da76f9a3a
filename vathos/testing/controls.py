"""What a test can do to a server, and what it can read from it: the server without its socket."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vathos.testing.accounts import Accounts, Client, Known, User
from vathos.testing.api import ProtectedApi
from vathos.testing.dialects import Rules
from vathos.testing.faults import Fault, WaitingFault
from vathos.testing.ledger import Ledger
from vathos.testing.realm import Realm
from vathos.testing.records import RecordedRequest
from vathos.testing.tokens import AccessToken, Session
from vathos.testing.urls import Urls
from vathos.testing.workloads import POD_SUBJECT

__all__ = ["Controls"]


class Controls:
    """An authorization server without its socket; all of it may be used from any thread.

    Attributes:
        client_id: The first client.
        username: The first user.
        is_to_stop: Whether the order `stop` came; `vathos serve` then ends.
    """

    def __init__(
        self,
        rules: Rules,
        clients: Sequence[Client],
        users: Sequence[User],
        urls: Urls,
        *,
        clock: Callable[[], float],
        on_request: Callable[[RecordedRequest], object] | None,
    ) -> None:
        self.client_id = clients[0].client_id
        self.username = users[0].username
        self.is_to_stop = False
        lock = threading.RLock()
        self._clock = clock
        self._advanced = 0.0
        self._clock_lock = threading.Lock()  # guards _advanced
        self._ledger = Ledger(rules, self.now, lock)
        self._accounts = Accounts(clients, users, lock=lock, lockout=rules.dialect.locks_out)
        self._realm = Realm(urls, self._accounts, self._ledger, on_request)

    @property
    def client_secret(self) -> str:
        """The current secret of the first client."""
        client = self._accounts.client(self.client_id)
        return client.client_secret if client else ""

    @property
    def password(self) -> str:
        """The current password of the first user."""
        user = self._accounts.user(self.username)
        return user.password if user else ""

    @property
    def api(self) -> ProtectedApi:
        """The protected API: its requests and its switches."""
        return self._realm.api

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """All recorded requests, API included, in the order of arrival.

        The list grows with every request until `forget_requests`.
        """
        return self._realm.records.select()

    @property
    def issued(self) -> tuple[str, ...]:
        """Every access token issued so far, expired and revoked ones too, oldest first."""
        return tuple(token.value for token in self._ledger.access_tokens())

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The live sessions, oldest first."""
        return self._ledger.live_sessions()

    @property
    def reuse_events(self) -> int:
        """How often a used refresh token was presented while its session was live."""
        return self._ledger.reuse_events

    def count(self, grant_type: str | None = None) -> int:
        """Returns how many requests reached the token endpoint, also those that went wrong.

        It counts from the start, or from the last `forget_requests`.

        Args:
            grant_type: Only those of this grant type; all if `None`.
        """
        records = self._realm.records.select("token")
        return sum(grant_type in (None, each.grant_type) for each in records)

    def number(self, token: str) -> int:
        """Returns the number of an access or refresh token of this server, counted from 1.

        Args:
            token: The token.

        Raises:
            LookupError: If this server never issued it.
        """
        number = self._ledger.number(token)
        if number is None:
            raise LookupError("this server never issued that token")
        return number

    def forget_requests(self) -> None:
        """Forgets all recorded requests and reuse events; counting starts again at 0."""
        self._realm.records.forget()
        self._ledger.reuse_events = 0

    def tokens(self) -> tuple[AccessToken, ...]:
        """Returns every access token on record, expired and revoked ones too, oldest first."""
        return self._ledger.access_tokens()

    def forget_ended_tokens(self) -> None:
        """Forgets what no longer works, so that a long test fits into memory.

        Forgotten are access tokens that expired or were revoked, and refresh tokens whose session
        ended. The server does not know them any more: they have no number, and a refresh token that
        comes again is unknown instead of reused.
        """
        self._ledger.forget_ended()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps the tokens and accounts as they are while the block runs.

        Only the thread that runs the block can issue, check or revoke a token; others wait.
        """
        with self._ledger.lock:
            yield

    def waiting_faults(self) -> tuple[WaitingFault, ...]:
        """Returns the faults that wait for requests, in the order of each endpoint's queue."""
        return self._realm.faults.waiting()

    def known(self) -> Known:
        """Returns the names of the clients and users."""
        return self._accounts.known()

    def now(self) -> float:
        """Returns the server's time (Unix seconds)."""
        with self._clock_lock:
            return self._clock() + self._advanced

    def advance(self, seconds: float) -> None:
        """Moves the server's clock, so that tokens expire without waiting.

        Args:
            seconds: How far forward; negative values move it back.
        """
        with self._clock_lock:
            self._advanced += seconds

    def add_client(self, client: Client) -> None:
        """Adds a client, or replaces the one of that identifier."""
        self._accounts.add(client)

    def add_user(self, user: User) -> None:
        """Adds a user, or replaces the one of that name."""
        self._accounts.add(user)

    def set_client_secret(self, client_id: str, secret: str) -> None:
        """Changes a client's secret; its tokens and sessions go on working.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, client_secret=secret)

    def set_password(self, username: str, password: str) -> None:
        """Changes a user's password; tokens and sessions go on working.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, password=password)

    def disable_user(self, username: str) -> None:
        """Disables a user: no login and no refresh; access tokens work until they expire.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, enabled=False)

    def enable_user(self, username: str) -> None:
        """Enables a user again, and unlocks it.

        Raises:
            LookupError: If there is no such user.
        """
        self._accounts.change_user(username, enabled=True)

    def disable_client(self, client_id: str) -> None:
        """Disables a client; access tokens work until they expire.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, enabled=False)

    def enable_client(self, client_id: str) -> None:
        """Enables a client again.

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, enabled=True)

    def set_client_keys(self, client_id: str, jwks: Mapping[str, Any]) -> None:
        """Changes the public keys that verify a client's own assertions.

        Args:
            client_id: The client.
            jwks: A JWK set (RFC 7517 §5).

        Raises:
            LookupError: If there is no such client.
        """
        self._accounts.change_client(client_id, jwks=jwks)

    def workload_token(
        self,
        sub: str | None = None,
        aud: str | Sequence[str] | None = None,
        lifetime: float = 600.0,
        **claims: Any,
    ) -> str:
        """Issues a workload token, as a cluster or a CI system does for a job.

        Args:
            sub: The workload; that of the first client which has one if `None`, else the service
                account of a pod, `system:serviceaccount:picking:robot`.
            aud: The audience; this server's issuer if `None`.
            lifetime: Seconds from now, by the server's clock; negative for an expired one.
            **claims: More claims, or others; `None` leaves one out.

        Returns:
            A JWT signed with ES256.

        Raises:
            ImportError: If PyJWT or cryptography is missing (extra `jwt`).
        """
        workloads = (client.workload for client in self._accounts.clients())
        subject = sub or next(filter(None, workloads), POD_SUBJECT)
        audience = self._realm.urls.issuer if aud is None else aud
        return self._realm.workloads.token(subject, audience, lifetime, claims)

    def rotate_workload_key(self, *, keep_old: bool = True) -> None:
        """Signs workload tokens with a new key from now on.

        Args:
            keep_old: Whether the old keys stay published, so that their tokens are still good.

        Raises:
            ImportError: If PyJWT or cryptography is missing (extra `jwt`).
        """
        self._realm.workloads.rotate(keep_old=keep_old)

    def rotate_access_token_key(self, *, keep_old: bool = True) -> None:
        """Signs access tokens that are JWTs with a new key from now on.

        Args:
            keep_old: Whether the old keys stay published; if not, the API refuses their tokens.

        Raises:
            ImportError: If PyJWT or cryptography is missing (extra `jwt`).
        """
        self._realm.signed.keys.rotate(keep_old=keep_old)
        if not keep_old:
            self.revoke_access_tokens()

    def revoke_access_tokens(self) -> None:
        """Revokes every access token; sessions and refresh tokens go on working."""
        self._ledger.revoke_access_tokens()

    def revoke_sessions(self, username: str | None = None) -> None:
        """Ends sessions, and with them their access and refresh tokens, as an administrator does.

        Args:
            username: Whose sessions; all sessions if `None`.
        """
        self._ledger.end_sessions(username)

    def revoke_all(self) -> None:
        """Ends every session and revokes every access token."""
        self._ledger.end_sessions()
        self._ledger.revoke_access_tokens()

    def reset(self, *, keys: bool = True) -> None:
        """Acts like a restart with an empty database; clients and users stay.

        Args:
            keys: Whether the signing keys are lost too, so that access tokens stop working as well.
        """
        self._accounts.forget_failures()
        self._ledger.wipe(keys=keys)

    def respond(
        self,
        path: str,
        *,
        json: object = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Gives a path of the API an answer of its own, until `take_back`.

        Args:
            path: The path below the base URL, such as `"products"`.
            json: The body, as JSON.
            status: The status code.
            headers: Further header fields.
        """
        self.api.respond(path, json=json, status=status, headers=headers)

    def take_back(self, path: str | None = None) -> None:
        """Lets a path of the API answer as before `respond`.

        Args:
            path: The path that was given to `respond`; all of them if `None`.
        """
        self.api.take_back(path)

    def fail(
        self, endpoint: str, fault: Fault, *, times: int | None = 1, seconds: float | None = None
    ) -> None:
        """Makes the next requests to an endpoint go wrong.

        Counted faults come first, in the order they were queued; then the latest of the others
        applies.

        Args:
            endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"`, `"discovery"`,
                `"workloads"` or `"github"`.
            fault: What goes wrong.
            times: For how many requests; `None` for all until `heal`.
            seconds: For how long by the server's clock, for all requests; replaces `times`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        self._realm.faults.put(endpoint, fault, times=times, seconds=seconds)

    def heal(self, endpoint: str | None = None) -> None:
        """Removes the faults that wait for requests.

        Args:
            endpoint: Of which endpoint; of all if `None`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        self._realm.faults.clear(endpoint)

    @contextlib.contextmanager
    def outage(self, endpoint: str, fault: Fault | None = None) -> Iterator[None]:
        """Makes every request to an endpoint go wrong while the block runs.

        Args:
            endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"`, `"discovery"`,
                `"workloads"` or `"github"`.
            fault: What goes wrong; 503 without a `Retry-After` if `None`.

        Raises:
            ValueError: If there is no such endpoint.
        """
        lasting = Fault.status(503) if fault is None else fault
        waiting = self._realm.faults.put(endpoint, lasting, times=None, seconds=None)
        try:
            yield
        finally:
            self._realm.faults.remove(waiting)
