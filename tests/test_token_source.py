"""CachedSource: which token a caller gets, how it is obtained, and which events tell of it."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FakeClock
from tests.helpers import join_background, person_source, service_source, vathos_threads, wait_for
from vathos import VathosSession
from vathos.errors import (
    ConfigurationError,
    InvalidClientError,
    InvalidGrantError,
    StoreError,
    TokenRequestError,
    TokenResponseError,
)
from vathos.events import (
    CredentialsRefused,
    Event,
    Events,
    RenewalFailed,
    Renewed,
    ServedStale,
)
from vathos.grants import Secret
from vathos.policy import RenewalPolicy
from vathos.renewal.lockout import Lockout
from vathos.renewal.process import process
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore
from vathos.system import locks
from vathos.system.backoff import Backoff
from vathos.testing import AuthorizationServer, Fault

LIFETIME = 100.0
POLICY = RenewalPolicy(position=0.0)  # stale at 80 s, expired at 95 s


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes pauses predictable, and password attempts quick."""
    monkeypatch.setattr(process, "failures", Backoff(first=0.5, longest=2.0))
    monkeypatch.setattr(Lockout, "SPACING", 0.0)


@pytest.fixture
def server(clock: FakeClock) -> Iterator[AuthorizationServer]:
    """A server whose tokens live 100 s by the same clock."""
    with AuthorizationServer(
        access_token_lifetime=LIFETIME,
        refresh_token_lifetime=1000.0,
        clock=lambda: clock.instant.wall,
    ) as server:
        yield server


@pytest.fixture
def events() -> Events:
    """Events that are kept."""
    kept: list[Event] = []
    events = Events(kept.append)
    events.kept = kept  # type: ignore[attr-defined]
    return events


# --- fresh, stale, expired ----------------------------------------------------------------------


def test_fresh_token_is_reused(server: AuthorizationServer, clock: FakeClock) -> None:
    """While it is fresh, the same token comes back, and nobody is asked."""
    source = service_source(server, clock, policy=POLICY)
    first = source.token()
    clock.advance(79)
    assert source.token() is first
    assert server.count() == 1


def test_stale_token_is_handed_out_while_one_renewal_runs(
    server: AuthorizationServer, clock: FakeClock, events: Events
) -> None:
    """From 80 % of its life on it still comes back at once, and the next one is already there."""
    source = service_source(server, clock, policy=POLICY, events=events)
    first = source.token()
    clock.advance(81)
    assert [source.token() for _ in range(20)].count(first) >= 1
    join_background()
    assert source.token() is not first
    assert server.count() == 2
    renewed = [event for event in events.kept if isinstance(event, Renewed)]  # type: ignore[attr-defined]
    assert [event.in_background for event in renewed] == [False, True]
    assert renewed[1].expires_at == source.token().expires_at


def test_expired_token_is_not_handed_out(server: AuthorizationServer, clock: FakeClock) -> None:
    """In the last share of its life a token is renewed before it is used."""
    source = service_source(server, clock, policy=POLICY)
    first = source.token()
    clock.advance(99.5)
    assert source.token() is not first
    assert server.count() == 2


@pytest.mark.parametrize("lifetime", [2.0, 60.0, 43_200.0])
def test_short_and_long_lifetimes_work_alike(clock: FakeClock, lifetime: float) -> None:
    """One token request for each 80 % of a life, be it 2 s or 12 h."""
    with AuthorizationServer(
        access_token_lifetime=lifetime, clock=lambda: clock.instant.wall
    ) as server:
        source = service_source(server, clock, policy=POLICY)
        for _ in range(100):
            source.token()
            join_background()
            clock.advance(lifetime / 10)
        assert 11 <= server.count() <= 13


