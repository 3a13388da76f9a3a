"""The token as a value: what is read from an answer, when it ends, and that it shows no secret."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import pickle
import sys
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.canaries import CANARY, Canary
from tests.conftest import FakeClock
from vathos import tokens
from vathos.tokens import Instant, MalformedTokenError, Token, claims_of

AT = Instant(1_800_000_000.0, 5_000.0)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def jwt(claims: object) -> str:
    """Returns an unsigned JWT."""
    return jwt_of(json.dumps(claims).encode())


def jwt_of(payload: bytes) -> str:
    """Returns a JWT with an arbitrary payload."""
    return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.sig"


def read(**members: Any) -> Token:
    """Reads a token response with these members."""
    return Token.from_response({"access_token": "at", **members}, AT)


# --- the answer ---------------------------------------------------------------------------------


def test_whole_answer_is_read() -> None:
    """Every member of a token response finds its place; unknown ones are ignored."""
    token = Token.from_response(
        {
            "access_token": "at",
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_token": "rt",
            "refresh_expires_in": 1800,
            "scope": "openid profile",
            "not-before-policy": 0,
            "session_state": "x",
        },
        AT,
    )
    assert token == Token(
        access_token="at",
        expires_at=1_800_000_300.0,
        scope="openid profile",
        refresh_token="rt",
        refresh_expires_at=1_800_001_800.0,
        issued_at=1_800_000_000.0,
        issued_boot=5_000.0,
    )
    assert token.lifetime == 300


def test_least_answer_is_read() -> None:
    """An access token alone is enough."""
    token = Token.from_response({"access_token": "at"}, AT)
    assert token == Token("at", issued_at=AT.wall, issued_boot=AT.boot)
    assert token.lifetime is None


@pytest.mark.parametrize("value", [None, ""])
def test_answer_without_access_token_is_malformed(value: str | None) -> None:
    """An absent, null or empty access token is named as missing."""
    with pytest.raises(MalformedTokenError, match=r"^it has no access_token$"):
        Token.from_response({"access_token": value, "token_type": "Bearer"}, AT)
    with pytest.raises(MalformedTokenError, match=r"^it has no access_token$"):
        Token.from_response({}, AT)


@pytest.mark.parametrize(
    "value",
    [1, True, ["at"], {"at": 1}, "a b", "a\r\nb", "a\n", " a", "ä", "a\x00", "a\x7f", "\u2028"],
)
@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_token_that_would_break_a_header_is_malformed(name: str, value: object) -> None:
    """A token that is no visible ASCII text is refused, and the message does not repeat it."""
    with pytest.raises(MalformedTokenError) as caught:
        read(**{name: value})
    assert str(caught.value) == f"its {name} is not a string of visible ASCII characters"


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_bearer_in_any_case_is_taken(kind: str) -> None:
    """The token type is compared without regard to case (RFC 6749 §5.1)."""
    assert read(token_type=kind).access_token == "at"


@pytest.mark.parametrize("kind", ["mac", "N_A", "DPoP", "", "Bearer ", 1, ["Bearer"], {}])
def test_token_of_another_type_is_refused(kind: object) -> None:
    """A token of unknown type must not be used (RFC 6749 §7.1)."""
    with pytest.raises(MalformedTokenError, match=r"its token_type is .*not Bearer"):
        read(token_type=kind)


def test_long_token_type_is_cut() -> None:
    """A message does not grow with what a server sends."""
    with pytest.raises(MalformedTokenError) as caught:
        read(token_type="x" * 10_000)
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("a b", "a b"),
        ("", ""),
        (["a", "b"], "a b"),
        ([], ""),
        ([1, None], "1 None"),
        (None, None),
        (7, None),
        ({"a": 1}, None),
    ],
)
def test_scope_is_text_or_a_list(scope: object, expected: str | None) -> None:
    """A scope may be text, as RFC 6749 has it, or a list, as `requests_oauthlib` keeps it."""
    assert read(scope=scope).scope == expected


# --- lifetime -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "lifetime"),
    [
        (300, 300),
        (299.5, 299.5),
        ("300", 300),
        (" 300 ", 300),
        ("299.5", 299.5),
        ("3e2", 300),
        (0.25, 0.25),
        (0, None),
        ("0", None),
        (-1, None),
        ("-30", None),
        (None, None),
        (True, None),
        (False, None),
        ("", None),
        ("soon", None),
        ("Infinity", None),
        (math.inf, None),
        (-math.inf, None),
        (math.nan, None),
        ("nan", None),
        pytest.param(10**5000, None, id="5001 digits"),
        pytest.param("9" * 5000, None, id="5000 digits as text"),
        ([300], None),
        ({"seconds": 300}, None),
    ],
)
def test_lifetime_is_a_positive_finite_number(value: object, lifetime: float | None) -> None:
    """Anything else is an unknown lifetime, of the access token and of the refresh token alike."""
    token = read(expires_in=value, refresh_expires_in=value, refresh_token="rt")
    assert token.lifetime == lifetime
    assert token.expires_at == (None if lifetime is None else AT.wall + lifetime)
    assert token.refresh_expires_at == token.expires_at


@given(JSON | st.integers(min_value=10**300, max_value=10**320) | st.floats(allow_nan=True))
@example(float("1e400"))
@example(5e-324)
@example(sys.float_info.max)
def test_any_lifetime_is_known_or_not_but_never_a_crash(value: object) -> None:
    """Whatever JSON value is there, the token ends at a finite moment not past, or is open."""
    token = read(expires_in=value, refresh_expires_in=value, refresh_token="rt")
    for moment in (token.expires_at, token.refresh_expires_at):
        assert moment is None or AT.wall <= moment < math.inf
    assert token.seconds_left(AT) >= 0


@given(st.dictionaries(st.sampled_from([*Token.__slots__, "token_type", "expires_in"]), JSON))
def test_any_object_is_a_token_or_malformed(answer: dict[str, Any]) -> None:
    """Whatever JSON object a server sends, it is read or refused, and its text form still shows."""
    try:
        token = Token.from_response(answer, AT)
    except MalformedTokenError:
        return
    assert repr(token)
    assert Token.from_dict(token.as_dict(), AT).access_token == token.access_token


@pytest.mark.parametrize(
    ("claims", "lifetime"),
    [
        ({"exp": 1000, "iat": 400}, 600),
        ({"exp": 1000.5, "iat": "400"}, 600.5),
        ({"exp": 400, "iat": 1000}, None),
        ({"exp": 400, "iat": 400}, None),
        ({"exp": 1000}, None),
        ({"iat": 1000}, None),
        ({"exp": None, "iat": 1}, None),
        ({"exp": [1], "iat": 1}, None),
        ({"exp": "soon", "iat": 1}, None),
        ({"exp": math.inf, "iat": 1}, None),
        ({"exp": 10**400, "iat": 1}, None),
        ([1, 2], None),
        ("exp", None),
        (7, None),
        (None, None),
    ],
)
def test_jwt_tells_its_lifetime(claims: object, lifetime: float | None) -> None:
    """Without `expires_in`, the life of a JWT is `exp - iat`, counted from the token request."""
    token = Token.from_response({"access_token": jwt(claims)}, AT)
    assert token.expires_at == (None if lifetime is None else AT.wall + lifetime)


@pytest.mark.parametrize(
    "access_token",
    [
        "opaque",
        "two.parts",
        "a.b.c",
        "..",
        "a.####.c",
        "four.parts.of.text",
        jwt_of(b"\xff\xfe\x00"),
        jwt_of(b"{not json"),
        jwt_of(b"[" * 100_000),
        jwt_of(b'{"exp": ' + b"9" * 5000 + b', "iat": 1}'),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_jwt_has_no_lifetime(access_token: str) -> None:
    """A token that only looks like a JWT is used until the API refuses it."""
    assert Token.from_response({"access_token": access_token}, AT).lifetime is None


def test_jwt_with_more_parts_is_not_read() -> None:
    """An encrypted JWT has five parts; its second one is no claims."""
    five = f"{jwt({'exp': 1000, 'iat': 400})}.x.y"
    assert Token.from_response({"access_token": five}, AT).lifetime is None


def test_jwt_never_extends_the_lifetime() -> None:
    """`expires_in` wins over the claims of an unverified JWT."""
    token = Token.from_response(
        {"access_token": jwt({"exp": 99_999, "iat": 1}), "expires_in": 60}, AT
    )
    assert token.lifetime == 60


# --- dictionaries -------------------------------------------------------------------------------


def test_dictionary_has_the_names_of_requests_oauthlib() -> None:
    """`as_dict` writes what `requests_oauthlib` calls a token."""
    token = Token("at", expires_at=1_800_000_300.0, scope="a b", refresh_token="rt")
    assert token.as_dict() == {
        "access_token": "at",
        "token_type": "Bearer",
        "expires_at": 1_800_000_300.0,
        "refresh_token": "rt",
        "scope": ["a", "b"],
    }


def test_dictionary_leaves_out_what_is_unknown() -> None:
    """Members without a value are absent, not null."""
    assert Token("at").as_dict() == {"access_token": "at", "token_type": "Bearer"}


def test_dictionary_is_taken_over() -> None:
    """A dictionary keeps its absolute end; its life is taken to start now."""
    written = Token("at", AT.wall + 100, "a b", "rt").as_dict()
    token = Token.from_dict(written, AT)
    assert (token.access_token, token.scope, token.refresh_token) == ("at", "a b", "rt")
    assert token.expires_at == AT.wall + 100
    assert token.lifetime == 100
    assert token.issued_boot == AT.boot


def test_absolute_end_wins_over_the_relative_one() -> None:
    """`expires_in` was true when the dictionary was written; `expires_at` still is."""
    values = {"access_token": "at", "expires_in": 3600, "expires_at": str(AT.wall + 7)}
    assert Token.from_dict(values, AT).expires_at == AT.wall + 7


def test_dictionary_without_absolute_end_counts_from_now() -> None:
    """With `expires_in` alone, the life starts now."""
    assert Token.from_dict({"access_token": "at", "expires_in": 60}, AT).lifetime == 60


def test_dictionary_of_a_dead_token_is_dead() -> None:
    """An end in the past stays in the past, on both clocks."""
    token = Token.from_dict({"access_token": "at", "expires_at": AT.wall - 7}, AT)
    assert token.seconds_left(AT) == -7
    assert token.seconds_left(AT._replace(wall=AT.wall - 3600)) == -7


@pytest.mark.parametrize(
    "end", [{"expires_in": "-30"}, {"expires_in": -30}, {"expires_at": 0}, {"expires_at": -1}]
)
def test_dictionary_that_says_it_is_dead_is_dead(end: dict[str, object]) -> None:
    """The `requests_oauthlib` guide's way to ask for a refresh, `expires_in: "-30"`, is heard."""
    token = Token.from_dict({"access_token": "at", "refresh_token": "rt", **end}, AT)
    assert token.seconds_left(AT) <= 0


