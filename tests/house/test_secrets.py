"""The canary: no secret and no token in a log at DEBUG, an error, a traceback or a string form."""

from __future__ import annotations

import logging
import pickle
import ssl
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import trustme

import vathos
from tests.canaries import CANARY, told_by
from tests.helpers import join_background
from vathos import VathosSession, get_client_token, get_service_account_token
from vathos.config.secret_sources import SecretCommand
from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError, VathosError
from vathos.events import Event
from vathos.oauth.failures import chain
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault, User

WRONG = "canary-wrong-secret-77aa"


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server with canaries for secrets, in Keycloak's words."""
    with AuthorizationServer(
        clients=[Client("robot", CANARY.client_secret)],
        users=[User("ada", CANARY.password)],
        dialect="keycloak",
    ) as server:
        yield server


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """Every logger at DEBUG, as text."""
    caplog.set_level(logging.DEBUG)
    for name in ("vathos", "requests_oauthlib", "oauthlib", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, name)
    logging.getLogger("requests_oauthlib.oauth2_session").setLevel(logging.DEBUG)
    return lambda: "\n".join(
        f"{record.getMessage()} {vars(record)!r} {record.exc_text}" for record in caplog.records
    )


def session_of(server: AuthorizationServer, **changes: object) -> VathosSession:
    """Builds a person's session with a store of its own."""
    arguments = {**server.person, "store": MemoryStore(), "token_timeout": 2, **changes}
    return VathosSession(**arguments)  # type: ignore[arg-type]


def assert_clean(text: str, server: AuthorizationServer) -> None:
    """Fails if a secret of any kind stands in the text."""
    assert not CANARY.seen_in(text)
    assert WRONG not in text
    for token in server.issued:
        assert token not in text
    assert "refresh-token-" not in text


BAD_ANSWERS = {
    "html": Fault.html(),
    "html-503": Fault.html(503),
    "empty": Fault.empty(),
    "list": Fault.json([1]),
    "no-token": Fault.json({"hello": "world"}),
    "mac": Fault.amend(token_type="mac"),
    "echo": Fault.json(
        {
            "error": "invalid_grant",
            "error_description": f"{CANARY.password} {CANARY.client_secret}",
        },
        status=400,
    ),
    "redirect": Fault.redirect("https://evil.invalid/token", 307),
    "404": Fault.status(404),
    "429": Fault.status(429, retry_after=3600),
    "dropped": Fault.drop_after(),
    "truncated": Fault.truncate(20),
    "hanging": Fault.hang(),
    "dripping": Fault.drip(20),
    "bomb": Fault.gzip_bomb(10_000_000),
}


@pytest.mark.parametrize("fault", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_bad_answers_tell_no_secret(
    server: AuthorizationServer, logged: Callable[[], str], fault: Fault
) -> None:
    """Whatever the token endpoint answers, neither error nor log shows what was sent."""
    server.fail("token", fault, times=None)
    session = session_of(server, token_timeout=0.3)
    with pytest.raises(VathosError) as caught:
        session.get("x")
    assert_clean(told_by(caught.value), server)
    assert_clean("".join(traceback.format_exception(caught.value)), server)
    assert_clean(repr(pickle.loads(pickle.dumps(caught.value)).__dict__), server)
    assert caught.value.request is None
    assert caught.value.response is None
    assert_clean(logged(), server)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_secret": WRONG},
        {"client_id": "nobody", "client_secret": WRONG},
        {"password": WRONG},
        {"username": "nobody", "password": WRONG},
        {"client_secret": WRONG, "client_authentication": "client_secret_basic"},
        {"token_url": "https://127.0.0.1:9/token"},
        {"token_url": "https://nowhere.invalid/token"},
    ],
    ids=["secret", "client", "password", "user", "basic", "refused", "DNS"],
)
def test_refusals_and_broken_ways_tell_no_secret(
    server: AuthorizationServer, logged: Callable[[], str], changes: dict[str, str]
) -> None:
    """Wrong credentials and unreachable servers are named without the credentials."""
    with pytest.raises((TokenResponseError, TokenRequestError)) as caught:
        session_of(server, **changes).get("x")
    assert_clean(told_by(caught.value), server)
    assert_clean(logged(), server)


