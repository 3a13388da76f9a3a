"""Orders are checked as a whole before they are carried out; `test_control.py` carries them out."""

from __future__ import annotations

import math
import sys

import pytest

from vathos.testing import orders
from vathos.testing.accounts import Known
from vathos.testing.orders import Order

KNOWN = Known(("robot",), ("ada", "service-account-robot"))
FAULT = {"endpoint": "token", "fault": {"status": 503}}
MISTAKES: list[tuple[str, object, str]] = [
    ("advance", [], "advance must be an object"),
    ("advance", {}, "advance: seconds is missing; it is a number"),
    ("advance", {"seconds": "1"}, "advance: seconds must be a number"),
    ("advance", {"seconds": math.nan}, "advance: seconds must be a number"),
    ("advance", {"secnds": 1}, "advance: unknown name 'secnds' (did you mean 'seconds'?)"),
    ("forget_requests", {"all": 1}, "forget_requests: unknown name 'all'; there is none"),
    ("fail", {}, "fail: endpoint is missing; it is token, api, revocation, "
     "introspection, discovery, workloads or github"),
    ("fail", {"endpoint": "tokn", "fault": {}}, "fail: endpoint must be token, api, revocation, "
     "introspection, discovery, workloads or github"),
    ("fail", {"endpoint": "token"}, "fail: fault is missing; it is an object"),
    ("fail", {**FAULT, "fault": {"dely": 1}}, "fail: fault: unknown name 'dely' (did you mean "
     "'delay'?)"),
    ("fail", {**FAULT, "times": 0}, 'fail: times must be a whole number, at least 1, or "always"'),
    ("fail", {**FAULT, "times": True}, 'fail: times must be a whole number, at least 1, or '
     '"always"'),
    ("fail", {**FAULT, "seconds": 0}, "fail: seconds must be a number above 0"),
    ("fail", {**FAULT, "times": 1, "seconds": 1}, "fail: both times and seconds are given; leave "
     "one out"),
    ("heal", {"endpoint": None}, "heal: endpoint must be token, api, revocation, "
     "introspection, discovery, workloads or github"),
    ("revoke", {}, "revoke: what is missing; it is access_tokens, sessions or all"),
    ("revoke", {"what": "all", "username": "ada"}, "revoke: username goes with what = sessions"),
    ("revoke", {"what": "sessions", "username": "adda"}, "revoke: there is no user 'adda' (did "
     "you mean 'ada'?)"),
    ("disable_client", {"client_id": "x"}, "disable_client: there is no client 'x'; there is "
     "robot"),
    ("set_password", {"password": ""}, "set_password: password must be text that is not empty"),
    ("set_client_keys", {}, "set_client_keys: jwks is missing; it is an object with a list of keys "
     "(a JWK set)"),
    ("set_client_keys", {"jwks": {"keys": [1]}}, "set_client_keys: jwks must be an object with a "
     "list of keys (a JWK set)"),
    ("workload_token", {"lifetime": "1"}, "workload_token: lifetime must be a number"),
    ("rotate_workload_key", {"keep_old": 1}, "rotate_workload_key: keep_old must be true or "
     "false"),
    ("reset", {"keys": 1}, "reset: keys must be true or false"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "members", "message"), MISTAKES)
def test_mistake_is_named(name: str, members: object, message: str) -> None:
    """What makes no sense is refused with the name of what is wrong."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its whole text is compared
        Order.of(name, members, KNOWN)
    assert str(caught.value) == message


def test_every_verb_of_the_table_is_described() -> None:
    """The table of the module names each verb that there is."""
    assert all(f"`{verb}`" in (orders.__doc__ or "") for verb in orders.VERBS)


def test_order_that_needs_the_extra_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyJWT an order for a workload token is refused before it is carried out."""
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ValueError, match=r"workload_token: .* need the packages PyJWT"):
        Order.of("workload_token", {}, KNOWN)


def test_secrets_are_not_shown() -> None:
    """The string form of an order shows its members, but no secret and no password."""
    order = Order.of("set_password", {"username": "ada", "password": "canary"}, KNOWN)
    assert str(order) == 'set_password username="ada" password=***'
    assert "canary" not in repr(order)