def test_unknown_lifetime_is_used_until_refused(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """A token without expires_in is fresh for ever, until the API says otherwise."""
    server.fail("token", Fault.without("expires_in"))
    source = service_source(server, clock)
    first = source.token()
    clock.advance(10_000_000)
    assert source.token() is first
    assert source.token(rejected=first) is not first


def test_rejected_token_is_replaced(server: AuthorizationServer, clock: FakeClock) -> None:
    """A token that the API refused is renewed though it looks fresh."""
    source = service_source(server, clock)
    first = source.token()
    second = source.token(rejected=first)
    assert second.access_token != first.access_token
    assert source.token(rejected=first) is second
    assert server.count() == 2


def test_token_obtained_by_another_session_is_found(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """Two sources of one identity and store share the token."""
    store = MemoryStore()
    one, two = (service_source(server, clock, store=store) for _ in "ab")
    assert one.token() is two.token()
    assert server.count() == 1


def test_forgotten_token_is_obtained_anew(server: AuthorizationServer, clock: FakeClock) -> None:
    """After `forget` the next caller gets another token."""
    source = service_source(server, clock)
    first = source.token()
    source.forget()
    assert source.current is None
    assert source.token() is not first


# --- the grants ---------------------------------------------------------------------------------


def test_refresh_grant_comes_first(
    server: AuthorizationServer, clock: FakeClock, events: Events
) -> None:
    """Where there is a refresh token, it renews; its rotation is kept."""
    source = person_source(server, clock, events=events)
    for _ in range(4):
        source.token()
        clock.advance(99.5)
    assert server.count("password") == 1
    assert server.count("refresh_token") == 3
    assert server.reuse_events == 0
    grants = [event.grant for event in events.kept if isinstance(event, Renewed)]  # type: ignore[attr-defined]
    assert grants == ["password", "refresh_token", "refresh_token", "refresh_token"]


def test_refresh_token_is_kept_when_the_answer_has_none(clock: FakeClock) -> None:
    """A server that does not rotate need not repeat the refresh token (RFC 6749 §6)."""
    with AuthorizationServer(
        access_token_lifetime=LIFETIME,
        rotate_refresh_tokens=False,
        clock=lambda: clock.instant.wall,
    ) as server:
        server.fail("token", Fault.delay(0))
        source = person_source(server, clock)
        source.token()
        for _ in range(2):
            server.fail("token", Fault.without("refresh_token"))
            clock.advance(99.5)
            source.token()
        assert server.count("refresh_token") == 2
        assert server.count("password") == 1


@pytest.mark.parametrize("error", ["invalid_grant", "invalid_request", "unauthorized_grant"])
def test_refused_refresh_leads_to_the_original_grant(
    server: AuthorizationServer, clock: FakeClock, error: str
) -> None:
    """Whatever a refused refresh is called, the original grant follows, once."""
    source = person_source(server, clock)
    source.token()
    server.fail("token", Fault.json({"error": error}, status=400))
    clock.advance(99.5)
    source.token()
    assert server.count("refresh_token") == 1
    assert server.count("password") == 2


@pytest.mark.fault(15)
@pytest.mark.parametrize(
    "end", [AuthorizationServer.revoke_sessions, AuthorizationServer.revoke_all]
)
def test_session_ended_by_an_administrator_is_opened_anew(
    server: AuthorizationServer, clock: FakeClock, end: Callable[[AuthorizationServer], None]
) -> None:
    """A logout or `notBefore` at the server costs one refresh, one password grant, no failure."""
    source = person_source(server, clock)
    first = source.token()
    end(server)
    source.token(rejected=first)
    assert (server.count("refresh_token"), server.count("password")) == (1, 2)
    assert source.events.stats.refusals == 0


def test_dead_refresh_token_is_not_presented(server: AuthorizationServer, clock: FakeClock) -> None:
    """A refresh token known to have expired costs no request."""
    source = person_source(server, clock)
    source.token()
    clock.advance(1001)
    source.token()
    assert server.count("refresh_token") == 0
    assert server.count("password") == 2


@pytest.mark.fault(4)
@pytest.mark.parametrize(
    "fault", [Fault.drop_after(), Fault.drop_after(reset=True), Fault.truncate(30)]
)
def test_lost_answer_to_a_rotating_refresh_is_not_repeated(
    server: AuthorizationServer, clock: FakeClock, fault: Fault
) -> None:
    """When the server rotated and the answer was lost, the password obtains the next token."""
    source = person_source(server, clock)
    source.token()
    server.fail("token", fault)
    clock.advance(99.5)
    source.token()
    assert server.count("refresh_token") == 1
    assert server.count("password") == 2
    assert server.reuse_events == source.events.stats.refusals == 0
    clock.advance(99.5)
    source.token()
    assert server.count("refresh_token") == 2


def test_wrong_secret_at_a_refresh_does_not_try_the_password(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """The original grant would authenticate with the same secret, so it is not sent."""
    source = person_source(server, clock)
    source.token()
    server.set_client_secret(server.client_id, "changed")
    clock.advance(101)
    with pytest.raises(InvalidClientError):
        source.token()
    assert server.count("password") == 1
    assert server.count("refresh_token") == 1


def test_narrower_scope_is_a_log_line(
    server: AuthorizationServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Less scope than asked for is said, not raised."""
    source = service_source(server, clock)
    object.__setattr__(source.grant, "scope", "read write")
    server.fail("token", Fault.json({"access_token": "abc", "expires_in": 5, "scope": "read"}))
    assert source.token().scope == "read"
    assert "less scope" in caplog.text


# --- outages ------------------------------------------------------------------------------------


@pytest.mark.fault(1)
def test_outage_is_invisible_while_the_token_lives(
    server: AuthorizationServer, clock: FakeClock, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """Every caller gets the old token at once; one warning; renewed after the outage."""
    source = service_source(server, clock, policy=POLICY, events=events)
    first = source.token()
    caplog.set_level(logging.INFO, "vathos")
    with server.outage("token"):
        for _ in range(10):
            clock.advance(81 if clock.instant.boot < 5_080 else 1)
            assert source.token() is first
            join_background()
    clock.advance(4)
    source.token()
    join_background()
    assert source.token() is not first
    levels = [r.levelname for r in caplog.records if r.message.startswith("renewal failed")]
    assert levels[0] == "WARNING"
    assert "WARNING" not in levels[1:]
    assert "renewed after" in caplog.text
    kinds = {type(event) for event in events.kept}  # type: ignore[attr-defined]
    assert kinds == {Renewed, RenewalFailed, ServedStale}


def test_failed_renewal_is_tried_again_after_a_pause_only(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """While the pause lasts, a stale token costs no further token request."""
    source = service_source(server, clock, policy=POLICY)
    source.token()
    server.fail("token", Fault.status(400, body=b""), times=None)
    clock.advance(81)
    for _ in range(50):
        source.token()
        join_background()
    assert server.count() == 2


def test_last_seconds_of_a_token_are_used_when_there_is_no_successor(
    server: AuthorizationServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Inside the margin a failed renewal hands the old token out; after it, it raises."""
    source = service_source(server, clock, policy=POLICY, timeout=0.3)
    first = source.token()
    server.fail("token", Fault.status(503), times=None)
    clock.advance(99.2)
    assert source.token() is first
    clock.advance(4)
    with pytest.raises(TokenResponseError, match="HTTP 503"):
        source.token()


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.status(503), Fault.drop_before()])
def test_outage_in_the_last_seconds_makes_nobody_wait_it_out(
    server: AuthorizationServer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    """A caller waits for half of what the token has left at most, and the next not at all."""
    source = service_source(server, clock, policy=POLICY)
    first = source.token()
    server.fail("token", fault, times=None)
    clock.advance(99.2)
    assert source.token() is first
    # 0.4 s and what a busy machine adds, as opposed to the 30 s that the renewal may take.
    assert source.events.stats.longest_wait < 10
    waiting: list[int] = []
    wait = locks._Task.wait

    def noted(task: Any, *args: Any, **kwargs: Any) -> BaseException | None:
        waiting.append(threading.get_ident())
        return wait(task, *args, **kwargs)

    monkeypatch.setattr(locks._Task, "wait", noted)
    assert source.token() is first
    assert threading.get_ident() not in waiting


@pytest.mark.usefixtures("waits")
def test_caller_with_time_left_waits_out_a_bad_minute(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """After expiry, failures that may pass are waited out; then one token request is enough."""
    source = service_source(server, clock, timeout=20)
    first = source.token()
    clock.advance(LIFETIME + 1)
    server.fail("token", Fault.drop_before(), times=4)
    assert source.token() is not first
    assert server.count() == 6


@pytest.mark.usefixtures("waits")
def test_cold_start_without_a_server_fails_soon(
    server: AuthorizationServer, clock: FakeClock
) -> None:
    """Where there never was a token, three attempts are made, and the error comes at once."""
    source = service_source(server, clock)
    server.fail("token", Fault.drop_before(), times=None)
    with pytest.raises(TokenRequestError, match="broke before the answer"):
        source.token()
    assert server.count() == 3


def test_retry_after_longer_than_the_callers_time_is_not_waited_for(
    server: AuthorizationServer,
) -> None:
    """A server that asks for more time than there is gets no second request."""
    source = service_source(server, timeout=1)
    server.fail("token", Fault.status(429, retry_after=120), times=None)
    with pytest.raises(TokenResponseError, match="HTTP 429"):
        source.token()
    assert server.count() == 1
    assert 55 < source.state().backoff <= 60


# --- refused credentials ------------------------------------------------------------------------


@pytest.mark.fault(14)
def test_refused_credentials_are_not_presented_again_in_the_pause(
    server: AuthorizationServer, clock: FakeClock, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong password costs one token request per growing pause, and the error says how long."""
    source = person_source(server, clock, password="wrong", events=events)
    counts = []
    for pause in (0.0, 4.9, 0.2, 9.9, 0.2):
        clock.advance(pause)
        for _ in range(20):
            with pytest.raises(InvalidGrantError):
                source.token()
        counts.append(server.count())
    assert counts == [1, 1, 2, 2, 3]
    with pytest.raises(InvalidGrantError, match="not presented for another 20 s"):
        source.token()
    refused = [e for e in events.kept if isinstance(e, CredentialsRefused)]  # type: ignore[attr-defined]
    assert [event.retry_in for event in refused] == [5, 10, 20]
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 3


def test_other_identities_are_not_affected(server: AuthorizationServer, clock: FakeClock) -> None:
    """A refusal of one password does not touch another person or the service account."""
    with pytest.raises(InvalidGrantError):
        person_source(server, clock, password="wrong").token()
    service_source(server, clock).token()
    person_source(server, clock).token()


def test_corrected_secret_is_used_at_once(server: AuthorizationServer, clock: FakeClock) -> None:
    """A changed secret is another identity: the pause of the wrong one does not hold it up."""
    secret = "wrong"
    source = service_source(server, clock)
    object.__setattr__(source.grant, "client_secret", Secret(lambda: secret))
    with pytest.raises(InvalidClientError):
        source.token()
    with pytest.raises(InvalidClientError, match="not presented for another"):
        source.token()
    secret = server.client_secret
    assert server.number(source.token().access_token) == 1
    assert server.count() == 2


@pytest.mark.fault(52)
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_rotated_passwords_leave_no_session_behind(
    server: AuthorizationServer, clock: FakeClock, tmp_path: Path, kind: str
) -> None:
    """After three changes there is one session and one entry, and the last is revoked too."""
    store = FileStore(tmp_path / "tokens") if kind == "file" else MemoryStore()
    passwords = [server.password]
    source = person_source(server, clock, store=store, password=lambda: passwords[-1])
    source.token()
    for number in range(3):
        passwords.append(f"changed-{number}")
        server.set_password(server.username, passwords[-1])
        source.token(rejected=source.current)
        assert len(server.sessions) == 1
    if kind == "file":
        assert len(list((tmp_path / "tokens").glob("*.json"))) == 1
    source.revoke()
    assert server.sessions == ()


@pytest.mark.fault(52)
def test_wrong_password_ends_no_session(
    server: AuthorizationServer, clock: FakeClock, tmp_path: Path
) -> None:
    """Whoever cannot log in does not get at the session of whoever could."""
    store = FileStore(tmp_path / "tokens")
    person_source(server, clock, store=store).token()
    with pytest.raises(InvalidGrantError):
        person_source(server, clock, store=store, password="wrong").token()
    assert len(server.sessions) == 1
    assert person_source(server, clock, store=store).token().access_token == server.issued[0]


def test_secret_file_is_read_at_each_renewal(
    server: AuthorizationServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    """A secret that is rotated in its file works at the next renewal, without a restart."""
    path = tmp_path / "secret"
    path.write_text(server.client_secret + "\n")
    monkeypatch.setenv("VATHOS_CLIENT_ID", server.client_id)
    monkeypatch.setenv("VATHOS_CLIENT_SECRET_FILE", str(path))
    session = VathosSession(
        token_url=server.token_url, base_url=server.api_url, clock=clock, store=MemoryStore()
    )
    session.get("x")
    server.set_client_secret(server.client_id, "rotated")
    path.write_text("rotated\n")
    clock.advance(101)
    assert session.get("x").json()["token_number"] == 2
    path.unlink()
    assert session.get("x").status_code == 200
    clock.advance(101)
    with pytest.raises(ConfigurationError, match=r"secret \(VATHOS_CLIENT_SECRET_FILE\) cannot be"):
        session.get("x")


def test_unreadable_secret_is_a_log_line_while_the_token_lives(
    server: AuthorizationServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A secret that cannot be read for a moment breaks nothing, and is not read all the time."""
    reads: list[int] = []

    def read() -> str:
        reads.append(1)
        if len(reads) > 1:
            raise OSError("vault is sealed")
        return server.client_secret

    source = service_source(server, clock, policy=POLICY)
    object.__setattr__(source.grant, "client_secret", Secret(read))
    first = source.token()
    clock.advance(81)
    for _ in range(20):
        assert source.token() is first
        join_background()
    assert len(reads) == 2
    assert "the callable for it raised OSError" in caplog.text


# --- stores and callbacks -----------------------------------------------------------------------


class SickStore(MemoryStore):
    """A store of which nothing works."""

    def load(self, identity: object) -> None:  # type: ignore[override]
        """Fails."""
        raise StoreError("no load")

    def save(self, identity: object, token: object) -> None:
        """Fails."""
        raise StoreError("no save")

    def delete(self, identity: object) -> None:
        """Fails."""
        raise RuntimeError("no delete")

    def lock(self, identity: object, timeout: float) -> None:  # type: ignore[override]
        """Fails."""
        raise TimeoutError("no lock")


def test_sick_store_never_fails_a_request(
    server: AuthorizationServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Each failure of a store is a log line, and the token at hand serves on."""
    caplog.set_level("DEBUG", "vathos")
    source = service_source(server, clock, store=SickStore())
    first = source.token()
    assert source.token() is first
    clock.advance(99.5)
    assert source.token() is not first
    source.forget()
    assert server.count() == 2
    for text in ("no load", "no save", "no delete", "no lock"):
        assert text in caplog.text


def test_callback_and_hook_that_raise_are_ignored(
    server: AuthorizationServer, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a renewal callback nor an event hook can break a request."""

    def fail(_: object) -> None:
        raise ValueError("hook")

    source = service_source(server, clock, events=Events(fail), on_renewed=fail)
    assert source.token()
    assert caplog.text.count("ValueError: hook") == 2


def test_hook_may_ask_for_a_token(server: AuthorizationServer, clock: FakeClock) -> None:
    """Hooks are called without any lock held, so they may use the session."""
    seen: list[str] = []
    source = service_source(server, clock)
    source.events.hook = lambda _: seen.append(source.token().access_token)
    source.token()
    assert len(seen) == 1


# --- keeping warm -------------------------------------------------------------------------------


def test_keep_warm_renews_without_requests() -> None:
    """With keep_warm, the token is renewed while nobody asks, until the session is closed."""
    with AuthorizationServer() as server:
        server.fail("token", Fault.expires_in(0.4), times=None)
        session = VathosSession(**server.service_account, keep_warm=True, store=MemoryStore())
        wait_for(lambda: not vathos_threads())
        session.get("x")
        wait_for(lambda: server.count() >= 4)
        session.close()
        wait_for(lambda: not vathos_threads())
        count = server.count()
        assert session.get("x").status_code == 200
        assert server.count() <= count + 1
        session.close()


def test_keep_warm_ends_when_the_session_is_collected() -> None:
    """A session that is dropped leaves no thread behind."""
    with AuthorizationServer() as server:
        session = VathosSession(**server.service_account, keep_warm=True, store=MemoryStore())
        session.get("x")
        # The renewal has given its token away before its thread ends.
        wait_for(lambda: [thread.name for thread in vathos_threads()] == ["vathos-keep-warm"])
        del session
        gc.collect()
        wait_for(lambda: not vathos_threads())


def test_keep_warm_survives_an_outage() -> None:
    """A failing server does not end the thread; it goes on when the server is back."""
    with AuthorizationServer() as server:
        server.fail("token", Fault.expires_in(0.4))
        source = service_source(server, keep_warm=True)
        source.token()
        server.fail("token", Fault.status(500), times=2)
        wait_for(lambda: source.events.stats.renewals >= 2)
        source.close()


# --- numbers ------------------------------------------------------------------------------------


def test_stats_count_what_happened(server: AuthorizationServer, clock: FakeClock) -> None:
    """The counters are those of this session."""
    session = VathosSession(
        **server.service_account, clock=clock, policy=POLICY, store=MemoryStore()
    )
    session.get("x")
    server.revoke_access_tokens()
    session.get("x")
    server.fail("token", Fault.status(400, body=b""))
    clock.advance(81)
    session.get("x")
    join_background()
    stats = session.stats()
    assert (stats.token_requests, stats.renewals, stats.replays) == (3, 2, 1)
    assert (stats.renewal_failures, stats.served_stale, stats.refusals) == (1, 1, 1)
    assert stats.longest_wait > 0


def test_source_shows_no_secret(server: AuthorizationServer) -> None:
    """The string form names grant and endpoint only."""
    source = service_source(server)
    source.token()
    assert server.client_secret not in repr(vars(source))
