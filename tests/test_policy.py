"""Fresh, stale, expired: in this order, at shares of the lifetime."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vathos.errors import ConfigurationError
from vathos.policy import Freshness, RenewalPolicy
from vathos.tokens import Instant, Token

AT = Instant(1_800_000_000.0, 5_000.0)
ORDER = [Freshness.FRESH, Freshness.STALE, Freshness.EXPIRED]
YEAR = 365 * 24 * 3600.0


def living(seconds: float | None) -> Token:
    """Returns a token that was issued at `AT` and lives so long."""
    return Token.from_response({"access_token": "at", "expires_in": seconds}, AT)


def after(seconds: float) -> Instant:
    """Returns the moment so long after `AT`."""
    return Instant(AT.wall + seconds, AT.boot + seconds)


@pytest.mark.parametrize(
    ("lifetime", "stale_after", "expired_after"),
    [
        (1, 0.8, 0.95),
        (5, 4, 4.75),
        (60, 48, 59),
        (200, 160, 199),
        (300, 240, 299),
        (43_200, 34_560, 43_199),
    ],
)
def test_margins_are_shares_of_the_lifetime(
    lifetime: float, stale_after: float, expired_after: float
) -> None:
    """Stale after 80 % of the life; expired for the last 5 % of it, but at most for 1 s."""
    policy, token = RenewalPolicy(position=0), living(lifetime)
    moments = [
        0,
        stale_after - 0.01,
        stale_after + 0.01,
        expired_after - 0.01,
        expired_after + 0.01,
    ]
    assert [policy.state(token, after(moment)).name for moment in moments] == [
        "FRESH",
        "FRESH",
        "STALE",
        "STALE",
        "EXPIRED",
    ]


def test_margins_begin_at_their_moment() -> None:
    """At the very moment a margin begins, the token is in it."""
    policy, token = RenewalPolicy(stale_share=0.5, jitter=0), living(200)
    moments = [99.999, 100, 198.999, 199]
    assert [policy.state(token, after(moment)).name for moment in moments] == [
        "FRESH",
        "STALE",
        "STALE",
        "EXPIRED",
    ]


def test_jitter_moves_staleness_back() -> None:
    """Members of a fleet renew at 80 to 88 % of the life, each at its own moment."""
    token = living(100)
    states = {
        position: [
            RenewalPolicy(position=position).state(token, after(moment)).name
            for moment in (79.9, 80.1, 83.9, 84.1, 87.9, 88.1)
        ]
        for position in (0.0, 0.5, 1.0)
    }
    assert [row.count("FRESH") for row in states.values()] == [1, 3, 5]


def test_position_is_the_policys_own() -> None:
    """Two policies hardly ever stand in the same place, and one never moves."""
    positions = {RenewalPolicy().position for _ in range(20)}
    assert len(positions) == 20
    assert all(0 <= position < 1 for position in positions)


@given(
    lifetime=st.floats(min_value=0.1, max_value=YEAR),
    shares=st.lists(st.floats(min_value=0, max_value=1.5), min_size=2, max_size=8),
    position=st.floats(min_value=0, max_value=1),
)
@example(lifetime=0.1, shares=[0, 0.5, 0.85, 1], position=0)
@example(lifetime=YEAR, shares=[0, 0.5, 0.85, 1], position=1)
def test_token_only_ages(lifetime: float, shares: list[float], position: float) -> None:
    """From 0.1 s to a year: fresh at first, dead at the end, and never younger than before."""
    policy, token = RenewalPolicy(position=position), living(lifetime)
    states = [policy.state(token, after(lifetime * share)) for share in sorted(shares)]
    assert states == sorted(states, key=ORDER.index)
    assert policy.state(token, AT) is Freshness.FRESH
    assert policy.state(token, after(lifetime * 0.9)) is Freshness.STALE
    assert policy.state(token, after(lifetime)) is Freshness.EXPIRED


@given(
    lifetime=st.floats(min_value=0.1, max_value=YEAR),
    share=st.floats(min_value=0, max_value=1.5),
    position=st.floats(min_value=0, max_value=1),
)
def test_seconds_fresh_agrees_with_the_state(
    lifetime: float, share: float, position: float
) -> None:
    """Who waits for as long as a token is fresh finds it stale then, and fresh a little before."""
    policy, token = RenewalPolicy(position=position), living(lifetime)
    seconds = policy.seconds_fresh(token, after(lifetime * share))
    turns = lifetime * share + seconds
    assert turns == pytest.approx(lifetime * (0.8 + 0.08 * position), rel=1e-6, abs=1e-5)
    assert policy.state(token, after(turns * 0.999)) is Freshness.FRESH
    assert policy.state(token, after(turns * 1.001)) is Freshness.STALE


def test_token_of_unknown_lifetime_is_fresh_for_ever() -> None:
    """There is no moment to wait for."""
    assert RenewalPolicy().seconds_fresh(living(None), after(YEAR)) == math.inf


def test_unknown_lifetime_is_fresh() -> None:
    """Of a token that does not say when it ends only the API can tell."""
    assert RenewalPolicy().state(living(None), after(YEAR)) is Freshness.FRESH


def test_expired_while_it_still_lives() -> None:
    """A token that would die on its way to the API is not used."""
    token = living(60)
    assert token.seconds_left(after(59.5)) == 0.5
    assert RenewalPolicy().state(token, after(59.5)) is Freshness.EXPIRED


@pytest.mark.parametrize(
    ("lifetime", "renewal_seconds", "stale_after"),
    [
        (2, 0.2, 1.5),  # two renewals and the pause of a retry fit before the end
        (60, 7, 45.9),
        (10, 1.8, 6.3),
        (5, 4, 2.5),  # but never before half of the life
        (300, 0.05, 240),  # a quick server changes nothing
    ],
)
def test_token_is_stale_early_where_renewals_take_long(
    lifetime: float, renewal_seconds: float, stale_after: float
) -> None:
    """No caller waits, as long as a renewal and its retry fit into what is left."""
    policy, token = RenewalPolicy(position=0), living(lifetime)
    assert policy.state(token, after(stale_after - 0.01), renewal_seconds) is Freshness.FRESH
    assert policy.state(token, after(stale_after + 0.01), renewal_seconds) is Freshness.STALE
    left = policy.seconds_fresh(token, AT, renewal_seconds)
    assert left == pytest.approx(stale_after)


@pytest.mark.parametrize(
    "arguments",
    [
        {"stale_share": -1},
        {"stale_share": 1.5},
        {"stale_share": "0.5"},
        {"jitter": -5},
        {"expired_share": 2},
        {"expired_cap": -1},
        {"expired_cap": float("nan")},
        {"position": True},
    ],
)
def test_nonsense_is_refused(arguments: dict[str, Any]) -> None:
    """A policy that cannot be meant is an error when it is built, which names the value."""
    with pytest.raises(ConfigurationError, match=next(iter(arguments))):
        RenewalPolicy(**arguments)


@pytest.mark.parametrize("left", [-0.001, -1, -YEAR])
def test_token_that_came_dead_is_expired(left: float) -> None:
    """A token taken over after its end, whose life is negative, is expired for ever."""
    token = Token.from_dict({"access_token": "at", "expires_at": AT.wall + left}, AT)
    assert RenewalPolicy().state(token, AT) is Freshness.EXPIRED
    assert RenewalPolicy().state(token, after(YEAR)) is Freshness.EXPIRED


def test_wall_clock_set_back_does_not_make_fresh() -> None:
    """An expired token stays expired when somebody sets the clock back."""
    set_back = Instant(AT.wall - 3600, AT.boot + 60)
    assert RenewalPolicy().state(living(60), set_back) is Freshness.EXPIRED


def test_margins_can_be_chosen() -> None:
    """A caller's own margins are kept."""
    policy = RenewalPolicy(
        stale_share=0.5, jitter=0.2, expired_share=0.5, expired_cap=3, position=0.5
    )
    token = living(100)
    assert [policy.state(token, after(at)).name for at in (59.9, 60.1, 96.9, 97.1)] == [
        "FRESH",
        "STALE",
        "STALE",
        "EXPIRED",
    ]
