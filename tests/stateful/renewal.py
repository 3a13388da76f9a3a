"""The machine that attacks renewals: random steps, and what must be true after each of them."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import requests
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.helpers import together
from tests.stateful.world import LIFETIME, World
from vathos.errors import VathosError
from vathos.testing import Fault

__all__ = ["RenewalMachine", "totals"]

totals: Counter[str] = Counter()
"""What all runs of this process did."""

_WHICH = st.integers(0, 1)
_OUTAGES = {
    "503": Fault.status(503),
    "429": Fault.status(429, retry_after=2),
    "dropped": Fault.drop_before(),
    "page": Fault.html(),
    "cut": Fault.truncate(20),
}
_LONGEST_TROUBLE = 3
"""Calls in a row for which the server may be in trouble."""

_MOST_REQUESTS = 2
"""Token requests that one call may need where nothing is wrong: a refresh, and what follows it."""


class RenewalMachine(RuleBasedStateMachine):
    """Calls go on while everything around them goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.is_down = False
        self.is_failing = False
        self.is_wrong = False  # the server wants a secret that the sessions do not have yet
        self.quiet = [False, False]  # the last call of a session brought a token that is still good
        self.secrets = 0
        self.troubled = 0  # calls in a row
        # A token from the store then counts as new, though it may have been revoked with the first:
        # so a 401 may reach the caller.
        self.was_set_back = False

    @initialize(seed=st.integers(0, 2**32 - 1))
    def start(self, seed: int) -> None:
        """Builds a world; the seed is that of all jitter."""
        self.world = World(seed)
        totals["runs"] += 1

    @property
    def there(self) -> World:
        """The world, once there is one."""
        assert self.world is not None
        return self.world

    # --- calls ------------------------------------------------------------------------------------

    @rule(which=_WHICH)
    def call(self, which: int) -> None:
        """One call."""
        self._calls(which, 1)

    @rule(which=_WHICH, seconds=st.sampled_from([1.0, 45.0, 55.0, 61.0]))
    def call_after_a_while(self, which: int, seconds: float) -> None:
        """One call, when the token is a little older, or stale, or has expired."""
        self.time_passes(seconds)
        self._calls(which, 1)

    @rule(which=_WHICH)
    def call_from_four_threads(self, which: int) -> None:
        """Four calls at once."""
        self._calls(which, 4)

    def _calls(self, which: int, count: int) -> None:
        world = self.there
        world.clock.advance(0.01)  # no two things happen at one moment
        is_calm = not (self.is_down or self.is_wrong or world.has_worries())
        before = world.server.count()
        answers = together(count, lambda _: world.sessions[which].get("items"))
        world.settle()
        asked = world.server.count() - before
        totals["calls"] += count
        totals["calls when nothing was wrong"] += count * is_calm
        totals["token requests"] += asked
        for answer in answers:
            if isinstance(answer, BaseException):
                totals["errors"] += 1
                assert isinstance(answer, VathosError), f"not of our tree: {answer!r}"
                assert not world.secrets_in(f"{answer} {answer!r}")
                assert not is_calm, f"nothing is wrong, but: {answer!r}"
            else:
                is_sure = is_calm and not self.was_set_back
                assert answer.status_code in ({200} if is_sure else {200, 401})
        if is_calm:
            assert asked <= _MOST_REQUESTS
            if self.quiet[which]:
                assert asked == 0, "the token was good, but another one was requested"
        self.quiet[which] = is_calm and self._is_fresh(which)
        self.troubled = 0 if is_calm else self.troubled + 1
        if self.troubled == _LONGEST_TROUBLE:
            self._mend()

    def _mend(self) -> None:
        """Ends all trouble with the server, so that a run does not consist of it."""
        self.there.server.heal()
        self.there.deploy()
        self.time_passes(301)  # longer than any pause
        self.is_down = self.is_wrong = False
        self.troubled = 0

    def _is_fresh(self, which: int) -> bool:
        token = self.there.source(which).state().token
        return token is not None and token.seconds_left(self.there.clock()) > LIFETIME / 2

    # --- time -------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1.0, 20.0, 45.0, 55.0, 61.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        """So long, for everybody."""
        self.there.clock.advance(seconds)
        self.quiet = [False, False]

    @rule(seconds=st.sampled_from([-86_400.0, -3_600.0, -30.0, 30.0, 3_600.0]))
    def wall_clock_is_set(self, seconds: float) -> None:
        """By a person or by NTP; the server's stays right."""
        self.there.clock.step_wall(seconds)
        self.was_set_back |= seconds < 0
        self.quiet = [False, False]

    # --- the server -------------------------------------------------------------------------------

    @rule()
    def access_tokens_are_revoked(self) -> None:
        """By an administrator."""
        self.there.server.revoke_access_tokens()
        self.quiet = [False, False]

    @rule()
    def sessions_are_ended(self) -> None:
        """By an administrator."""
        self.there.server.revoke_all()
        self.quiet = [False, False]

    @precondition(lambda self: not self.is_down)
    @rule(how=st.sampled_from(sorted(_OUTAGES)), times=st.sampled_from([1, 1, 2, 4, None]))
    def outage_begins(self, how: str, times: int | None) -> None:
        """The token endpoint goes down, for some requests or until it is mended."""
        self.there.server.fail("token", _OUTAGES[how], times=times)
        self.is_down, self.quiet = times is None, [False, False]

    @precondition(lambda self: self.is_down)
    @rule()
    def outage_ends(self) -> None:
        """The token endpoint is back."""
        self.there.server.heal()
        self.is_down = False

    @precondition(lambda self: not self.is_down)
    @rule()
    def answer_is_lost(self) -> None:
        """The server does what the next token request asks, and nobody hears of it."""
        self.there.server.fail("token", Fault.drop_after())
        self.quiet = [False, False]

    @precondition(lambda self: not self.is_wrong)
    @rule(is_late=st.booleans())
    def secret_is_rotated(self, is_late: bool) -> None:
        """At the server, and for the sessions at once or later."""
        self.secrets += 1
        self.there.rotate_secret(f"rotated-secret-{self.secrets}-of-the-robot")
        self.is_wrong, self.quiet = is_late, [False, False]
        if not is_late:
            self.there.deploy()

    @precondition(lambda self: self.is_wrong)
    @rule()
    def secret_is_deployed(self) -> None:
        """The sessions read the new one at their next renewal."""
        self.there.deploy()
        self.is_wrong, self.quiet = False, [False, False]

    # --- this side --------------------------------------------------------------------------------

    @rule(which=_WHICH)
    def log_out(self, which: int) -> None:
        """Afterwards the store has no token of these secrets, if it could be reached."""
        world = self.there
        self.quiet = [False, False]
        try:
            world.sessions[which].revoke()
        except VathosError as error:
            told = f"{error} {error!r}"
        else:
            told = ""
        assert not world.secrets_in(told)
        if told:
            return
        source = world.source(which)
        assert source.state().token is None
        if not self.is_failing:
            assert source.store.load(source.state().identity) is None

    @rule(which=_WHICH, sent=st.booleans())
    def sibling_dies_renewing(self, which: int, sent: bool) -> None:
        """Its refresh token is out of the store; the server has seen it, or has not."""
        if not (self.is_down or self.is_wrong or self.there.server.waiting_faults()):
            totals["deaths"] += self.there.die_renewing(which, sent=sent)
            self.quiet = [False, False]

    @rule(content=st.sampled_from([None, b"", b"{", b"null", b'{"vathos": 1}', b"\xff" * 50]))
    def entry_is_spoilt(self, content: bytes | None) -> None:
        """Each entry is deleted, or replaced by junk."""
        for path in self.there.entries():
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content)

    @rule()
    def store_fails_or_works_again(self) -> None:
        """Each call of the store raises."""
        self.is_failing = not self.is_failing
        self.there.set_failing(self.is_failing)

    @rule(which=_WHICH)
    def session_is_pickled(self, which: int) -> None:
        """And goes on from the pickle."""
        self.there.pickle(which)
        self.quiet[which] = False

    # --- what must be true ------------------------------------------------------------------------

    @invariant()
    def every_call_had_our_token(self) -> None:
        """No request reached the API without one of the tokens that the server issued."""
        if self.world is None:
            return
        for request in self.world.server.api.requests:
            assert request.authorization_scheme == "Bearer"
            assert request.token_number is not None

    @invariant()
    def no_consumed_refresh_token_came_back(self) -> None:
        """The server has seen no refresh token twice."""
        if self.world is not None:
            assert self.world.server.reuse_events == 0

    @invariant()
    def log_has_no_secret_and_no_traceback(self) -> None:
        """Whatever was logged, at every level; and no code of ours fell over in a thread."""
        if self.world is not None:
            assert not self.world.secrets_in(self.world.logged())
            assert not self.world.log.alarms

    def teardown(self) -> None:
        """When all is well again, both sessions work."""
        if self.world is None:
            return
        world = self.world
        try:
            world.server.heal()
            world.deploy()
            world.set_failing(False)
            world.clock.advance(400)  # longer than any pause
            for session in world.sessions:
                assert session.get("items", timeout=30).status_code == requests.codes.ok
            world.settle()
            assert world.server.reuse_events == 0
        finally:
            world.close()