def test_disabled_user_tells_no_secret(
    server: AuthorizationServer, logged: Callable[[], str]
) -> None:
    """Also remembered refusals, which are raised again, stay clean."""
    server.disable_user("ada")
    for _ in range(2):
        with pytest.raises(TokenResponseError, match="Account disabled") as caught:
            session_of(server).get("x")
        assert_clean(told_by(caught.value), server)
    assert_clean(logged(), server)


def test_tls_failure_tells_no_secret(logged: Callable[[], str]) -> None:
    """A certificate that is not trusted is named, the form that was to be sent is not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with AuthorizationServer(
        clients=[Client("robot", CANARY.client_secret)], tls=context
    ) as server:
        session = VathosSession(**server.service_account, store=MemoryStore())
        with pytest.raises(TokenRequestError, match="TLS") as caught:
            session.get("x")
        assert_clean(told_by(caught.value), server)
        assert_clean(logged(), server)


def test_a_whole_life_logs_no_secret(
    server: AuthorizationServer, logged: Callable[[], str]
) -> None:
    """Login, refresh, replay, logout, outage, refusal: not a token in any log line or event."""
    events: list[Event] = []
    session = session_of(server, on_event=events.append, keep_warm=True)
    session.get("x")
    session.fetch_token()
    server.revoke_access_tokens()
    session.get("x")
    server.revoke_sessions()
    session.get("x")
    server.api.refuse_all = True
    session.get("x")
    session.get("x")
    server.fail("token", Fault.drop_after())
    session.fetch_token()
    server.set_password("ada", "other")
    server.revoke_sessions()
    assert session.get("x").status_code == 401
    join_background()
    session.close()
    assert {type(event).__name__ for event in events} >= {"Renewed", "Replayed"}
    text = "\n".join(map(repr, [*events, session.stats(), session, *vars(session).values()]))
    assert_clean(text, server)
    assert_clean(logged(), server)
    assert "vathos" in logged()


def test_string_forms_show_no_secret(server: AuthorizationServer) -> None:
    """The repr of every object that holds a secret, and of what holds those, is clean."""
    session = session_of(server)
    session.get("x")
    source = session._source
    assert source is not None
    parts = [
        session,
        session.auth,
        session._settings,
        session._link,
        session._bearer,
        source,
        source.grant,
        source.current,
        source.endpoint,
        source.policy,
        source.state(),
        source.state().identity,
        source.store,
        vars(source),
    ]
    for part in parts:
        assert_clean(f"{part!r} {part!s} {part}", server)


def test_traceback_with_locals_of_our_frames_is_clean(server: AuthorizationServer) -> None:
    """An error tracker that sends local variables sends no secret from our own frames."""
    server.fail("token", Fault.html(), times=None)
    session = session_of(server)
    assert shown_by_our_frames(lambda: session.get("x"), server) > 5


def shown_by_our_frames(work: Callable[[], object], server: AuthorizationServer) -> int:
    """Fails if a secret is in a local variable where an error passed; returns how many frames."""
    package, count = str(Path(vathos.__file__).parent), 0
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        work()
    for cause in chain(caught.value):
        stack = traceback.TracebackException.from_exception(cause, capture_locals=True).stack
        for frame in stack:
            if frame.filename.startswith(package):
                assert_clean(f"{frame.filename} {frame.name} {frame.locals!r}", server)
                count += 1
    return count


ENDS = {
    "mac": lambda server: server.fail("token", Fault.amend(token_type="mac"), times=None),
    "echo": lambda server: server.fail("token", BAD_ANSWERS["echo"], times=None),
    "not ASCII": lambda server: server.fail("token", Fault.amend(access_token="ü"), times=None),
}


@pytest.mark.fault(51)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_locals_show_no_answer(
    server: AuthorizationServer, end: Callable[[AuthorizationServer], object]
) -> None:
    """An answer that is refused is in no local variable where the error passes."""
    end(server)
    session = session_of(server)
    assert shown_by_our_frames(lambda: session.get("x"), server) > 5


READERS: dict[str, object] = {
    "no text": CANARY.client_secret.encode,
    "no Unicode": CANARY.client_secret + "\ud800",
    "raises": lambda: {CANARY.client_secret: 1}["x"],
}


@pytest.mark.fault(51)
@pytest.mark.parametrize("secret", READERS.values(), ids=READERS.keys())
def test_locals_show_no_secret_that_cannot_be_used(
    server: AuthorizationServer, secret: object
) -> None:
    """A secret that is read but is no text, or cannot be sent, is in no local variable."""
    session = session_of(server, client_secret=secret)
    assert shown_by_our_frames(lambda: session.get("x"), server) > 3


@pytest.mark.fault(51)
def test_locals_show_no_output_of_a_command(server: AuthorizationServer) -> None:
    """A command that prints the secret and fails shows it nowhere."""
    code = f"print({CANARY.client_secret!r}); raise SystemExit(1)"
    command = SecretCommand("here", (sys.executable, "-c", code))
    session = session_of(server, client_secret=command)
    assert shown_by_our_frames(lambda: session.get("x"), server) > 3


BUILDS: dict[str, dict[str, object]] = {
    "store": {"store": "nonsense:"},
    "base URL": {"base_url": "nonsense"},
    "token URL": {"token_url": "http://other.invalid/token"},
    "client": {"client": object()},
    "parameter": {"unknown": 1},
    "profile": {"profile": "nobody"},
    "authentication": {"client_authentication": "nonsense"},
    "token": {"token": {"access_token": CANARY.access_token + "ü"}},
    "empty": {"username": ""},
}


@pytest.mark.fault(51)
@pytest.mark.parametrize("changes", BUILDS.values(), ids=BUILDS.keys())
def test_locals_of_the_constructor_show_no_secret(
    server: AuthorizationServer, changes: dict[str, object]
) -> None:
    """A session that cannot be built shows neither secret nor password."""
    assert shown_by_our_frames(lambda: session_of(server, **changes), server) > 0


@pytest.mark.fault(51)
def test_locals_of_the_functions_show_no_secret(server: AuthorizationServer) -> None:
    """The frames of the two functions show what they were given no more."""

    def person() -> object:
        given = ("robot", CANARY.client_secret, "ada", CANARY.password)
        return get_client_token(*given, token_url="nonsense")

    def service() -> object:
        return get_service_account_token("robot", CANARY.client_secret, token_url="nonsense")

    assert shown_by_our_frames(person, server) > 1
    assert shown_by_our_frames(service, server) > 1


@pytest.mark.fault(51)
def test_locals_of_a_revocation_show_no_token(server: AuthorizationServer) -> None:
    """A server that revokes nothing leaves the token in no local variable where the error is."""
    session = session_of(server)
    session.get("x")
    server.fail("revocation", Fault.status(503), times=None)
    assert shown_by_our_frames(session.revoke, server) > 2


@pytest.mark.fault(51)
def test_locals_of_a_host_without_scrypt_show_no_secret(
    server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where names of entries cannot be computed, what they are computed of is not shown."""
    monkeypatch.delattr("hashlib.scrypt")
    session = session_of(server)
    identity = session._source.state().identity  # type: ignore[union-attr]
    assert shown_by_our_frames(lambda: identity.shared, server) > 1


def test_functions_tell_no_secret(server: AuthorizationServer, logged: Callable[[], str]) -> None:
    """The two functions of the user's code are as silent."""
    with pytest.raises(TokenResponseError) as caught:
        get_client_token("robot", CANARY.client_secret, "ada", WRONG, token_url=server.token_url)
    assert_clean(told_by(caught.value), server)
    assert_clean(logged(), server)


def test_late_answer_is_no_leak_either(
    server: AuthorizationServer, logged: Callable[[], str]
) -> None:
    """A deadline that passes cuts the exchange, and its error has no frames of it."""
    server.fail("token", Fault.drip(5, headers=True), times=None)
    with pytest.raises(RenewalTimeout) as caught:
        session_of(server, token_timeout=0.3).get("x")
    assert_clean(told_by(caught.value), server)
    assert isinstance(caught.value, requests.RequestException)