@pytest.mark.parametrize(
    "values", [{}, {"access_token": "a b"}, {"access_token": "a", "token_type": "mac"}]
)
def test_dictionary_without_usable_token_is_malformed(values: dict[str, object]) -> None:
    """A dictionary is held to the same rules as an answer."""
    with pytest.raises(MalformedTokenError):
        Token.from_dict(values, AT)


# --- time ---------------------------------------------------------------------------------------


def test_life_runs_out(clock: FakeClock) -> None:
    """The seconds left go down to zero and below."""
    token = Token.from_response({"access_token": "at", "expires_in": 60}, clock())
    left = [token.seconds_left(clock()), *(token.seconds_left(clock.advance(25)) for _ in range(3))]
    assert left == [60, 35, 10, -15]


def test_unknown_lifetime_is_endless(clock: FakeClock) -> None:
    """A token without a known lifetime has all the time there is."""
    token = Token.from_response({"access_token": "at"}, clock())
    assert token.seconds_left(clock.advance(10**9)) == math.inf


def test_wall_clock_set_back_does_not_prolong_life(clock: FakeClock) -> None:
    """Whoever sets the clock back an hour still loses the token in time."""
    token = Token.from_response({"access_token": "at", "expires_in": 60}, clock())
    clock.step_wall(-3600)
    assert token.seconds_left(clock.advance(61)) == -1


