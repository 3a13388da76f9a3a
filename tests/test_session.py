"""VathosSession: a drop-in for requests.Session, with a token on every request."""

from __future__ import annotations

import io
import pickle
from typing import Any

import pytest
import requests
from oauthlib.oauth2 import InsecureTransportError as ParentError
from requests.auth import HTTPBasicAuth

import vathos
from tests.conftest import FakeClock
from tests.helpers import together
from tests.wire import closed_port
from vathos import VathosSession, get_service_account_token
from vathos.config.settings import DEFAULT_BASE_URL, DEFAULT_TOKEN_URL, resolve
from vathos.errors import ConfigurationError, InsecureTransportError, TokenResponseError
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault


@pytest.fixture
def session(vathos_server: AuthorizationServer) -> VathosSession:
    """A service account's session with a store of its own."""
    return VathosSession(**vathos_server.service_account, store=MemoryStore())


# --- grants and configuration -------------------------------------------------------------------


def test_service_account_uses_client_credentials(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """Without a user name, the client credentials grant obtains the token."""
    assert session.get("products").json()["token_number"] == 1
    assert vathos_server.count("client_credentials") == vathos_server.count() == 1


def test_person_uses_password(vathos_server: AuthorizationServer) -> None:
    """With user name and password, the password grant obtains the token."""
    session = VathosSession(**vathos_server.person, store=MemoryStore())
    assert session.get("products").json()["username"] == vathos_server.username
    assert vathos_server.count("password") == vathos_server.count() == 1


def test_everything_may_come_from_the_environment(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no arguments, the six variables are read."""
    for name, value in vathos_server.person.items():
        monkeypatch.setenv(f"VATHOS_{name.upper()}", value)
    session = VathosSession(store=MemoryStore())
    assert session.get("products").json()["username"] == vathos_server.username


def test_nothing_is_fetched_before_the_first_request(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """Building a session sends no request."""
    assert not session.authorized
    assert session.token == {}
    assert vathos_server.count() == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, ["client_id", "client_secret", "VATHOS_CLIENT_ID", "VATHOS_CLIENT_SECRET"]),
        ({"client_id": "robot"}, ["client_secret", "VATHOS_CLIENT_SECRET"]),
        ({"client_secret": "s"}, ["client_id", "VATHOS_CLIENT_ID"]),
        (
            {"client_id": "robot", "client_secret": "s", "username": "ada"},
            ["password", "VATHOS_PASSWORD"],
        ),
        (
            {"client_id": "robot", "client_secret": "s", "password": "p"},
            ["username"],
        ),
    ],
)
def test_missing_credentials_are_named_by_the_first_request(
    vathos_server: AuthorizationServer, arguments: dict[str, str], named: list[str]
) -> None:
    """Half a pair, or nothing, is an error that says what is missing; nothing leaves."""
    session = VathosSession(**arguments)
    with pytest.raises(ConfigurationError) as caught:
        session.get(vathos_server.api_url + "/products")
    assert all(name in str(caught.value) for name in named)
    assert vathos_server.api.requests == ()


def test_missing_credentials_stop_a_prepared_request_too(
    vathos_server: AuthorizationServer,
) -> None:
    """`send` of a prepared request does not leave unauthenticated either."""
    prepared = requests.Request("GET", vathos_server.api_url + "/products").prepare()
    with pytest.raises(ConfigurationError, match="client_id and client_secret are missing"):
        VathosSession().send(prepared)
    assert vathos_server.api.requests == ()


def test_defaults_are_the_vathos_service() -> None:
    """Without settings, base URL and token URL are those of the Vathos cloud."""
    session = VathosSession("robot", "secret")
    assert session.base_url == DEFAULT_BASE_URL == "https://api.vathos.net/v1"
    assert session._settings.token_url == DEFAULT_TOKEN_URL


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://api.example.com/v1"])
@pytest.mark.parametrize("build", [VathosSession, vathos.source])
def test_secret_is_not_posted_to_the_built_in_server(build: Any, url: str) -> None:
    """A base URL elsewhere without an authorization server is refused when the session is built."""
    with pytest.raises(ConfigurationError, match=r"set issuer= or token_url= \(VATHOS_ISSUER, "):
        build("robot", "secret", base_url=url)
    assert build("robot", "secret", base_url=url, issuer="https://id.example.com").base_url == url


@pytest.mark.parametrize("prepare", [False, True])
def test_token_is_not_sent_to_the_built_in_api(
    vathos_server: AuthorizationServer, *, prepare: bool
) -> None:
    """With a token URL alone, whole URLs are called; a relative path is refused with its remedy."""
    account = {**vathos_server.service_account, "base_url": None}
    session = VathosSession(**account, store=MemoryStore())
    call: Any = session.request
    if prepare:
        call = lambda *of: session.send(session.prepare_request(requests.Request(*of)))  # noqa: E731
    with pytest.raises(ConfigurationError, match=r"path 'orders' needs .* set base_url= "):
        call("GET", "orders")
    assert vathos_server.count() == 0
    assert session.get(f"{vathos_server.api_url}/orders").status_code == 200
    assert get_service_account_token(
        vathos_server.client_id,
        vathos_server.client_secret,
        token_url=vathos_server.token_url,
    )


@pytest.mark.parametrize("name", ["token_url", "issuer"])
def test_wrong_url_is_no_refusal_of_credentials(
    vathos_server: AuthorizationServer, name: str
) -> None:
    """Where nothing is found, no credentials were judged: each call asks anew, none is locked."""
    account = {**vathos_server.service_account, "token_url": None}
    account[name] = vathos_server.issuer.replace("picking", "nowhere")
    session = VathosSession(**account, store=MemoryStore())
    for _ in range(2):
        with pytest.raises(TokenResponseError, match="HTTP 404") as caught:
            session.get("x")
        assert caught.value.not_found
        assert "not presented" not in str(caught.value)
    assert session.stats().refusals == 0


def test_refresh_token_outlives_a_missing_endpoint(vathos_server: AuthorizationServer) -> None:
    """A token endpoint that is away for a moment has not seen the refresh token: it still works."""
    session = VathosSession(**vathos_server.person, store=MemoryStore())
    session.get("x")
    vathos_server.fail("token", Fault.status(404))
    with pytest.raises(TokenResponseError, match="HTTP 404"):
        session.fetch_token()
    session.fetch_token()
    assert vathos_server.count("password") == 1


@pytest.mark.usefixtures("waits")
def test_refresh_token_whose_answer_was_lost_is_never_presented_again(
    vathos_server: AuthorizationServer, clock: FakeClock
) -> None:
    """The server may have rotated it: presented twice it looks stolen (RFC 9700 §4.14)."""
    session = VathosSession(**vathos_server.person, clock=clock, store=MemoryStore())
    session.get("x")
    vathos_server.fail("token", Fault.status(500), times=None)
    with pytest.raises(TokenResponseError, match="HTTP 500"):
        session.fetch_token()
    vathos_server.heal()
    clock.advance(60)
    session.fetch_token()
    assert vathos_server.count("refresh_token") == 1


def test_issuer_and_token_url_are_two_identities(vathos_server: AuthorizationServer) -> None:
    """What was remembered of one URL as an issuer says nothing of it as a token endpoint."""
    account = {**vathos_server.service_account, "token_url": None}
    sources = [
        vathos.source(**{**account, name: vathos_server.issuer}) for name in ("issuer", "token_url")
    ]
    one, other = (source.state().identity for source in sources)
    assert one != other
    assert one.name != other.name


def test_settings_that_were_found_already(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`settings=` takes the place of every look into arguments, environment and profile."""
    server = vathos_server
    found = resolve(server.service_account, environ={})
    monkeypatch.setenv("VATHOS_TOKEN_URL", "nonsense")
    session = VathosSession(settings=found, store=MemoryStore())
    assert session.get("x").json()["client_id"] == server.client_id
    assert session.base_url == server.api_url


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"base_url": "http://api.example.com"}, "base_url .* is plain http to api.example.com"),
        ({"token_url": "ftp://x.invalid"}, r"token_url .* must start with https://"),
        ({"token_url": "https://a:b@x.invalid/t"}, "must not hold a user name or password"),
        ({"base_url": "https://x.invalid/v1?a=1"}, "must not have a query"),
        ({"base_url": "api/v1"}, "base_url .* is not a URL: it has no host"),
        ({"client_id": ""}, "client_id is empty"),
        ({"client_id": 5}, "client_id must be a string, not int"),
        ({"store": "disk"}, "store must be a TokenStore"),
        ({"origins": ["nowhere"]}, "origins is not a URL"),
        ({"policy": 0.5}, "policy must be a RenewalPolicy, not 0.5"),
        ({"clock": 3}, "clock must be a function, not 3"),
        ({"on_event": 3}, "on_event must be a function, not 3"),
        ({"token_updater": "x"}, "token_updater must be a function, not str"),
        ({"timeout": "5"}, "timeout must be a number of seconds above 0, or a pair .* not str"),
        ({"timeout": (1, -1)}, "timeout must be a number of seconds above 0"),
        ({"timeout": True}, "timeout must be a number of seconds above 0"),
        ({"token_timeout": "5"}, "token_timeout must be a number of seconds above 0, not str"),
        ({"token_timeout": -1}, "token_timeout must be a number of seconds above 0, not -1"),
        ({"token_timeout": float("nan")}, "token_timeout must be a number of seconds above 0"),
        ({"keep_warm": "no"}, "keep_warm must be True or False, not str"),
        ({"replay": "no"}, "replay must be True or False, not str"),
        ({"scope": 3}, "scope must be text, or a list of names, not 3"),
        ({"scope": b"read"}, "scope must be text, or a list of names, not bytes"),
        ({"token_parameters": "x=y"}, "token_parameters must be a mapping of text to text"),
        ({"token_parameters": {"x": 1}}, "token_parameters must be a mapping of text to text"),
        ({"settings": {}}, "settings must be what vathos.config.settings.resolve returned"),
        ({"profile": 3}, "profile must be the name of a profile, not 3"),
        ({"source": "x"}, r"source must be what vathos.source\(...\) returned, not str"),
        ({"client_authentication": "jwt"}, r"client_authentication \(argument\) must be"),
    ],
)
def test_malformed_settings_are_named_at_once(arguments: dict[str, Any], message: str) -> None:
    """A value that cannot work is refused when the session is built, by name."""
    credentials = {} if "source" in arguments else {"client_id": "robot", "client_secret": "secret"}
    with pytest.raises(ConfigurationError, match=message):
        VathosSession(**{**credentials, **arguments})


