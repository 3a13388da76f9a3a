"""What each answer of the token endpoint becomes: a token, or an error that says what to do."""

from __future__ import annotations

import base64
import json
import traceback
from typing import Any
from urllib.parse import quote_plus, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canaries import CANARY, told_by
from tests.conftest import FakeClock
from tests.wire import Connection, Request, Wire, answering, closed_port, hanging
from vathos.errors import (
    ConfigurationError,
    InvalidClientError,
    InvalidGrantError,
    TokenRequestError,
    TokenResponseError,
    VathosError,
)
from vathos.grants import ClientCredentialsGrant, Grant, PasswordGrant, RefreshGrant
from vathos.oauth.endpoint import TokenEndpoint, token_from
from vathos.oauth.exchange import MAX_BODY, Answer
from vathos.oauth.transport import Transport
from vathos.tokens import Instant, Token

URL = "https://as.example/realms/x/protocol/openid-connect/token"
AT = Instant(1_800_000_000.0, 5_000.0)
PATIENCE = 5.0

SERVICE = ClientCredentialsGrant(client_id="device", client_secret=CANARY.client_secret)
PERSON = PasswordGrant(
    client_id="app",
    client_secret=CANARY.client_secret,
    username="ada",
    password=CANARY.password,
)
REFRESH = RefreshGrant(original=PERSON, refresh_token=CANARY.refresh_token)

CLIENT_WORDS = (
    "client id or client secret is wrong, or the client may not use the {} grant; check "
    "VATHOS_CLIENT_ID and VATHOS_CLIENT_SECRET or the arguments"
)
PERSON_WORDS = (
    "user name or password is wrong, or the user is disabled, not fully set up, or locked for a "
    "while after wrong passwords (the server does not say which); check VATHOS_USERNAME and "
    "VATHOS_PASSWORD or the arguments"
)
REFRESH_WORDS = "the refresh token is expired, revoked or already used"
REFUSED_WORDS = "it was refused; check the credentials, the scope and the client's settings"
BUSY_WORDS = "the authorization server is busy or broken; try again later"


ERROR_MEMBERS = ("error", "error_description", "error_uri")


