"""Orders to a server, as the control endpoint and scenario files give them.

| Order | Members | What it does |
|---|---|---|
| `fail` | `endpoint`, `fault`, `times` or `seconds` | makes requests go wrong, one if not said |
| `heal` | `endpoint` | takes faults back, of all endpoints if none is named |
| `advance` | `seconds` | turns the server's clock |
| `revoke` | `what`, `username` | `access_tokens`, `sessions` (of a user), or `all` |
| `reset` | `keys` | does what a restart with an empty database does |
| `set_client_secret` | `client_id`, `client_secret` | changes a secret; a random one if not given |
| `set_password` | `username`, `password` | changes a password; a random one if not given |
| `disable_client`, `enable_client` | `client_id` | has a client refused, and accepted again |
| `disable_user`, `enable_user` | `username` | has a user refused, and accepted again |
| `refuse_all` | `refuse` | has the API answer 401 to every token, and stop doing so |
| `forget_requests` | | forgets all recorded requests; counting starts again at 0 |

Where no client or user is named, the first one is meant. `times` may be `"always"`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vathos.testing.accounts import Known
from vathos.testing.controls import Controls
from vathos.testing.fault_json import fault_from
from vathos.testing.realm import ENDPOINTS
from vathos.testing.schema import (
    ABOVE_ZERO,
    FLAG,
    NAME,
    NUMBER,
    OBJECT,
    Kind,
    checked,
    near,
    one_of,
)

__all__ = ["VERBS", "Order"]

_ALWAYS = "always"
_HIDDEN = ("client_secret", "password")

_TIMES = Kind(
    f'a whole number, at least 1, or "{_ALWAYS}"',
    lambda value: (
        value == _ALWAYS or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
    ),
)


Given = Mapping[str, Any]


class _Verb(NamedTuple):
    act: Callable[[Controls, Given], Given | None]
    kinds: Mapping[str, Kind] = {}
    needed: tuple[str, ...] = ()


def _fail(server: Controls, given: Given) -> None:
    times = given.get("times", 1)
    server.fail(
        given["endpoint"],
        fault_from(given["fault"]),
        times=None if times == _ALWAYS else times,
        seconds=given.get("seconds"),
    )


def _revoke(server: Controls, given: Given) -> None:
    match given["what"]:
        case "access_tokens":
            server.revoke_access_tokens()
        case "sessions":
            server.revoke_sessions(given.get("username"))
        case _:
            server.revoke_all()


def _set_client_secret(server: Controls, given: Given) -> Given:
    client_id = _client(server, given)
    secret = given.get("client_secret") or secrets.token_urlsafe(16)
    server.set_client_secret(client_id, secret)
    return {"client_id": client_id, "client_secret": secret}


def _set_password(server: Controls, given: Given) -> Given:
    username = _user(server, given)
    password = given.get("password") or secrets.token_urlsafe(16)
    server.set_password(username, password)
    return {"username": username, "password": password}


def _refuse_all(server: Controls, given: Given) -> None:
    server.api.refuse_all = given.get("refuse", True)


def _client(server: Controls, given: Given) -> str:
    return str(given.get("client_id", server.client_id))


def _user(server: Controls, given: Given) -> str:
    return str(given.get("username", server.username))


_ENDPOINT = one_of(ENDPOINTS)
_CLIENT, _USER = {"client_id": NAME}, {"username": NAME}

VERBS: Mapping[str, _Verb] = {
    "fail": _Verb(
        _fail,
        {"endpoint": _ENDPOINT, "fault": OBJECT, "times": _TIMES, "seconds": ABOVE_ZERO},
        ("endpoint", "fault"),
    ),
    "heal": _Verb(
        lambda server, given: server.heal(given.get("endpoint")), {"endpoint": _ENDPOINT}
    ),
    "advance": _Verb(
        lambda server, given: server.advance(given["seconds"]), {"seconds": NUMBER}, ("seconds",)
    ),
    "revoke": _Verb(
        _revoke, {"what": one_of(("access_tokens", "sessions", "all")), **_USER}, ("what",)
    ),
    "reset": _Verb(
        lambda server, given: server.reset(keys=given.get("keys", True)), {"keys": FLAG}
    ),
    "set_client_secret": _Verb(_set_client_secret, {**_CLIENT, "client_secret": NAME}),
    "set_password": _Verb(_set_password, {**_USER, "password": NAME}),
    "disable_client": _Verb(
        lambda server, given: server.disable_client(_client(server, given)), _CLIENT
    ),
    "enable_client": _Verb(
        lambda server, given: server.enable_client(_client(server, given)), _CLIENT
    ),
    "disable_user": _Verb(lambda server, given: server.disable_user(_user(server, given)), _USER),
    "enable_user": _Verb(lambda server, given: server.enable_user(_user(server, given)), _USER),
    "refuse_all": _Verb(_refuse_all, {"refuse": FLAG}),
    "forget_requests": _Verb(lambda server, _: server.forget_requests()),
}


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was checked.

    Attributes:
        verb: What to do.
        given: What with.
    """

    verb: str
    given: Given = field(repr=False)

    @classmethod
    def of(cls, verb: str, given: object, known: Known) -> Order:
        """Checks an order.

        Args:
            verb: What to do.
            given: What with.
            known: Whom the server knows.

        Returns:
            The order; it cannot fail any more.

        Raises:
            ValueError: If there is no such verb, or a member is unknown, missing or wrong.
        """
        if verb not in VERBS:
            raise ValueError(f"unknown order {verb!r}{near(verb, VERBS)}")
        members = checked(given, verb, VERBS[verb].kinds, needed=VERBS[verb].needed)
        if "times" in members and "seconds" in members:
            raise ValueError(f"{verb}: both times and seconds are given; leave one out")
        if "username" in members and members.get("what", "sessions") != "sessions":
            raise ValueError(f"{verb}: username goes with what = sessions")
        for name, kind, names in (
            ("client_id", "client", known.client_ids),
            ("username", "user", known.usernames),
        ):
            if name in members and members[name] not in names:
                raise ValueError(
                    f"{verb}: there is no {kind} {members[name]!r}{near(members[name], names)}"
                )
        if "fault" in members:
            try:
                fault_from(members["fault"])
            except ValueError as error:
                raise ValueError(f"{verb}: {error}") from None
        return cls(verb, members)

    def carry_out(self, server: Controls) -> Given:
        """Does what was ordered.

        Args:
            server: The server.

        Returns:
            What came of it: for a new secret, the secret.
        """
        return VERBS[self.verb].act(server, self.given) or {}

    def __str__(self) -> str:
        shown = {
            name: "***" if name in _HIDDEN else json.dumps(value)
            for name, value in self.given.items()
        }
        return " ".join([self.verb, *(f"{name}={value}" for name, value in shown.items())])