@pytest.mark.parametrize(
    "arguments", [{"timeout": "5"}, {"token_timeout": -1}, {"policy": 0.5}, {"scope": 3}]
)
def test_sources_and_functions_say_so_too(arguments: dict[str, Any]) -> None:
    """What builds no session checks the same arguments, as far as it has them."""
    if "timeout" in arguments:
        with pytest.raises(ConfigurationError, match="timeout must be a number"):
            get_service_account_token("robot", "secret", **arguments)
    else:
        with pytest.raises(ConfigurationError, match=f"{next(iter(arguments))} must be "):
            vathos.source("robot", "secret", **arguments)


@pytest.mark.parametrize(
    ("parameter", "remedy"),
    [
        ("tiemout", r"no parameter tiemout \(did you mean 'timeout'\?\)"),
        ("autorefresh_url", r"\(did you mean 'auto_refresh_url'\?\)"),
        ("verify", "no parameter verify; set session.verify once it is built"),
        ("headers", "set session.headers"),
        ("proxies", "set session.proxies"),
        ("retries", r"session.mount\(base_url, HTTPAdapter\(max_retries=…\)\)"),
    ],
)
def test_parameter_that_there_is_not_has_a_remedy(parameter: str, remedy: str) -> None:
    """A slip of the pen is told the right name, an attribute where it is set."""
    with pytest.raises(TypeError, match=remedy):
        VathosSession("robot", "secret", **{parameter: 3})  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("form", ["text", "dictionary"])