def answer(status: int = 200, body: object = b"", **headers: str) -> Answer:
    """Returns an answer as it comes off the wire; `_` in header names stands for `-`."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, raw)


def read(
    reply: Answer, grant: Grant | RefreshGrant = SERVICE, endpoint: str = URL
) -> TokenResponseError:
    """Reads an answer that is no token, and checks what holds for each of them."""
    with pytest.raises(TokenResponseError) as caught:
        token_from(reply, grant, endpoint, AT)
    error = caught.value
    assert str(error).startswith(f"the token endpoint {endpoint} answered HTTP {reply.status}")
    assert (error.endpoint, error.status) == (endpoint, reply.status)
    assert CANARY.seen_in(told_by(error)) == []
    assert len(str(error)) < 1500
    assert str(error).isprintable()
    return error


def remedy(error: TokenResponseError) -> str:
    """Returns what the message says after the evidence."""
    return str(error).partition(f"HTTP {error.status}")[2].partition(": ")[2]


# --- tokens -------------------------------------------------------------------------------------


def test_token_is_read() -> None:
    """A token response becomes a token whose life counts from before the request left."""
    body = {"access_token": "at", "token_type": "Bearer", "expires_in": 300, "scope": "a"}
    token = token_from(answer(200, body), SERVICE, URL, AT)
    assert token == Token("at", AT.wall + 300, "a", issued_at=AT.wall, issued_boot=AT.boot)


def test_query_of_the_token_url_is_kept() -> None:
    """What a server wants in the query of its token endpoint gets there (RFC 6749 §3.2)."""
    lines = []

    def keep(connection: Connection) -> None:
        lines.append(connection.read_request().line)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + b'{"access_token":"at"}')

    with Wire(keep) as wire:
        TokenEndpoint(wire.url(path="/token?tenant=7&x=%20")).request(SERVICE, PATIENCE)
    assert lines == ["POST /token?tenant=7&x=%20 HTTP/1.1"]


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER", None])
def test_bearer_token_is_taken_in_any_case(kind: str | None) -> None:
    """The token type is not case sensitive, and a server that leaves it out means Bearer."""
    body = {"access_token": "at", **({"token_type": kind} if kind else {})}
    assert token_from(answer(200, body), SERVICE, URL, AT).access_token == "at"


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token": "at", "expires_in": NaN}',
        b'{"access_token": "at", "expires_in": Infinity}',
        b'{"access_token": "at", "expires_in": 1e400}',
        b'{"access_token": "at", "expires_in": -1}',
        b'{"access_token": "at", "expires_in": null}',
    ],
)
def test_token_with_a_strange_lifetime_is_used(body: bytes) -> None:
    """A lifetime that is no number of seconds is unknown; the token is good all the same."""
    token = token_from(answer(200, body), SERVICE, URL, AT)
    assert (token.access_token, token.lifetime) == ("at", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_may_have_a_byte_order_mark(encoding: str) -> None:
    """JSON is read in each encoding that JSON has had."""
    body = '{"access_token": "at", "scope": "ä"}'.encode(encoding)
    assert token_from(answer(200, body), SERVICE, URL, AT).scope == "ä"


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/octet-stream"])
def test_content_type_does_not_matter(kind: str) -> None:
    """A server that calls its JSON something else still gave a token."""
    body = {"access_token": "at"}
    token = token_from(answer(200, body, content_type=kind), SERVICE, URL, AT)
    assert token.access_token == "at"


@pytest.mark.parametrize("encoding", ["identity", "IDENTITY"])
def test_identity_is_no_compression(encoding: str) -> None:
    """A server may say that it did what it was asked."""
    body = {"access_token": "at"}
    token = token_from(answer(200, body, content_encoding=encoding), SERVICE, URL, AT)
    assert token.access_token == "at"


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grant", "status", "code", "description"),
    [
        (SERVICE, 401, "invalid_client", "Invalid client or Invalid client credentials"),
        (REFRESH, 400, "invalid_client", "Client not found"),
        (SERVICE, 401, "unauthorized_client", "Invalid client or Invalid client credentials"),
        (PERSON, 400, "unauthorized_client", "Client not allowed for direct access grants"),
    ],
)
def test_refused_client(
    grant: Grant | RefreshGrant, status: int, code: str, description: str
) -> None:
    """A wrong secret, an unknown client or a grant that is not allowed points to the client."""
    error = read(answer(status, {"error": code, "error_description": description}), grant)
    assert type(error) is InvalidClientError
    assert (error.error, error.error_description) == (code, description)
    assert error.refused
    assert remedy(error) == CLIENT_WORDS.format(grant.grant_type)
    assert f"HTTP {status} {code} ({description})" in str(error)


@pytest.mark.fault(14)
@pytest.mark.parametrize(
    ("status", "description"),
    [
        (401, "Invalid user credentials"),
        (400, "Account disabled"),
        (400, "Account is not fully set up"),
        (401, None),
    ],
)
def test_refused_person(status: int, description: str | None) -> None:
    """A wrong password, a disabled or locked user: servers do not say which, and nor do we."""
    error = read(
        answer(status, {"error": "invalid_grant", "error_description": description}), PERSON
    )
    assert type(error) is InvalidGrantError
    assert (error.error, error.error_description) == ("invalid_grant", description)
    assert error.refused
    assert remedy(error) == PERSON_WORDS


def test_refused_refresh_token() -> None:
    """A refresh token that is no longer good is not called a wrong password."""
    error = read(
        answer(400, {"error": "invalid_grant", "error_description": "Token is not active"}), REFRESH
    )
    assert type(error) is InvalidGrantError
    assert remedy(error) == REFRESH_WORDS


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (401, "invalid_request"),
        (400, "invalid_scope"),
        (400, "unsupported_grant_type"),
        (403, "access_denied"),
        (400, "something_new"),
        (400, "INVALID_GRANT"),
        (418, None),
    ],
)
def test_other_refusal(status: int, code: str | None) -> None:
    """Any other 4xx is a refusal, whatever it is called: a disabled service account is one."""
    error = read(answer(status, {"error": code}), SERVICE)
    assert type(error) is TokenResponseError
    assert error.error == code
    assert error.refused
    assert remedy(error) == REFUSED_WORDS


@pytest.mark.parametrize("body", [b"", b"<html>Forbidden</html>", b"[]", b"\xff"])
def test_refusal_without_json(body: bytes) -> None:
    """A gateway that refuses in its own words has refused."""
    error = read(answer(403, body, content_type="text/html"))
    assert type(error) is TokenResponseError
    assert (error.error, error.error_description, error.error_uri) == (None, None, None)
    assert error.refused
    assert remedy(error) == REFUSED_WORDS
    assert "Forbidden" not in str(error)


def test_error_page_is_named() -> None:
    """`error_uri` is kept."""
    error = read(answer(400, {"error": "x", "error_uri": "https://as.example/help"}))
    assert error.error_uri == "https://as.example/help"


@pytest.mark.parametrize("value", [7, None, ["x"], {"a": 1}, True])
def test_error_member_that_is_no_text_is_ignored(value: object) -> None:
    """Members of another type count as absent."""
    error = read(answer(400, dict.fromkeys(ERROR_MEMBERS, value)))
    assert [getattr(error, name) for name in ERROR_MEMBERS] == [None] * 3


@pytest.mark.parametrize(
    ("endpoint", "hint", "body"),
    [
        (URL, ": '/auth' may be missing before '/realms'", b"<html>"),
        (
            "https://as.example/auth/realms/x/token",
            ": '/auth' may be too much (Keycloak has none since version 17)",
            b'{"error": "Realm does not exist"}',
        ),
        ("https://as.example/oauth/token", "", b""),
    ],
)
def test_not_found_hints_at_the_path(endpoint: str, hint: str, body: bytes) -> None:
    """404 points to the token URL, and to the part of it that Keycloak changed."""
    error = read(answer(404, body), endpoint=endpoint)
    assert type(error) is TokenResponseError
    assert remedy(error) == (
        f"no such realm or path; check the token URL (token_url=, VATHOS_TOKEN_URL){hint}"
    )


def test_login_of_a_proxy() -> None:
    """407 points to the proxy."""
    error = read(answer(407, b"<html>"))
    assert type(error) is TokenResponseError
    assert remedy(error) == (
        "the proxy wants a login; check the proxy settings (proxies=, HTTPS_PROXY)"
    )


@pytest.mark.fault(10)
@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
def test_redirect_is_not_followed(status: int) -> None:
    """A redirect of any kind is an error, and no refusal."""
    error = read(answer(status, b"", location="https://other.example/token"))
    assert type(error) is TokenResponseError
    assert error.redirected
    assert not error.refused
    assert "it redirects to https://other.example, which was not followed" in remedy(error)


@pytest.mark.parametrize(
    ("location", "where"),
    [
        ("https://other.example/token?code=1", "https://other.example"),
        ("http://as.example:8080/", "http://as.example:8080"),
        ("/auth/realms/x", "another path of the same host"),
        ("?x", "nowhere in particular"),
        ("https://[::1", "nowhere in particular"),
        (None, "nowhere in particular"),
    ],
)
def test_redirect_names_where_to(location: str | None, where: str) -> None:
    """The message names the other origin, but not its path."""
    error = read(answer(307, b"", **({"location": location} if location else {})))
    assert remedy(error) == (
        f"it redirects to {where}, which was not followed, because the secret would go along; set "
        "the token URL to its final address (token_url=, VATHOS_TOKEN_URL)"
    )


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_busy_server(status: int) -> None:
    """A server that is busy or broken has not refused."""
    error = read(answer(status, b""))
    assert type(error) is TokenResponseError
    assert not error.refused
    assert not error.redirected
    assert remedy(error) == BUSY_WORDS


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b'{"error": "slow_down"}'])
def test_busy_server_may_say_anything(body: bytes) -> None:
    """What a busy server says is no refusal either, and its page is not repeated."""
    error = read(answer(503, body))
    assert type(error) is TokenResponseError
    assert not error.refused
    assert remedy(error) == BUSY_WORDS
    assert "maintenance" not in str(error)


@pytest.mark.parametrize("value", ["120", "-5", "soon", "Fri, 31 Dec 1999 23:59:59 GMT", None])
def test_retry_after_is_kept(value: str | None) -> None:
    """`Retry-After` is handed on as it came, for whoever decides about another attempt."""
    error = read(answer(429, b"", **({"retry_after": value} if value else {})))
    assert error.retry_after == value


# --- answers that are neither -------------------------------------------------------------------


@pytest.mark.fault(7, 8)
@pytest.mark.parametrize(
    ("reply", "flaw"),
    [
        (
            answer(200, b"<html>Log in</html>", content_type="text/html; charset=utf-8"),
            "it is text/html, not JSON (a maintenance, login or proxy page?)",
        ),
        (
            Answer(200, {}, b"hello"),
            "it is no content type, not JSON (a maintenance, login or proxy page?)",
        ),
        (
            answer(200, b"{", content_type="a\x1bb" + "c" * 100),
            f"it is a b{'c' * 57}, not JSON (a maintenance, login or proxy page?)",
        ),
        (
            answer(200, b"\xff\xfe\xff"),
            "it is JSON that is truncated or broken",
        ),
        (
            answer(200, b"[" * 100_000),
            "it is JSON that is truncated or broken",
        ),
        (
            answer(200, b'{"access_token": "at", "expires_in": ' + b"9" * 5000 + b"}"),
            "it is JSON that is truncated or broken",
        ),
        (answer(200, b""), "it is empty"),
        (answer(200, b" \r\n\t"), "it is empty"),
        (answer(200, []), "it is a JSON list, not an object"),
        (answer(200, None), "it is a JSON NoneType, not an object"),
        (answer(200, 7), "it is a JSON int, not an object"),
        (answer(200, "at"), "it is a JSON str, not an object"),
        (answer(200, {}), "it has no access_token"),
        (answer(200, {"access_token": None}), "it has no access_token"),
        (
            answer(200, {"access_token": CANARY.access_token + "\n"}),
            "its access_token is not a string of visible ASCII characters",
        ),
        (
            answer(200, {"access_token": CANARY.access_token, "refresh_token": 7}),
            "its refresh_token is not a string of visible ASCII characters",
        ),
        (
            answer(200, {"access_token": CANARY.access_token, "token_type": "mac"}),
            "its token_type is 'mac', not Bearer",
        ),
        (
            answer(200, {"access_token": CANARY.access_token, "token_type": "N_A"}),
            "its token_type is 'N_A', not Bearer",
        ),
        (
            answer(200, b"\x1f\x8b", content_encoding="gzip"),
            "it is compressed, although it was asked not to be",
        ),
        (
            answer(200, {"access_token": CANARY.access_token}, content_encoding="br"),
            "it is compressed, although it was asked not to be",
        ),
        (
            answer(200, b'{"access_token": "at"}'.ljust(MAX_BODY + 1)),
            "it is longer than 1048576 bytes",
        ),
        (answer(201, {"access_token": CANARY.access_token}), "its status is not 200"),
        (answer(204, b""), "it is empty"),
        (answer(101, {"access_token": CANARY.access_token}), "its status is not 200"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_answer_that_is_no_token_response(reply: Answer, flaw: str) -> None:
    """The flaw is named, with status and content type, and without a word of the body."""
    error = read(reply)
    assert type(error) is TokenResponseError
    assert not error.refused
    assert remedy(error) == f"this is not a token response: {flaw}"


def test_longest_answer_is_read() -> None:
    """An answer of exactly one MiB is still read."""
    body = b'{"access_token": "at"}'.ljust(MAX_BODY)
    assert token_from(answer(200, body), SERVICE, URL, AT).access_token == "at"


@pytest.mark.parametrize("name", [b"token_type", b"scope", b"error"])
def test_deep_answer_is_read_or_refused(name: bytes) -> None:
    """However deep the JSON, wherever the interpreter's limit is, there is no RecursionError."""
    for depth in (10, 100, *range(900, 1000, 3)):
        nested = b"[" * depth + b"]" * depth
        body = b'{"access_token": "at", "' + name + b'": ' + nested + b"}"
        try:
            assert token_from(answer(200, body), SERVICE, URL, AT).access_token == "at"
        except TokenResponseError as error:
            assert str(error)  # noqa: PT017 - either outcome is right


