"""Orders to a server, as the control endpoint and scenario files give them.

| Order | Members | What it does |
|---|---|---|
| `fail` | `endpoint`, `fault`, `times` or `seconds` | makes requests go wrong, one if not said |
| `heal` | `endpoint` | removes faults, of all endpoints if none is named |
| `advance` | `seconds` | moves the server's clock |
| `revoke` | `what`, `username` | `access_tokens`, `sessions` (of a user), or `all` |
| `reset` | `keys` | acts like a restart with an empty database |
| `set_client_secret` | `client_id`, `client_secret` | changes a secret; a random one if not given |
| `set_password` | `username`, `password` | changes a password; a random one if not given |
| `disable_client`, `enable_client` | `client_id` | refuses a client, and accepts it again |
| `disable_user`, `enable_user` | `username` | refuses a user, and accepts it again |
| `refuse_all` | `refuse` | makes the API answer 401 to every token, or stop doing so |
| `set_client_keys` | `client_id`, `jwks` | changes the keys that verify a client's own assertions |
| `workload_token` | `sub`, `aud`, `lifetime` | issues a workload token, which is in the answer |
| `rotate_workload_key` | `keep_old` | signs workload tokens with a new key |
| `rotate_access_token_key` | `keep_old` | signs access tokens that are JWTs with a new key |
| `respond` | `path`, `json`, `status`, `headers` | gives a path of the API an answer of its own |
| `take_back` | `path` | lets the path answer as before, or all paths if none is named |
| `forget_requests` | | forgets all recorded requests; counting starts again at 0 |
| `stop` | | ends `vathos serve` |

Without a client or user, an order applies to the first one. `times` may be `"always"`.
"""

from __future__ import annotations

import inspect
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vathos.testing.accounts import Known
from vathos.testing.controls import Controls
from vathos.testing.fault_json import fault_from
from vathos.testing.realm import ENDPOINTS
from vathos.testing.schema import (
    ABOVE_ZERO,
    FLAG,
    HEADERS,
    JSON,
    JWKS,
    NAME,
    NUMBER,
    OBJECT,
    STATUS,
    Kind,
    checked,
    near,
    one_of,
)
from vathos.testing.signatures import need_jwt

__all__ = ["VERBS", "Order"]

_ALWAYS = "always"
_HIDDEN = ("client_secret", "password")

Given = Mapping[str, Any]


def _fail(
    server: Controls, endpoint: str, fault: Given, times: Any = 1, seconds: float | None = None
) -> None:
    count = None if times == _ALWAYS else times
    server.fail(endpoint, fault_from(fault), times=count, seconds=seconds)


def _revoke(server: Controls, what: str, username: str | None = None) -> None:
    match what:
        case "access_tokens":
            server.revoke_access_tokens()
        case "sessions":
            server.revoke_sessions(username)
        case _:
            server.revoke_all()


def _set_client_secret(
    server: Controls, client_id: str | None = None, client_secret: str | None = None
) -> Given:
    client_id = client_id or server.client_id
    secret = client_secret or secrets.token_urlsafe(16)
    server.set_client_secret(client_id, secret)
    return {"client_id": client_id, "client_secret": secret}


def _set_password(
    server: Controls, username: str | None = None, password: str | None = None
) -> Given:
    username = username or server.username
    password = password or secrets.token_urlsafe(16)
    server.set_password(username, password)
    return {"username": username, "password": password}


def _set_client_keys(server: Controls, jwks: Given, client_id: str | None = None) -> None:
    server.set_client_keys(client_id or server.client_id, jwks)


def _workload_token(
    server: Controls, sub: str | None = None, aud: str | None = None, lifetime: float = 600.0
) -> Given:
    return {"workload_token": server.workload_token(sub, aud, lifetime)}


def _for_client(act: Callable[[Controls, str], None]) -> Callable[..., None]:
    def order(server: Controls, client_id: str | None = None) -> None:
        act(server, client_id or server.client_id)

    return order