def test_wall_clock_set_forward_ends_life(clock: FakeClock) -> None:
    """The clock that says less decides."""
    token = Token.from_response({"access_token": "at", "expires_in": 60}, clock())
    assert token.seconds_left(clock.step_wall(3600)) == 60 - 3600


def test_token_from_elsewhere_goes_by_the_wall_clock(clock: FakeClock) -> None:
    """Another machine's boot clock means nothing here."""
    token = Token("at", expires_at=clock().wall + 60, issued_at=clock().wall)
    assert token.seconds_left(Instant(clock().wall, 10**9)) == 60


def test_refresh_token_is_worth_a_try_until_it_ends(clock: FakeClock) -> None:
    """A refresh token may be sent until the moment it is known to end."""
    token = Token.from_response(
        {"access_token": "at", "refresh_token": "rt", "refresh_expires_in": 1800}, clock()
    )
    assert token.may_refresh(clock.advance(1799))
    assert not token.may_refresh(clock.advance(1))


def test_refresh_token_of_unknown_life_is_worth_a_try(clock: FakeClock) -> None:
    """Keycloak says 0 for an offline token: unknown, not ended."""
    token = Token.from_response(
        {"access_token": "at", "refresh_token": "rt", "refresh_expires_in": 0}, clock()
    )
    assert token.may_refresh(clock.advance(10**8))