def test_error_in_an_answer_of_200_is_an_error() -> None:
    """Some servers say 200 and mean an error; it is classified by its code."""
    body = {"error": "invalid_client", "error_description": "no"}
    error = read(answer(200, body))
    assert type(error) is InvalidClientError
    assert "HTTP 200 invalid_client (no)" in str(error)
    assert not error.refused


@given(
    status=st.integers(min_value=100, max_value=599),
    body=st.binary()
    | st.dictionaries(
        st.sampled_from(["error", "error_description", "access_token", "token_type", "scope"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()),
    ).map(lambda members: json.dumps(members).encode()),
    kind=st.text(max_size=80),
)
def test_any_answer_is_a_token_or_an_error(status: int, body: bytes, kind: str) -> None:
    """Whatever a server answers, the outcome is a token or a TokenResponseError with its status."""
    reply = Answer(status, {"content-type": kind, "location": kind}, body)
    try:
        token = token_from(reply, PERSON, URL, AT)
    except TokenResponseError as error:
        assert error.status == status  # noqa: PT017 - either outcome is right
    else:
        assert status == 200
        assert token.access_token


# --- the server's words -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("plain", "plain"),
        ("Grüße", "Grüße"),
        ("two\r\nlines\ttab", "two lines tab"),
        ("\x1b[31mred\x1b[0m", " [31mred [0m"),
        ("\x00\x07\x7f\x9b", " "),
        ("x" * 300_000, "x" * 200),
    ],
)
def test_words_are_made_fit_to_log(words: str, shown: str) -> None:
    """Control characters and length forge neither log lines nor terminal output (§10.14)."""
    error = read(answer(400, dict.fromkeys(ERROR_MEMBERS, words)))
    assert [getattr(error, name) for name in ERROR_MEMBERS] == [shown] * 3