def test_pasted_token_with_a_relative_path(
    vathos_server: AuthorizationServer, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token alone, as text or as the server answered it, calls the API by a path."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the parent's rule, also on loopback
    token = vathos.source(**vathos_server.service_account, store=MemoryStore()).token()
    pasted: Any = token.access_token if form == "text" else token.as_dict()
    session = VathosSession(token=pasted, base_url=vathos_server.api_url)
    assert session.get("products").json()["client_id"] == vathos_server.client_id
    assert token.access_token not in repr(vars(session))


def test_pasted_token_beside_credentials_is_the_first_one(
    vathos_server: AuthorizationServer,
) -> None:
    """With credentials, a token as text is used until the API refuses it."""
    token = vathos.source(**vathos_server.service_account, store=MemoryStore()).token()
    account = vathos_server.service_account
    session = VathosSession(**account, token=token.access_token, store=MemoryStore())
    assert session.get("x").json()["token_number"] == 1
    assert vathos_server.count() == 1


def test_plain_session_has_a_base_url_only_if_it_is_given() -> None:
    """A plain `OAuth2Session` sends no relative path to the built-in API."""
    assert VathosSession("app", redirect_uri="https://a.invalid").base_url == ""
    session = VathosSession("app", redirect_uri="https://a.invalid", base_url="https://b.invalid")
    assert session.base_url == "https://b.invalid"


def test_unknown_parameter_is_a_type_error() -> None:
    """A misspelt parameter is named."""
    with pytest.raises(TypeError, match="no parameter user_name"):
        VathosSession("robot", "secret", user_name="ada")


def test_unknown_parameter_of_a_request_is_a_type_error(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A misspelt parameter of a call is named too, as both parents do, and nothing is sent."""
    with pytest.raises(TypeError, match="tiemout"):
        session.get("x", tiemout=3)
    assert vathos_server.requests == ()
    assert session.get("x", client_id="robot", client_secret="s").status_code == 200


def test_basic_client_authentication_survives_odd_characters() -> None:
    """`client_secret_basic` form-encodes both parts (RFC 6749 §2.3.1)."""
    client = Client(client_id="ro:bot", client_secret="a:b%+ü")
    with AuthorizationServer(clients=[client]) as server:
        session = VathosSession(
            "ro:bot",
            "a:b%+ü",
            token_url=server.token_url,
            base_url=server.api_url,
            client_authentication="client_secret_basic",
            store=MemoryStore(),
        )
        assert session.get("x").status_code == 200
        assert server.requests[0].authorization_scheme == "Basic"


def test_scope_audience_and_parameters_reach_the_token_endpoint(
    vathos_server: AuthorizationServer,
) -> None:
    """What is asked for is asked for again at each renewal."""
    session = VathosSession(
        **vathos_server.service_account,
        audience="picking-api",
        token_parameters={"tenant": "7"},
        store=MemoryStore(),
    )
    session.get("x")
    session.fetch_token()
    forms = [r.form for r in vathos_server.requests if r.endpoint == "token"]
    assert [form["audience"] for form in forms] == ["picking-api"] * 2
    assert [form["tenant"] for form in forms] == ["7"] * 2


# --- a drop-in for requests.Session -------------------------------------------------------------


@pytest.mark.parametrize("path", ["products", "/products", "//products", " products"])
def test_relative_path_goes_below_the_base_url(
    vathos_server: AuthorizationServer, session: VathosSession, path: str
) -> None:
    """A path, with or without leading slashes, never leaves the base URL."""
    assert session.get(path).url == vathos_server.api_url + "/products"


def test_query_and_positional_order_are_those_of_requests(session: VathosSession) -> None:
    """`request("GET", url, params)` takes the query third, as requests.Session does."""
    assert session.request("GET", "products", {"page": "2"}).json()["query"] == {"page": "2"}
    assert session.get("products", {"page": "3"}).json()["query"] == {"page": "3"}
    assert session.get(b"products").json()["path"] == "/v1/products"


@pytest.mark.parametrize("verb", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_every_verb_carries_the_token(
    vathos_server: AuthorizationServer, session: VathosSession, verb: str
) -> None:
    """Each of the seven verbs is authenticated."""
    assert getattr(session, verb)("things").status_code == 200
    assert vathos_server.api.unauthenticated == 0


def test_bodies_arrive_whole(session: VathosSession) -> None:
    """Bytes, forms, JSON, files and streams are sent as requests sends them."""
    assert session.post("x", b"abc").json()["body_length"] == 3
    assert session.post("x", {"a": "b"}).json()["content_type"].startswith("application/x-www")
    assert session.post("x", json={"a": 1}).json()["content_type"] == "application/json"
    assert session.post("x", data=iter([b"ab", b"cd"])).json()["body_length"] == 4
    assert session.put("x", data=io.BytesIO(b"12345")).json()["body_length"] == 5
    multipart = session.post("x", files={"f": ("name", b"data")}).json()
    assert multipart["content_type"].startswith("multipart/form-data")


def test_streaming_download(session: VathosSession) -> None:
    """With stream=True the body is read piece by piece."""
    with session.get("stream", params={"bytes": 100_000}, stream=True) as response:
        assert sum(map(len, response.iter_content(4096))) == 100_000


def test_callers_headers_are_not_written_to(session: VathosSession) -> None:
    """The mapping given as headers stays as it was."""
    headers = {"X-Robot": "7"}
    response = session.get("x", headers=headers)
    assert headers == {"X-Robot": "7"}
    assert response.request.headers["X-Robot"] == "7"
    assert "Authorization" not in session.headers


def test_explicit_auth_wins(vathos_server: AuthorizationServer, session: VathosSession) -> None:
    """An `auth=` of a single request replaces the token, and no token is obtained for it."""
    response = session.get("x", auth=("ada", "pw"))
    assert response.request.headers["Authorization"].startswith("Basic ")
    prepared = session.prepare_request(
        requests.Request("GET", "x", auth=HTTPBasicAuth("ada", "pw"))
    )
    assert session.send(prepared).request.headers["Authorization"].startswith("Basic ")
    assert vathos_server.count() == 0


def test_session_auth_set_by_the_user_wins(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A `session.auth` of the user is used instead of the token."""
    session.auth = ("ada", "pw")
    assert session.get("x").request.headers["Authorization"].startswith("Basic ")
    assert vathos_server.count() == 0


def test_header_of_an_old_token_is_replaced(session: VathosSession) -> None:
    """A token left in a header by older code does not keep the session from renewing."""
    session.headers["Authorization"] = "Bearer stale"
    assert session.get("x").json()["token_number"] == 1


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_authorization_header_of_a_call_wins(
    vathos_server: AuthorizationServer, session: VathosSession, name: str
) -> None:
    """A call that says who it is is sent so, and not again with the token after a 401."""
    assert session.get("x", headers={name: "Bearer other"}).status_code == 401
    assert [each.authorization_scheme for each in vathos_server.api.requests] == ["Bearer"]
    assert vathos_server.count() == 0
    assert session.get("x", headers={"Accept": "*/*", name: None}).status_code == 200


def test_withhold_token_sends_without(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """`withhold_token=True` of OAuth2Session works."""
    assert session.get("x", withhold_token=True).status_code == 401
    assert vathos_server.count() == 0


def test_prepared_request_is_sent_with_a_token_of_now(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A prepared request that is sent again later carries the token of then, once."""
    prepared = session.prepare_request(requests.Request("GET", "x"))
    assert session.send(prepared).json()["token_number"] == 1
    session.fetch_token()
    assert session.send(prepared).json()["token_number"] == 2
    assert vathos_server.api.count(401) == 0


@pytest.mark.fault(33)
def test_prepared_request_may_be_sent_by_many_threads_and_sessions(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """The caller's prepared request stays as it was, and every copy that is sent has the token."""
    person = VathosSession(**vathos_server.person, store=MemoryStore())
    prepared = session.prepare_request(requests.Request("POST", "x", data=b"body"))
    headers, hooks = dict(prepared.headers), {**prepared.hooks}
    answers = together(8, lambda index: (person if index % 2 else session).send(prepared).json())
    assert [answer["body_length"] for answer in answers] == [4] * 8  # type: ignore[index]
    assert {answer.get("username") for answer in answers[1::2]} == {vathos_server.username}  # type: ignore[union-attr]
    assert (dict(prepared.headers), prepared.hooks) == (headers, hooks)
    assert vathos_server.api.count(401) == 0


def test_request_prepared_elsewhere_gets_the_token_too(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """Every outgoing request is authenticated, also one that requests prepared."""
    prepared = requests.Request("GET", vathos_server.api_url + "/x").prepare()
    assert session.send(prepared).json()["token_number"] == 1


def test_sending_a_request_object_fails_as_in_requests(session: VathosSession) -> None:
    """An unprepared Request is refused with requests' own error."""
    with pytest.raises(ValueError, match="PreparedRequest"):
        session.send(requests.Request("GET", "https://x.invalid"))  # type: ignore[arg-type]


def test_default_timeout_is_used_where_a_request_names_none(
    vathos_server: AuthorizationServer,
) -> None:
    """`timeout=` of the session bounds API calls; that of a call goes before."""
    session = VathosSession(**vathos_server.service_account, timeout=0.05, store=MemoryStore())
    session.fetch_token()
    vathos_server.fail("api", Fault.hang(), times=3)
    with pytest.raises(requests.ReadTimeout):
        session.get("x")
    with pytest.raises(requests.ReadTimeout):
        session.send(session.prepare_request(requests.Request("GET", "x")))
    with pytest.raises(requests.ReadTimeout):
        session.get("x", timeout=0.01)


def test_context_manager_and_hooks(session: VathosSession) -> None:
    """`with` and response hooks work as in requests."""
    seen: list[int] = []
    with session as opened:
        opened.get("x", hooks={"response": lambda r, **_: seen.append(r.status_code)})
    assert seen == [200]


def test_hook_sees_the_answer_that_counts(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A response hook of the caller sees the replay's answer, not the 401."""
    seen: list[int] = []
    session.get("x")
    vathos_server.revoke_access_tokens()
    session.get("x", hooks={"response": lambda r, **_: seen.append(r.status_code)})
    assert seen == [200]


def test_cookies_of_the_session_are_kept_apart_from_token_requests(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """A cookie of the session does not travel to the token endpoint, nor back."""
    session.cookies.set("robot", "7")
    vathos_server.fail("token", Fault.status(503, headers={"Set-Cookie": "a=b"}))
    session.fetch_token()
    assert [r.status for r in vathos_server.requests] == [503, 200]
    assert not any("Cookie" in r.headers for r in vathos_server.requests)
    assert "a" not in session.cookies


def test_call_over_plain_http_to_this_machine_goes_past_proxies(
    vathos_server: AuthorizationServer, session: VathosSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token does not travel in clear to a proxy, wherever that is named."""
    with closed_port() as port:
        proxy = f"http://127.0.0.1:{port}"
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("http_proxy", proxy)
        assert session.get("x").status_code == 200
        session.proxies = {"http": proxy}
        assert session.get("x", proxies={"all": proxy}).status_code == 200
        vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
        redirected = session.get("x", proxies={"all": proxy})
        assert redirected.url == vathos_server.api_url + "/moved"
        assert redirected.status_code == 200


def test_plain_http_is_refused_before_a_token_is_sent(session: VathosSession) -> None:
    """A token never leaves over http to another machine."""
    session = VathosSession("robot", "secret", token_url="https://x.invalid/t", origins="*")
    with pytest.raises(InsecureTransportError, match=r"http://api\.example\.com is plain http"):
        session.get("http://api.example.com/v1")


# --- a drop-in for OAuth2Session ----------------------------------------------------------------


def test_token_and_authorized_show_what_is_at_hand(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """`token`, `access_token` and `authorized` answer without asking the server."""
    session.get("x")
    assert session.authorized
    assert session.access_token == session.token["access_token"]
    assert session.token["expires_at"] > 0
    assert vathos_server.count() == 1


def test_fetch_token_and_refresh_token_renew_now(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """Both give a new token, and need no arguments."""
    first = session.fetch_token()
    second = session.refresh_token(vathos_server.token_url)
    assert first["access_token"] != second["access_token"] == session.access_token


def test_fetch_token_refuses_arguments_it_would_ignore(session: VathosSession) -> None:
    """Other arguments than what the session knows are an error, not ignored."""
    with pytest.raises(ConfigurationError, match="takes no arguments"):
        session.fetch_token(client_secret="other")
    with pytest.raises(ConfigurationError, match="takes no arguments"):
        session.refresh_token("https://elsewhere.invalid/token")


def test_token_obtained_elsewhere_can_be_handed_over(vathos_server: AuthorizationServer) -> None:
    """`token=` and the `token` attribute take a token dictionary; `{}` forgets it."""
    first = VathosSession(**vathos_server.service_account, store=MemoryStore())
    token = first.fetch_token()
    second = VathosSession(**vathos_server.service_account, token=token, store=MemoryStore())
    assert second.get("x").json()["token_number"] == 1
    second.token = {}
    assert second.get("x").json()["token_number"] == 2
    with pytest.raises(ConfigurationError, match="no access_token"):
        second.token = {"expires_in": 5}


def test_token_updater_is_called_after_each_renewal(vathos_server: AuthorizationServer) -> None:
    """`token_updater` gets the new token, and its failure breaks nothing."""
    seen: list[dict[str, Any]] = []
    session = VathosSession(
        **vathos_server.service_account, token_updater=seen.append, store=MemoryStore()
    )
    session.get("x")
    session.get("x")
    assert [token["access_token"] for token in seen] == [session.access_token]
    session.token_updater = lambda token: 1 / 0
    session.fetch_token()
    assert session.get("x").status_code == 200


def test_protected_request_hook_is_called(session: VathosSession) -> None:
    """The compliance hook for API requests works; those of token requests are refused."""
    session.register_compliance_hook(
        "protected_request", lambda url, headers, data: (url + "/hooked", headers, data)
    )
    assert session.get("x").json()["path"] == "/v1/x/hooked"
    with pytest.raises(ConfigurationError, match="access_token_request"):
        session.register_compliance_hook("access_token_request", lambda *a: a)


def test_plain_oauth2session_works_as_the_parent(vathos_server: AuthorizationServer) -> None:
    """Built like an OAuth2Session, it is one."""
    token = {"access_token": "abc", "token_type": "Bearer", "expires_in": 300}
    session = VathosSession("web-client", redirect_uri="https://me.invalid/back", token=token)
    url, state = session.authorization_url("https://login.invalid/auth")
    assert "client_id=web-client" in url
    assert state
    assert session.authorized
    assert session.access_token == "abc"
    assert session.token["access_token"] == "abc"
    session.token = {"access_token": "def", "token_type": "Bearer"}
    assert session.token["access_token"] == "def"
    session.register_compliance_hook("access_token_response", lambda r: r)


NOTHING_SAID: list[dict[str, Any]] = [
    {"token": None},
    {"token": {}},
    {"state": None, "client": None, "redirect_uri": None},
    {"auto_refresh_url": None, "auto_refresh_kwargs": {}, "pkce": None},
]


@pytest.mark.fault(31)
@pytest.mark.parametrize("arguments", NOTHING_SAID)
def test_parameter_that_says_nothing_makes_no_session_plain(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any]
) -> None:
    """`None` and `{}` count as not given: requests carry a token, which is renewed."""
    for name, value in vathos_server.service_account.items():
        monkeypatch.setenv(f"VATHOS_{name.upper()}", value)
    session = VathosSession(store=MemoryStore(), **arguments)
    assert session.get("x").json()["token_number"] == 1
    assert "plain" not in repr(session)


@pytest.mark.fault(31)
def test_token_beside_credentials_of_the_environment_is_renewed(
    vathos_server: AuthorizationServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is given is the first one: after a 401 another one takes its place."""
    for name, value in vathos_server.service_account.items():
        monkeypatch.setenv(f"VATHOS_{name.upper()}", value)
    kept = VathosSession(store=MemoryStore()).fetch_token()
    session = VathosSession(token=kept, store=MemoryStore())
    assert session.get("x").json()["token_number"] == 1
    vathos_server.revoke_access_tokens()
    assert session.get("x").json()["token_number"] == 2


@pytest.mark.fault(31)
@pytest.mark.parametrize("name", ["client", "redirect_uri", "auto_refresh_url"])
def test_parameter_of_a_plain_session_beside_a_secret_is_an_error(name: str) -> None:
    """A secret that would not be used is not ignored without a word."""
    with pytest.raises(ConfigurationError, match=f"{name}= is for a plain OAuth2Session"):
        VathosSession("robot", "secret", **{name: "https://me.invalid"})


def test_plain_session_answers_a_fetch_as_the_parent() -> None:
    """`fetch_token` with arguments on a session without a grant is the parent's."""
    with pytest.raises(ValueError, match="code"):
        VathosSession("web-client").fetch_token("https://login.invalid/token")
    with pytest.raises(ValueError, match="token endpoint"):
        VathosSession("web-client").refresh_token("")


# --- pickling -----------------------------------------------------------------------------------


def test_pickled_session_goes_on_with_its_token(vathos_server: AuthorizationServer) -> None:
    """A session works after pickling, without a new token, and keeps its settings."""
    session = VathosSession(**vathos_server.person, timeout=5, store=MemoryStore())
    session.headers["X-Robot"] = "7"
    session.get("x")
    session.verify = False
    copy = pickle.loads(pickle.dumps(session))
    assert copy.get("x").json()["token_number"] == 1
    assert copy.headers["X-Robot"] == "7"
    assert copy.verify is False
    assert copy.timeout == 5
    assert vathos_server.count() == 1


def test_session_shows_no_secret(vathos_server: AuthorizationServer) -> None:
    """The string form names the grant and the client, and nothing else."""
    session = VathosSession(**vathos_server.person, store=MemoryStore())
    session.get("x")
    text = repr(session) + repr(session._source) + repr(session._bearer) + repr(session._settings)
    for secret in (vathos_server.client_secret, vathos_server.password, *vathos_server.issued):
        assert secret not in text
    assert "password" in repr(session)


# --- the rest of what the parent has --------------------------------------------------------------


def test_access_token_may_be_set_and_deleted(
    vathos_server: AuthorizationServer, session: VathosSession
) -> None:
    """Setting hands a token over, deleting forgets it, on a plain session as on the parent."""
    token = session.fetch_token()["access_token"]
    other = VathosSession(**vathos_server.service_account, store=MemoryStore())
    other.access_token = token
    assert other.get("x").json()["token_number"] == 1
    del other.access_token
    assert other.get("x").json()["token_number"] == 2
    plain = VathosSession("web-client", redirect_uri="https://me.invalid/back")
    plain.access_token = "abc"
    assert plain.authorized
    del plain.access_token
    assert not plain.authorized


def test_plain_session_sends_its_token_as_the_parent(vathos_server: AuthorizationServer) -> None:
    """A plain session goes the parent's way, redirects included."""
    plain = VathosSession("web-client", token={"access_token": "abc", "token_type": "Bearer"})
    plain.request = lambda *a, **k: requests.Session.request(plain, *a, **k)  # type: ignore[method-assign]
    vathos_server.fail("api", Fault.redirect(vathos_server.api_url + "/moved"))
    assert plain.get(vathos_server.api_url + "/x").status_code == 401
    assert repr(plain) == "<VathosSession without a grant: a plain OAuth2Session>"
    plain.close()


def test_plain_session_refuses_plain_http_as_the_parent(
    vathos_server: AuthorizationServer,
) -> None:
    """The parent's own check of the transport still holds on a plain session."""
    plain = VathosSession("web-client", token={"access_token": "abc", "token_type": "Bearer"})
    with pytest.raises(ParentError):
        plain.get(vathos_server.api_url.encode() + b"/x")


def test_verify_of_a_call_does_not_reach_the_token_request(
    vathos_server: AuthorizationServer,
) -> None:
    """`verify=False` of one API call turns nothing off for the secret, before, during or after."""
    seen: list[object] = []
    session = VathosSession(
        **vathos_server.service_account,
        store=MemoryStore(),
        on_event=lambda _: seen.append(session._link.verify),
    )
    assert session.get("x", verify=False).status_code == 200
    vathos_server.revoke_access_tokens()
    assert session.get("x", verify=False).status_code == 200
    assert seen == [True] * 3
    assert session.verify is True


@pytest.mark.parametrize("said", ["setting", "attribute", "False"])
def test_ca_bundle_of_the_session_wins_over_the_environment(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was said to us holds for API requests too, whatever other programs are told."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/of/others.pem")
    monkeypatch.setenv("CURL_CA_BUNDLE", "/of/others.pem")
    if said == "setting":
        monkeypatch.setenv("VATHOS_CA_BUNDLE", "/ours.pem")
    session = VathosSession("robot", "secret")
    if said != "setting":
        session.verify = False if said == "False" else "/ours.pem"
    expected = False if said == "False" else "/ours.pem"
    for proxies in ({}, {"https": "http://proxy.example"}):
        merged = session.merge_environment_settings("https://a.invalid", proxies, None, None, None)
        assert merged["verify"] == expected
    merged = session.merge_environment_settings("https://a.invalid", {}, None, "/call.pem", None)
    assert merged["verify"] == "/call.pem"