def test_without_refresh_token_there_is_nothing_to_try(clock: FakeClock) -> None:
    """A lifetime without a refresh token refreshes nothing."""
    token = Token.from_response({"access_token": "at", "refresh_expires_in": 1800}, clock())
    assert not token.may_refresh(clock())


def test_refresh_token_is_carried_over() -> None:
    """A refresh that brought no new refresh token leaves the old one in force, with its end."""
    older = Token("at1", refresh_token="rt1", refresh_expires_at=7.0)
    newer = Token("at2", expires_at=9.0).keeping_refresh_token_of(older)
    assert newer == Token("at2", expires_at=9.0, refresh_token="rt1", refresh_expires_at=7.0)


def test_rotated_refresh_token_replaces_the_old_one() -> None:
    """A new refresh token comes with its own end, even an unknown one."""
    older = Token("at1", refresh_token="rt1", refresh_expires_at=7.0)
    newer = Token("at2", refresh_token="rt2")
    assert newer.keeping_refresh_token_of(older) == newer


def test_used_up_refresh_token_is_dropped() -> None:
    """A refresh token that may be spent goes, with its end; the access token stays as it is."""
    token = Token("at", 9.0, "a b", "rt", 7.0, issued_at=1.0, issued_boot=2.0)
    assert token.without_refresh_token() == Token("at", 9.0, "a b", issued_at=1.0, issued_boot=2.0)
    assert token.refresh_token == "rt"


# --- tokens from elsewhere ----------------------------------------------------------------------


def test_token_from_elsewhere_is_tied_to_this_machine(clock: FakeClock) -> None:
    """A token found 20 s after it was issued has lived 20 s on the boot clock here."""
    found = Token("at", clock().wall + 60, None, "rt", clock().wall + 90, clock().wall)
    token = found.anchored(clock.advance(20))
    assert token == dataclasses.replace(found, issued_boot=clock().boot - 20)
    assert token.seconds_left(clock()) == 40
    assert token.seconds_left(clock.step_wall(-3600)) == 40


def test_token_issued_in_the_future_is_taken_to_be_new(clock: FakeClock) -> None:
    """A token stored by a clock that was an hour ahead lives no longer than its lifetime."""
    ahead = clock().wall + 3600
    token = Token("at", ahead + 60, None, "rt", ahead + 90, ahead).anchored(clock())
    assert (token.issued_at, token.issued_boot) == (clock().wall, clock().boot)
    assert (token.lifetime, token.seconds_left(clock())) == (60, 60)
    assert token.refresh_expires_at == clock().wall + 90