@pytest.mark.parametrize(
    "words", ["a\ud800b", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200fb", "a\ufeffb"]
)
def test_words_can_be_printed(words: str) -> None:
    """Nothing that breaks a line, turns its direction, or cannot be encoded, is handed on."""
    description = read(answer(400, {"error": "x", "error_description": words})).error_description
    assert description is not None
    assert description.encode()
    assert description.isprintable()


@pytest.mark.parametrize(
    "location", ["https://other\x1bc.example/", f"https://{'x' * 60_000}.example/"]
)
def test_location_is_made_fit_to_log(location: str) -> None:
    """The origin in a redirect's message is as harmless as the server's other words."""
    read(answer(302, b"", location=location))


ECHOES = [
    pytest.param(SERVICE, CANARY.client_secret, id="client secret"),
    pytest.param(PERSON, CANARY.client_secret, id="client secret of a person"),
    pytest.param(PERSON, CANARY.password, id="password"),
    pytest.param(REFRESH, CANARY.client_secret, id="client secret at refresh"),
    pytest.param(REFRESH, CANARY.password, id="password at refresh"),
    pytest.param(REFRESH, CANARY.refresh_token, id="refresh token"),
]


@pytest.mark.parametrize(("grant", "secret"), ECHOES)
def test_echo_of_a_secret_is_blotted_out(grant: Grant | RefreshGrant, secret: str) -> None:
    """A server that repeats what it was sent does not get it into our message."""
    error = read(answer(400, dict.fromkeys(ERROR_MEMBERS, f"bad {secret}, {secret}!")), grant)
    assert [getattr(error, name) for name in ERROR_MEMBERS] == ["bad ***, ***!"] * 3


@pytest.mark.parametrize(("grant", "secret"), ECHOES)
def test_echo_at_the_cut_is_blotted_out(grant: Grant | RefreshGrant, secret: str) -> None:
    """Blotting comes before cutting, so that no half of a secret remains."""
    padding = "x" * 190
    error = read(answer(400, {"error": "e", "error_description": padding + secret}), grant)
    assert error.error_description == f"{padding}***"


@pytest.mark.fault(51)
@pytest.mark.parametrize("secret", [CANARY.client_secret, "with+ and/"])
def test_echo_of_the_header_is_blotted_out(secret: str) -> None:
    """A server that repeats the Authorization header gets no secret into our message, as base64."""
    grant = ClientCredentialsGrant(client_id="a:b", client_secret=secret)
    endpoint = TokenEndpoint(
        "https://as.invalid/token", client_authentication="client_secret_basic"
    )
    _, headers = endpoint.authenticated(grant, grant.form(), PATIENCE)
    quoted = quote_plus(secret)
    words = f"bad {headers['Authorization']}, {quoted}!"
    error = read(answer(401, dict.fromkeys(ERROR_MEMBERS, words)), grant)
    assert [getattr(error, name) for name in ERROR_MEMBERS] == ["bad Basic ***, ***!"] * 3


def test_empty_secret_blots_nothing() -> None:
    """A public client's empty secret is in no text."""
    grant = ClientCredentialsGrant(client_id="device", client_secret="")
    error = read(answer(400, {"error": "x", "error_description": "words"}), grant)
    assert error.error_description == "words"


def test_secret_that_contains_another_is_blotted_out_whole() -> None:
    """A password that begins with the client secret leaves no tail behind."""
    grant = PasswordGrant(client_id="a", client_secret="pass", username="b", password="pass-word")
    error = read(answer(400, {"error": "x", "error_description": "bad pass-word"}), grant)
    assert error.error_description == "bad ***"


@pytest.mark.parametrize("password", ["grant", "invalid", "a", "invalid_grant"])
def test_password_that_is_part_of_an_error_code_changes_no_class(password: str) -> None:
    """What the error is does not depend on what the password is."""
    grant = PasswordGrant(client_id="a", client_secret="s3cr3t", username="b", password=password)
    assert type(read(answer(400, {"error": "invalid_grant"}), grant)) is InvalidGrantError


def test_echo_in_the_token_type_is_blotted_out() -> None:
    """The one other member that is quoted is quoted as carefully."""
    read(answer(200, {"access_token": "at", "token_type": CANARY.client_secret}))


@pytest.mark.parametrize("secret", ["0123456789" * 7, 'it\'s "so" \\secret'])
def test_long_or_quoted_echo_in_the_token_type_is_blotted_out(secret: str) -> None:
    """Neither the first half of a secret nor an escaped one gets into the message."""
    grant = ClientCredentialsGrant(client_id="device", client_secret=secret)
    error = read(answer(200, {"access_token": "at", "token_type": secret}), grant)
    assert secret[:20] not in str(error)
    assert "secret'" not in str(error)


# --- requests -----------------------------------------------------------------------------------


def exchanged(
    grant: Grant | RefreshGrant, *, body: object = None, **settings: Any
) -> tuple[Token, Request]:
    """Sends a token request to a real server; returns the token and what the server saw."""
    seen: list[Request] = []
    reply = json.dumps(body or {"access_token": CANARY.access_token, "expires_in": 60}).encode()

    def serve(connection: Connection) -> None:
        seen.append(connection.read_request())
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)

    with Wire(serve) as wire:
        token = TokenEndpoint(wire.url(), **settings).request(grant, PATIENCE)
    (request,) = seen
    return token, request


