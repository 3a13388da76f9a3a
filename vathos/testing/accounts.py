"""Clients and users, and the lock against guessed passwords."""

from __future__ import annotations

import enum
import hmac
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypedDict

__all__ = ["Accounts", "Client", "Known", "Person", "ServiceAccount", "User", "Verdict"]

GRANTS = ("client_credentials", "password", "refresh_token")
SCOPES = ("openid", "profile", "email")

# Keycloak's quickLoginCheckMilliSeconds and minimumQuickLoginWaitSeconds.
QUICK_FAILURES = 1.0
LOCKED_FOR = 60.0


class ServiceAccount(TypedDict):
    """Arguments of a session for a service account."""

    client_id: str
    client_secret: str
    token_url: str
    base_url: str


class Person(ServiceAccount):
    """Arguments of a session for a person."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Client:
    """A confidential client (RFC 6749 §2.1).

    It authenticates by its secret, or by any other way that it has.

    Attributes:
        client_id: Its identifier.
        client_secret: Its secret; not shown in the string form. A client without one cannot
            authenticate by a secret.
        grants: The grant types it may use.
        scopes: The scopes it may ask for; all of them are granted if it asks for none.
        enabled: Whether it may authenticate at all.
        jwks: The public keys that verify its own assertions, as a JWK set (RFC 7517 §5), for
            `private_key_jwt`; needs the extra `jwt`.
        workload: The `sub` of the workload tokens that it authenticates by; needs the extra `jwt`.
        certificate: The subject of its TLS certificate (RFC 4514, such as `"CN=robot,O=example"`),
            for `tls_client_auth` (RFC 8705 §2.1).
    """

    client_id: str
    client_secret: str = field(default="", repr=False)
    grants: tuple[str, ...] = GRANTS
    scopes: tuple[str, ...] = SCOPES
    enabled: bool = True
    jwks: Mapping[str, Any] | None = field(default=None, repr=False, hash=False)
    workload: str | None = None
    certificate: str | None = None

    @property
    def authentication_methods(self) -> tuple[str, ...]:
        """How it may authenticate, in the words of OpenID Connect and RFC 8705."""
        methods: tuple[str, ...] = (
            ("client_secret_basic", "client_secret_post") if self.client_secret else ()
        )
        if self.jwks is not None or self.workload is not None:
            methods += ("private_key_jwt",)
        return (*methods, "tls_client_auth") if self.certificate is not None else methods


@dataclass(frozen=True, slots=True)
class User:
    """A person, the resource owner of the password grant (RFC 6749 §4.3).

    Attributes:
        username: The name to log in with.
        password: The password; not shown in the string form.
        enabled: Whether this person may log in.
    """

    username: str
    password: str = field(repr=False)
    enabled: bool = True


class Verdict(enum.Enum):
    """The outcome of a password check."""

    GOOD = "good"
    WRONG = "wrong"
    UNKNOWN = "unknown user"
    LOCKED = "locked after quick failures"
    DISABLED = "disabled"


def same_secret(known: str, presented: str) -> bool:
    """Compares two secrets in constant time."""
    return hmac.compare_digest(known.encode(), presented.encode())


def service_account_name(client_id: str) -> str:
    """Names the user that stands for a client in the client credentials grant, as Keycloak does."""
    return f"service-account-{client_id}"


class Known(NamedTuple):
    """The names of the clients and users of a server.

    Attributes:
        client_ids: The clients.
        usernames: The users, service accounts among them.
    """

    client_ids: tuple[str, ...]
    usernames: tuple[str, ...]


class Accounts:
    """The clients and users of a server; its lock is the ledger's, so that a grant is one step.

    With `lockout` two quick failures lock a user, as Keycloak's brute force protection does.
    """

    def __init__(
        self,
        clients: Iterable[Client],
        users: Iterable[User],
        *,
        lock: threading.RLock,
        lockout: bool,
    ) -> None:
        self._lock = lock
        self._clients: dict[str, Client] = {}
        self._users: dict[str, User] = {}
        self._lockout = lockout
        self._last_failure: dict[str, float] = {}
        self._locked_until: dict[str, float] = {}
        for client in clients:
            self.add(client)
        for user in users:
            self.add(user)

    def add(self, account: Client | User) -> None:
        """Adds a client or a user, or replaces the one of that name."""
        with self._lock:
            if isinstance(account, Client):
                self._clients[account.client_id] = account
                # As in Keycloak, a client's service account is a user, so that it can be disabled.
                name = service_account_name(account.client_id)
                self._users.setdefault(name, User(name, secrets.token_urlsafe(16)))
            else:
                self._users[account.username] = account

    def client(self, client_id: str) -> Client | None:
        """Looks up a client; `None` if there is none."""
        with self._lock:
            return self._clients.get(client_id)

    def clients(self) -> tuple[Client, ...]:
        """Lists the clients, in the order they were added."""
        with self._lock:
            return tuple(self._clients.values())

    def client_of_workload(self, subject: str) -> Client | None:
        """Looks up the client of a workload; `None` if there is none."""
        return next((each for each in self.clients() if each.workload == subject), None)

    def authentication_methods(self) -> list[str]:
        """Lists how clients authenticate here."""
        return sorted({way for each in self.clients() for way in each.authentication_methods})

    def user(self, username: str) -> User | None:
        """Looks up a user; `None` if there is none."""
        with self._lock:
            return self._users.get(username)

    def change_client(self, client_id: str, **changes: Any) -> None:
        """Changes attributes of a client; a `LookupError` if there is none."""
        with self._lock:
            client = self.client(client_id)
            if client is None:
                raise LookupError(f"there is no client {client_id!r}")
            self.add(replace(client, **changes))

    def change_user(self, username: str, **changes: Any) -> None:
        """Changes attributes of a user, and unlocks it; a `LookupError` if there is none."""
        with self._lock:
            user = self.user(username)
            if user is None:
                raise LookupError(f"there is no user {username!r}")
            self.add(replace(user, **changes))
            self._last_failure.pop(username, None)
            self._locked_until.pop(username, None)

    def check_password(self, username: str, password: str, now: float) -> Verdict:
        """Checks, as Keycloak does, if a user is known, not locked, enabled, and then the password.

        A failure is remembered, unless the user is locked; `now` is in Unix seconds.
        """
        with self._lock:
            user = self._users.get(username)
            if user is None:
                return Verdict.UNKNOWN
            if now < self._locked_until.get(username, now):
                return Verdict.LOCKED
            if not user.enabled:
                return Verdict.DISABLED
            if same_secret(user.password, password):
                self._last_failure.pop(username, None)
                return Verdict.GOOD
            self._note_failure(username, now)
            return Verdict.WRONG

    def _note_failure(self, username: str, now: float) -> None:
        last = self._last_failure.get(username)
        self._last_failure[username] = now
        if self._lockout and last is not None and now - last < QUICK_FAILURES:
            self._locked_until[username] = now + LOCKED_FOR

    def known(self) -> Known:
        """Returns the names of all clients and users."""
        with self._lock:
            return Known(tuple(self._clients), tuple(self._users))

    def forget_failures(self) -> None:
        """Unlocks every user and forgets every failed login."""
        with self._lock:
            self._last_failure.clear()
            self._locked_until.clear()

    def secrets(self) -> tuple[str, ...]:
        """Lists every secret and password, for the redaction of records."""
        with self._lock:
            known = [client.client_secret for client in self._clients.values()]
            return (*known, *(user.password for user in self._users.values()))