def test_unknown_ends_stay_unknown(clock: FakeClock) -> None:
    """A token without a known end has none afterwards, wherever it came from."""
    for issued in (clock().wall - 7, clock().wall + 3600):
        token = Token("at", refresh_token="rt", issued_at=issued).anchored(clock())
        assert (token.expires_at, token.refresh_expires_at) == (None, None)


def test_own_token_is_tied_already(clock: FakeClock) -> None:
    """A token that was obtained here stays as it is."""
    token = Token.from_response({"access_token": "at", "expires_in": 60}, clock())
    assert token.anchored(clock.advance(7)) is token


def test_same_issue_of_a_token() -> None:
    """Two are one issue if both their tokens are equal, whatever the clocks say."""
    token = Token("at", 60.0, "a", "rt", 90.0, 1.0, 2.0)
    assert token.is_same(Token("at", refresh_token="rt"))
    assert not token.is_same(Token("at", refresh_token="other"))
    assert not token.is_same(Token("other", refresh_token="rt"))
    assert not token.is_same(None)


# --- clocks -------------------------------------------------------------------------------------


def test_now_reads_both_clocks() -> None:
    """The present moment is between two readings of the system's clocks."""
    before = time.time()
    first, second = tokens.now(), tokens.now()
    after = time.time()
    assert before <= first.wall <= after
    assert first.boot <= second.boot < first.boot + 60


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="no boot clock on this system")
def test_boot_clock_counts_suspend() -> None:
    """Where the system has a clock that goes on in suspend, that one is read."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    boot = tokens.now().boot
    assert before <= boot <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_without_boot_clock_the_monotonic_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no such clock, Python's own monotonic clock is read."""
    monkeypatch.setattr("vathos.system.clock._BOOT_CLOCK", None)
    before = time.monotonic()
    boot = tokens.now().boot
    assert before <= boot <= time.monotonic()


# --- the value ----------------------------------------------------------------------------------


def test_token_is_never_edited() -> None:
    """A renewal makes a new token; nobody changes a shared one."""
    token = Token("at")
    with pytest.raises(dataclasses.FrozenInstanceError):
        token.access_token = "other"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        token.note = "x"  # type: ignore[attr-defined]


def test_token_has_value_semantics() -> None:
    """Equal tokens are equal, hash alike, and survive pickling."""
    token, twin = read(expires_in=300, refresh_token="rt"), read(expires_in=300, refresh_token="rt")
    assert token == twin
    assert hash(token) == hash(twin)
    assert pickle.loads(pickle.dumps(token)) == token
    assert token != dataclasses.replace(token, access_token="other")


def test_text_form_shows_no_secret(canary: Canary) -> None:
    """`str`, `repr` and formatting show when it ends, not what it is."""
    token = Token(canary.access_token, 7.5, "a b", canary.refresh_token, 9.5)
    expected = (
        "Token(access_token=***, expires_at=7.5, scope='a b', "
        "refresh_token=***, refresh_expires_at=9.5)"
    )
    assert repr(token) == str(token) == f"{token}" == expected


def test_text_form_tells_whether_there_is_a_refresh_token() -> None:
    """An absent refresh token is shown as absent."""
    assert "refresh_token=None" in repr(Token("at"))


def test_malformed_answer_is_not_repeated(canary: Canary) -> None:
    """The message about a bad token does not hold it."""
    for name in ("access_token", "refresh_token"):
        with pytest.raises(MalformedTokenError) as caught:
            read(**{name: f"{canary.access_token}\n"})
        assert CANARY.seen_in(repr(caught.value)) == []


def test_claims_are_read() -> None:
    """Whatever the payload says is there, with its types."""
    claims = {"iss": "https://a.example", "exp": 7, "aud": ["a", "b"], "name": "Ä?>~"}
    assert claims_of(jwt(claims)) == claims


@pytest.mark.parametrize("token", ["opaque", "a.b.c", jwt([1]), jwt("exp"), f"{jwt({'a': 1})}.x.y"])
def test_what_is_no_jwt_has_no_claims(token: str) -> None:
    """An opaque token, an encrypted one and junk say nothing."""
    assert claims_of(token) == {}