@pytest.mark.parametrize(
    ("grant", "client"), [(SERVICE, "device"), (PERSON, "app"), (REFRESH, "app")]
)
def test_client_authenticates_in_the_form(grant: Grant | RefreshGrant, client: str) -> None:
    """`client_secret_post`: id and secret in the form, and no Authorization header besides."""
    token, request = exchanged(grant)
    assert token.access_token == CANARY.access_token
    assert request.form == {
        **grant.form(),
        "client_id": client,
        "client_secret": CANARY.client_secret,
    }
    assert request.header("authorization") == []


@pytest.mark.parametrize("grant", [SERVICE, PERSON, REFRESH], ids=lambda grant: grant.grant_type)
def test_client_authenticates_in_the_header(grant: Grant | RefreshGrant) -> None:
    """`client_secret_basic`: id and secret in the header, and neither in the form."""
    _, request = exchanged(grant, client_authentication="client_secret_basic")
    assert request.form == grant.form()
    (header,) = request.header("authorization")
    pair = f"{grant.client_id}:{CANARY.client_secret}"
    assert header == "Basic " + base64.b64encode(pair.encode()).decode()


def test_basic_credentials_are_form_encoded_first() -> None:
    """Colons, spaces, percent signs and umlauts survive (RFC 6749 §2.3.1)."""
    grant = ClientCredentialsGrant(client_id="a:b c", client_secret="s:%+ü/")
    _, request = exchanged(grant, client_authentication="client_secret_basic")
    (header,) = request.header("authorization")
    client, colon, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    assert (client, colon, secret) == ("a%3Ab+c", ":", "s%3A%25%2B%C3%BC%2F")
    assert (unquote_plus(client), unquote_plus(secret)) == ("a:b c", "s:%+ü/")


