"""The canary: no secret and no token in a log at DEBUG, an error, a traceback or a string form."""

from __future__ import annotations

import logging
import pickle
import ssl
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import trustme

from tests.canaries import CANARY, told_by
from tests.helpers import join_background
from vathos import VathosSession, get_client_token
from vathos.errors import RenewalTimeout, TokenRequestError, TokenResponseError, VathosError
from vathos.events import Event
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
    try:
        session.get("x")
    except VathosError as error:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
    package = str(Path(session_of.__code__.co_filename).parents[2] / "vathos")
    ours = [frame for frame in report.stack if frame.filename.startswith(package)]
    assert len(ours) > 5
    for frame in ours:
        assert_clean(repr(frame.locals), server)


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