def _for_user(act: Callable[[Controls, str], None]) -> Callable[..., None]:
    def order(server: Controls, username: str | None = None) -> None:
        act(server, username or server.username)

    return order


def _refuse_all(server: Controls, refuse: bool = True) -> None:
    server.api.refuse_all = refuse


def _stop(server: Controls) -> None:
    server.is_to_stop = True


# The parameters of these functions are the members of the orders.
VERBS: Mapping[str, Callable[..., Given | None]] = {
    "fail": _fail,
    "heal": Controls.heal,
    "advance": Controls.advance,
    "revoke": _revoke,
    "reset": Controls.reset,
    "set_client_secret": _set_client_secret,
    "set_password": _set_password,
    "disable_client": _for_client(Controls.disable_client),
    "enable_client": _for_client(Controls.enable_client),
    "disable_user": _for_user(Controls.disable_user),
    "enable_user": _for_user(Controls.enable_user),
    "refuse_all": _refuse_all,
    "set_client_keys": _set_client_keys,
    "workload_token": _workload_token,
    "rotate_workload_key": Controls.rotate_workload_key,
    "rotate_access_token_key": Controls.rotate_access_token_key,
    "respond": Controls.respond,
    "take_back": Controls.take_back,
    "forget_requests": Controls.forget_requests,
    "stop": _stop,
}

_NEED_JWT = ("set_client_keys", "workload_token", "rotate_workload_key", "rotate_access_token_key")

_KINDS = {
    "endpoint": one_of(ENDPOINTS),
    "fault": OBJECT,
    "times": Kind(
        f'a whole number, at least 1, or "{_ALWAYS}"',
        lambda value: (
            value == _ALWAYS
            or (isinstance(value, int) and not isinstance(value, bool) and value >= 1)
        ),
    ),
    "seconds": NUMBER,
    "path": NAME,
    "json": JSON,
    "status": STATUS,
    "headers": HEADERS,
    "what": one_of(("access_tokens", "sessions", "all")),
    "keys": FLAG,
    "refuse": FLAG,
    "keep_old": FLAG,
    "jwks": JWKS,
    "sub": NAME,
    "aud": NAME,
    "lifetime": NUMBER,
    "client_id": NAME,
    "client_secret": NAME,
    "username": NAME,
    "password": NAME,
}


@dataclass(frozen=True, slots=True)
class Order:
    """An order that was checked: its name, and its members."""

    verb: str
    given: Given = field(repr=False)

    @classmethod
    def of(cls, verb: str, given: object, known: Known) -> Order:
        """Checks an order, and returns it; carrying it out cannot fail.

        Args:
            verb: The name of the order.
            given: Its members, as they were parsed.
            known: The clients and users of the server.

        Raises:
            ValueError: If there is no such verb, or a member is unknown, missing or wrong.
        """
        if verb not in VERBS:
            raise ValueError(f"unknown order {verb!r}{near(verb, VERBS)}")
        parameters = list(inspect.signature(VERBS[verb]).parameters.values())[1:]
        kinds = {each.name: _KINDS[each.name] for each in parameters}
        if verb == "fail":
            kinds["seconds"] = ABOVE_ZERO
        needed = [each.name for each in parameters if each.default is each.empty]
        members = checked(given, verb, kinds, needed=needed)
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
        try:
            if "fault" in members:
                fault_from(members["fault"])
            if verb in _NEED_JWT:
                need_jwt()
        except (ValueError, ImportError) as error:
            raise ValueError(f"{verb}: {error}") from None
        return cls(verb, members)

    def carry_out(self, server: Controls) -> Given:
        """Carries the order out; returns what it made: a secret with its owner, or a token."""
        return VERBS[self.verb](server, **self.given) or {}

    def __str__(self) -> str:
        shown = {
            name: "***" if name in _HIDDEN else json.dumps(value)
            for name, value in self.given.items()
        }
        return " ".join([self.verb, *(f"{name}={value}" for name, value in shown.items())])