def test_extra_parameters_do_not_replace_the_client() -> None:
    """A parameter named like the client authentication does not win over it."""
    parameters = {"client_id": "other", "client_secret": "other"}
    grant = ClientCredentialsGrant(client_id="mine", client_secret="mine", parameters=parameters)
    _, request = exchanged(grant)
    assert (request.form["client_id"], request.form["client_secret"]) == ("mine", "mine")


def test_life_counts_from_before_the_request(clock: FakeClock) -> None:
    """The clock is read before the request leaves, not when the answer comes."""
    readings: list[Instant] = []

    def read_clock() -> Instant:
        readings.append(clock())
        return clock()

    def late(connection: Connection) -> None:
        assert len(readings) == 1
        clock.advance(7)
        answering(b'{"access_token": "at", "expires_in": 60}')(connection)

    start = clock()
    with Wire(late) as wire:
        token = TokenEndpoint(wire.url(), clock=read_clock).request(SERVICE, PATIENCE)
    assert (token.issued_at, token.issued_boot) == (start.wall, start.boot)
    assert token.seconds_left(clock()) == 53


def test_settings_of_the_transport_are_read_anew() -> None:
    """A session whose `verify` or `proxies` change later changes the next token request."""
    transport = Transport()
    with Wire(answering(b'{"access_token": "direct"}')) as wire, closed_port() as port:
        endpoint = TokenEndpoint(wire.url(), transport=transport)
        assert endpoint.request(SERVICE, PATIENCE).access_token == "direct"
        transport.proxies = {"http": f"http://127.0.0.1:{port}"}
        endpoint.url = "http://as.invalid/token"  # http to this machine goes past proxies
        with pytest.raises(TokenRequestError, match="the proxy on the way"):
            endpoint.request(SERVICE, PATIENCE)


def test_refused_request_over_the_wire() -> None:
    """A refusal that came over a real connection tells no secret, nor do its causes."""
    body = json.dumps({"error": "invalid_grant", "error_description": f"not {CANARY.password}"})
    with Wire(answering(body.encode(), status="401 Unauthorized")) as wire:
        with pytest.raises(InvalidGrantError) as caught:
            TokenEndpoint(wire.url()).request(PERSON, PATIENCE)
        assert caught.value.endpoint == wire.url()
    assert caught.value.error_description == "not ***"
    assert caught.value.__cause__ is None
    assert CANARY.seen_in(told_by(caught.value)) == []


def test_gzip_bomb_over_the_wire() -> None:
    """A compressed answer is refused without being unpacked."""
    headers = ("Content-Encoding: gzip", "Content-Type: application/json")
    bomb = answering(b"\x1f\x8b" + b"\x00" * 1000, headers=headers)
    with Wire(bomb) as wire, pytest.raises(TokenResponseError, match="it is compressed"):
        TokenEndpoint(wire.url()).request(SERVICE, PATIENCE)


@pytest.mark.parametrize(
    ("behaviour", "method"),
    [
        pytest.param(hanging, "client_secret_post", id="too late"),
        pytest.param(
            lambda connection: connection.read_request(), "client_secret_basic", id="cut off"
        ),
        pytest.param(
            answering(status="400 Bad Request"), "client_secret_post", id="refused, secret in form"
        ),
        pytest.param(
            answering(status="400 Bad Request"), "client_secret_basic", id="refused, in header"
        ),
    ],
)
def test_own_frames_show_no_secret(behaviour: Any, method: str) -> None:
    """Error trackers that keep the local variables of every frame keep no secret of ours."""
    with Wire(behaviour) as wire, pytest.raises(VathosError) as caught:
        TokenEndpoint(wire.url(), client_authentication=method).request(REFRESH, 0.2)
    error = caught.value
    told = "".join(
        traceback.TracebackException(
            type(error), error, error.__traceback__, capture_locals=True
        ).format()
    )
    assert "request" in told
    assert CANARY.seen_in(told) == []
    pair = f"{REFRESH.client_id}:{CANARY.client_secret}"
    assert base64.b64encode(pair.encode()).decode() not in told


def test_no_answer_over_the_wire() -> None:
    """Nothing listens there: the error shows no secret, nor do its causes."""
    with closed_port() as port, pytest.raises(TokenRequestError) as caught:
        TokenEndpoint(f"http://127.0.0.1:{port}/token").request(REFRESH, PATIENCE)
    assert caught.value.__cause__ is not None
    assert CANARY.seen_in(told_by(caught.value)) == []


@pytest.mark.parametrize("method", ["none", "private_key_jwt", "", "CLIENT_SECRET_POST"])
def test_unknown_client_authentication_is_refused(method: str) -> None:
    """A method that is not known is refused when the endpoint is made."""
    with pytest.raises(ConfigurationError) as caught:
        TokenEndpoint(URL, client_authentication=method)
    assert str(caught.value) == (
        f"client_authentication is {method!r}; it must be 'client_secret_post' or "
        "'client_secret_basic'"
    )


def test_secret_that_cannot_be_encoded_is_a_matter_of_configuration() -> None:
    """A secret with bytes that are no UTF-8 is refused by one of this package's errors."""
    secret = CANARY.client_secret + "\udcff"
    grant = ClientCredentialsGrant(client_id="device", client_secret=secret)
    endpoint = TokenEndpoint(URL, client_authentication="client_secret_basic")
    with pytest.raises(ConfigurationError) as caught:
        endpoint.request(grant, PATIENCE)
    assert CANARY.seen_in(told_by(caught.value)) == []


def test_endpoint_may_be_logged() -> None:
    """The text form names URL and method."""
    assert repr(TokenEndpoint(URL)) == (
        f"TokenEndpoint({URL!r}, client_authentication='client_secret_post')"
    )
