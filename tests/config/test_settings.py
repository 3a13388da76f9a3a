"""Where settings come from, and what is said about those that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.canaries import CANARY, Canary, told_by
from vathos.config.settings import (
    DEFAULT_BASE_URL,
    DEFAULT_TOKEN_URL,
    Settings,
    checked_origins,
    missing_text,
    resolve,
)
from vathos.errors import ConfigurationError
from vathos.grants import ClientCredentialsGrant, PasswordGrant, Secret, reveal

ENVIRON = {
    "VATHOS_CLIENT_ID": "env-client",
    "VATHOS_CLIENT_SECRET": "env-secret",
    "VATHOS_USERNAME": "env-user",
    "VATHOS_PASSWORD": "env-password",
    "VATHOS_TOKEN_URL": "https://env.example/token",
    "VATHOS_BASE_URL": "https://env.example/v1",
}
CLIENT = {"client_id": "app", "client_secret": "secret"}
PERSON = {**CLIENT, "username": "ada", "password": "pw"}


def settled(
    arguments: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **rest: Any
) -> Settings:
    """Resolves arguments in an environment that is empty unless told otherwise."""
    return resolve(arguments or {}, environ=environ or {}, **rest)


def credentials(settings: Settings) -> tuple[str | None, ...]:
    """Returns client id, client secret, user name and password in clear."""
    secrets = (settings.client_secret, settings.password)
    client_secret, password = (None if secret is None else reveal(secret) for secret in secrets)
    return settings.client_id, client_secret, settings.username, password


def refusal(arguments: dict[str, Any], environ: dict[str, str] | None = None) -> str:
    """Returns the words with which the arguments are refused."""
    with pytest.raises(ConfigurationError) as caught:
        settled(arguments, environ)
    return str(caught.value)


# --- where values come from ---------------------------------------------------------------------


def test_defaults() -> None:
    """Without anything given, the URLs are those of the Vathos service and nobody is named."""
    settings = settled()
    assert settings == Settings(
        token_url=DEFAULT_TOKEN_URL, base_url=DEFAULT_BASE_URL, base_url_is_explicit=False
    )
    assert credentials(settings) == (None, None, None, None)


def test_arguments_are_taken() -> None:
    """Every setting can be an argument."""
    settings = settled(
        {**PERSON, "token_url": "https://a.example/t", "base_url": "https://a.example/v2"},
        scope=["a", "b"],
        audience="api",
        parameters={"resource": "r"},
    )
    assert credentials(settings) == ("app", "secret", "ada", "pw")
    assert (settings.token_url, settings.base_url) == (
        "https://a.example/t",
        "https://a.example/v2",
    )
    assert (settings.scope, settings.audience) == ("a b", "api")
    assert settings.parameters == {"resource": "r"}


def test_environment_is_taken() -> None:
    """Every credential and URL can be an environment variable."""
    settings = settled(environ=ENVIRON)
    assert credentials(settings) == ("env-client", "env-secret", "env-user", "env-password")
    assert settings.token_url == "https://env.example/token"
    assert settings.base_url == "https://env.example/v1"


def test_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless an environment is handed over, that of this process counts."""
    monkeypatch.setenv("VATHOS_CLIENT_ID", "from-process")
    assert resolve({}).client_id == "from-process"
    assert resolve({}, environ={}).client_id is None


@pytest.mark.parametrize("name", ["client_id", "token_url", "base_url"])
def test_argument_wins_over_variable(name: str) -> None:
    """What the caller says counts more than what the shell says."""
    value = "https://argument.example" if name.endswith("url") else "argument"
    assert getattr(settled({name: value}, ENVIRON), name) == value


@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_secret_argument_wins_over_variable(name: str) -> None:
    """That holds for secrets too, plain or read by a callable."""
    for value in ("argument", lambda: "argument"):
        settings = settled({**PERSON, name: value}, ENVIRON)
        assert getattr(settings, name) == Secret(value)
        assert getattr(settings, name).reveal() == "argument"


def test_arguments_that_are_none_are_not_given() -> None:
    """`None` stands for "not given"."""
    nothing = dict.fromkeys([*PERSON, "token_url", "base_url"])
    assert settled(nothing, ENVIRON) == settled({}, ENVIRON)


def test_empty_variables_are_not_set() -> None:
    """A variable that a script emptied counts as absent, so the default is used."""
    assert settled(environ=dict.fromkeys(ENVIRON, "")) == settled()


@pytest.mark.parametrize(
    ("arguments", "explicit"), [({}, False), ({"base_url": "https://a.example"}, True)]
)
def test_chosen_base_url_is_explicit(arguments: dict[str, Any], *, explicit: bool) -> None:
    """Whether somebody chose the base URL is known, by argument or by variable."""
    assert settled(arguments).base_url_is_explicit is explicit
    assert settled(arguments, {"VATHOS_BASE_URL": "https://b.example"}).base_url_is_explicit


def test_default_base_url_chosen_by_name_is_explicit() -> None:
    """Choosing the default is a choice."""
    assert settled({"base_url": DEFAULT_BASE_URL}).base_url_is_explicit


# --- defaults that belong together ---------------------------------------------------------------

HERE = "http://127.0.0.1:8080/v1"


@pytest.mark.parametrize(
    ("given", "token_url", "base_url"),
    [
        ({"base_url": "https://eu.vathos.net/v2"}, DEFAULT_TOKEN_URL, "https://eu.vathos.net/v2"),
        ({"base_url": "https://VATHOS.net./v2"}, DEFAULT_TOKEN_URL, "https://VATHOS.net./v2"),
        ({"base_url": "https://api.example/v1"}, "", "https://api.example/v1"),
        ({"base_url": "https://api.evilvathos.net"}, "", "https://api.evilvathos.net"),
        ({"base_url": HERE}, "", HERE),
        ({"token_url": "https://id.vathos.net/t"}, "https://id.vathos.net/t", DEFAULT_BASE_URL),
        ({"token_url": "https://id.example/t"}, "https://id.example/t", ""),
        ({"token_url": HERE}, HERE, ""),
        ({"issuer": "https://id.example"}, "", ""),
        ({"issuer": "https://id.vathos.net"}, "", DEFAULT_BASE_URL),
        ({"token_url": HERE, "base_url": DEFAULT_BASE_URL}, HERE, DEFAULT_BASE_URL),
        ({"token_url": DEFAULT_TOKEN_URL, "base_url": HERE}, DEFAULT_TOKEN_URL, HERE),
    ],
)
@pytest.mark.parametrize("place", ["argument", "variable"])
def test_a_default_goes_only_with_its_own_domain(
    given: dict[str, Any], token_url: str, base_url: str, place: str
) -> None:
    """Neither the secret nor the token goes to the service by default if the other is elsewhere."""
    environ = {f"VATHOS_{name.upper()}": value for name, value in given.items()}
    settings = settled(given) if place == "argument" else settled(environ=environ)
    assert (settings.token_url, settings.base_url) == (token_url, base_url)
    by_default = {name for name, where in settings.sources.items() if where == "default"}
    assert by_default == {"token_url", "base_url"} - given.keys() - (
        {name for name in ("token_url", "base_url") if not getattr(settings, name)}
    )


def test_authorization_server_of_another_api_must_be_named() -> None:
    """The secret is not posted to the built-in server for an API that it does not serve."""
    settings = settled({**CLIENT, "base_url": "https://api.example/v1"})
    with pytest.raises(ConfigurationError) as caught:
        _ = settings.authority
    assert str(caught.value) == (
        "the authorization server of the API https://api.example/v1 is not named, and the built-in "
        "one serves only vathos.net; set issuer= or token_url= (VATHOS_ISSUER, VATHOS_TOKEN_URL)"
    )


def test_another_api_for_the_built_in_server_is_refused() -> None:
    """A source of the built-in server is not given an API of somebody else's."""
    assert settled(CLIENT).at("https://eu.vathos.net").base_url == "https://eu.vathos.net"
    with pytest.raises(ConfigurationError, match=r"API https://api\.example is not named"):
        settled(CLIENT).at("https://api.example")
    named = settled({**CLIENT, "token_url": DEFAULT_TOKEN_URL}).at("https://api.example")
    assert named.base_url == "https://api.example"


# --- who is meant -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("env-client", "env-secret", "env-user", "env-password")),
        (CLIENT, ("app", "secret", None, None)),
        ({"client_id": "app"}, ("app", "env-secret", None, None)),
        ({"client_secret": "secret"}, ("env-client", "secret", None, None)),
        ({"username": "ada"}, ("env-client", "env-secret", "ada", "env-password")),
        ({**CLIENT, "username": "ada"}, ("app", "secret", "ada", "env-password")),
        ({"username": "ada", "password": "pw"}, ("env-client", "env-secret", "ada", "pw")),
        ({"password": "pw"}, ("env-client", "env-secret", None, "pw")),
        (PERSON, ("app", "secret", "ada", "pw")),
        (
            {"token_url": "https://a.example", "base_url": "https://a.example"},
            ("env-client", "env-secret", "env-user", "env-password"),
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_leftover_user_never_joins_explicit_credentials(
    given: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    """VATHOS_USERNAME in a shell does not turn a caller's service account into a person."""
    assert credentials(settled(given, ENVIRON)) == expected


def test_service_account_from_arguments_despite_leftover_user() -> None:
    """The grant of explicit client arguments is client credentials, whatever is in the shell."""
    assert type(settled(CLIENT, ENVIRON).grant()) is ClientCredentialsGrant


def test_grant_of_a_service_account() -> None:
    """Without a user name the client asks in its own name."""
    settings = settled(CLIENT, scope="a", audience="api", parameters={"resource": "r"})
    assert settings.missing == ()
    assert settings.grant() == ClientCredentialsGrant(
        **CLIENT, scope="a", audience="api", parameters={"resource": "r"}
    )


def test_grant_of_a_person() -> None:
    """With a user name it is the password grant."""
    settings = settled(PERSON, scope="a", audience="api", parameters={"resource": "r"})
    assert settings.missing == ()
    assert settings.grant() == PasswordGrant(
        **PERSON, scope="a", audience="api", parameters={"resource": "r"}
    )


# --- what is missing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ("client_id", "client_secret")),
        ({"client_id": "app"}, ("client_secret",)),
        ({"client_secret": "s"}, ("client_id",)),
        ({**CLIENT, "username": "ada"}, ("password",)),
        ({"username": "ada"}, ("client_id", "client_secret", "password")),
    ],
)
def test_missing_credentials_are_named_with_their_remedy(
    given: dict[str, Any], missing: tuple[str, ...]
) -> None:
    """What is missing is named, and no more, with the argument and the variable that supply it."""
    settings = settled(given)
    assert settings.missing == missing
    with pytest.raises(ConfigurationError, match=" missing: ") as caught:
        settings.grant()
    for name in ("client_id", "client_secret", "username", "password"):
        remedies = [f"{name}=", f"VATHOS_{name.upper()}"]
        assert [each in str(caught.value) for each in remedies] == [name in missing] * 2


def test_one_sentence_says_what_is_missing() -> None:
    """The sentence about missing credentials is the same for one and for several."""
    assert missing_text(["password"], "ask ada") == (
        "password is missing: ask ada, or set the environment variable VATHOS_PASSWORD"
    )
    both = missing_text(["username", "password"], "ask ada", variables=False)
    assert both == "username and password are missing: ask ada"


def test_password_without_user_is_incomplete() -> None:
    """A password alone is a person whose name was forgotten, not a service account."""
    settings = settled({**CLIENT, "password": "pw"})
    assert settings.missing == ("username",)
    with pytest.raises(ConfigurationError, match=r"^username is missing: pass username="):
        settings.grant()


def test_remedy_for_a_missing_user_works() -> None:
    """The message never proposes the variable that is set already and does not count."""
    with pytest.raises(ConfigurationError) as caught:
        settled({**CLIENT, "password": "pw"}, ENVIRON).grant()
    assert "VATHOS_USERNAME" not in str(caught.value)


def test_password_variable_without_user_is_incomplete() -> None:
    """The same holds for variables."""
    environ = {name: ENVIRON[name] for name in ENVIRON if name != "VATHOS_USERNAME"}
    assert settled(environ=environ).missing == ("username",)


# --- what is malformed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"), [(b"x", "bytes"), (7, "int"), (["x"], "list"), (False, "bool")]
)
@pytest.mark.parametrize("name", ["client_id", "client_secret", "password", "token_url"])
def test_value_that_is_no_string_is_refused(name: str, value: object, kind: str) -> None:
    """A value of another type is named by its type, never by its content."""
    assert kind in (message := refusal({name: value}))
    assert message.startswith(f"{name} must be a string")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("client_id", "VATHOS_CLIENT_ID"),
        ("client_secret", "VATHOS_CLIENT_SECRET"),
        ("username", "VATHOS_USERNAME"),
        ("password", "VATHOS_PASSWORD"),
        ("token_url", "VATHOS_TOKEN_URL"),
        ("base_url", "VATHOS_BASE_URL"),
    ],
)
def test_empty_argument_is_refused(name: str, variable: str) -> None:
    """An empty argument is a mistake of the caller's, not a wish for the variable."""
    message = refusal({name: ""}, ENVIRON)
    assert message.startswith(f"{name} is empty")
    assert variable in message


@pytest.mark.parametrize("name", ["client_id", "username", "token_url", "base_url"])
def test_only_secrets_may_be_callables(name: str) -> None:
    """What is no secret is plain text."""
    assert refusal({name: lambda: "x"}).startswith(f"{name} must be a string")


def test_callable_is_not_called_to_resolve() -> None:
    """A vault is asked when the secret is needed, not when a session is made."""
    calls: list[str] = []

    def vault() -> str:
        calls.append("read")
        return "secret"

    grant = settled({"client_id": "app", "client_secret": vault}).grant()
    assert calls == []
    assert reveal(grant.client_secret) == "secret"


@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_wrapped_secret_is_a_secret(name: str) -> None:
    """A secret that was wrapped before, as `Settings` and grants hold it, is taken."""
    assert getattr(settled({**PERSON, name: Secret("wrapped")}), name) == Secret("wrapped")


# --- secrets in files ---------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A mounted secret."""
    path = tmp_path / "secret"
    path.write_text("from-file\n")
    return path


@pytest.mark.parametrize("name", ["client_secret", "password"])
def test_secret_may_be_in_a_file(name: str, file: Path) -> None:
    """A variable with `_FILE` names the file that a secret is in, as containers mount it."""
    variable = f"VATHOS_{name.upper()}"
    environ = {key: value for key, value in ENVIRON.items() if key != variable}
    secret = getattr(settled(environ={**environ, f"{variable}_FILE": str(file)}), name)
    assert secret.reveal() == "from-file"
    assert "from-file" not in repr(secret)


def test_file_is_read_anew(file: Path) -> None:
    """A secret that was rotated in its file is used without a restart."""
    settings = settled(environ={"VATHOS_CLIENT_SECRET_FILE": str(file)})
    assert settings.client_secret is not None
    assert settings.client_secret.reveal() == "from-file"
    file.write_text("rotated")
    assert settings.client_secret.reveal() == "rotated"


def test_file_is_not_read_to_resolve(tmp_path: Path) -> None:
    """A file that is mounted later is found when it is needed."""
    path = tmp_path / "later"
    settings = settled(environ={"VATHOS_CLIENT_ID": "app", "VATHOS_CLIENT_SECRET_FILE": str(path)})
    assert settings.missing == ()
    path.write_text("late")
    assert reveal(settings.grant().client_secret) == "late"


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s", "s"),
        ("s\n", "s"),
        ("s\r\n", "s"),
        (" s \n", " s "),
        ("s\n\n", "s\n"),
        ("two\nlines\n", "two\nlines"),
        ("ä\n", "ä"),
    ],
)
def test_one_line_end_is_not_part_of_the_secret(content: str, secret: str, tmp_path: Path) -> None:
    """Editors end a file with a line end; all else belongs to the secret."""
    path = tmp_path / "secret"
    path.write_bytes(content.encode())
    settings = settled(environ={"VATHOS_PASSWORD_FILE": str(path)})
    assert settings.password is not None
    assert settings.password.reveal() == secret


def unreadable(path: object) -> ConfigurationError:
    """Returns the error that reading a secret from a path ends in."""
    settings = settled(environ={"VATHOS_CLIENT_SECRET_FILE": str(path)})
    assert settings.client_secret is not None
    with pytest.raises(ConfigurationError) as caught:
        settings.client_secret.reveal()
    return caught.value


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that is not there is named with its variable and the system's word for it."""
    for path, reason in [
        (tmp_path / "none", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ]:
        message = str(unreadable(path))
        assert all(each in message for each in (str(path), "VATHOS_CLIENT_SECRET_FILE", reason))


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_empty_file_is_named(content: str, file: Path) -> None:
    """An empty file is not an empty secret."""
    file.write_bytes(content.encode())
    assert f"{file} (VATHOS_CLIENT_SECRET_FILE) is empty" in str(unreadable(file))


def test_file_that_is_no_text_is_named_and_not_repeated(file: Path) -> None:
    """No part of the error, nor what led to it, holds what is in the file."""
    file.write_bytes(b"\xff" + CANARY.client_secret.encode())
    error = unreadable(file)
    assert f"{file} (VATHOS_CLIENT_SECRET_FILE) cannot be read: it is not UTF-8" in str(error)
    assert CANARY.seen_in(told_by(error)) == []
    assert error.__context__ is None or CANARY.seen_in(told_by(error.__context__)) == []


@pytest.mark.parametrize("variable", ["VATHOS_CLIENT_SECRET", "VATHOS_PASSWORD"])
def test_variable_and_file_at_once_are_refused(variable: str, file: Path) -> None:
    """Which of the two is meant cannot be known."""
    message = refusal({}, {**ENVIRON, f"{variable}_FILE": str(file)})
    assert f"both {variable} and {variable}_FILE are set" in message


@pytest.mark.parametrize(
    "environ",
    [
        {"VATHOS_CLIENT_SECRET": "s", "VATHOS_CLIENT_SECRET_FILE": ""},
        {"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": ""},
    ],
)
def test_empty_file_variable_is_not_set(environ: dict[str, str]) -> None:
    """An empty variable counts as absent here too."""
    secret = settled(environ=environ).client_secret
    assert (secret and secret.reveal()) == (environ["VATHOS_CLIENT_SECRET"] or None)


def test_file_of_a_variable_that_is_no_secret_does_not_count(file: Path) -> None:
    """Only secrets are kept in files."""
    assert settled(environ={"VATHOS_CLIENT_ID_FILE": str(file)}).client_id is None


def test_leftover_password_file_does_not_join_explicit_credentials(file: Path) -> None:
    """What holds for a variable holds for a file."""
    environ = {"VATHOS_USERNAME": "env-user", "VATHOS_PASSWORD_FILE": str(file)}
    assert settled(CLIENT, environ).password is None
    assert settled({**CLIENT, "username": "ada"}, environ).password is not None


# --- URLs ---------------------------------------------------------------------------------------


URL_FAULTS = [
    ("auth.example/token", "no host"),
    ("https://", "no host"),
    ("https:///token", "no host"),
    ("https://[::1/token", "malformed"),
    ("https://a.example:99999/", "malformed"),
    ("https://a.example:0/", "malformed"),
    ("https://%61.example/", "malformed"),
    ("https://a.example\\b.example", "malformed"),
    ("ftp://a.example/token", "https://"),
    ("//a.example/token", "https://"),
    ("https://me@a.example/", "user name or password"),
    ("https://me:pw@a.example/", "user name or password"),
    ("https://:pw@a.example/", "user name or password"),
    ("https://@a.example/", "user name or password"),
    ("https://a.example\\@b.example/", "user name or password"),
    ("https://a.example/#top", "fragment"),
    ("http://a.example/", "plain http to a.example"),
    ("HTTP://10.0.0.1/", "plain http to 10.0.0.1"),
]


@pytest.mark.parametrize(("url", "fault"), URL_FAULTS)
@pytest.mark.parametrize(
    ("name", "variable"), [("token_url", "VATHOS_TOKEN_URL"), ("base_url", "VATHOS_BASE_URL")]
)
def test_url_that_cannot_be_used_is_refused(name: str, variable: str, url: str, fault: str) -> None:
    """Each fault of a URL is named, with the argument and the variable it may come from."""
    message = refusal({name: url})
    assert message.startswith(f"{name} ({variable}) ")
    assert fault in message
    assert refusal({}, {variable: url}) == message


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example",
        "https://a.example:8443/v1/",
        "HTTPS://A.example/x",
        "http://localhost:8080/token",
        "http://127.0.0.1/token",
        "http://[::1]:1/token",
    ],
)
def test_url_that_can_be_used_is_taken_as_it_is(url: str) -> None:
    """TLS everywhere and http on loopback are fine, and the URL is not rewritten."""
    settings = settled({"token_url": url, "base_url": url})
    assert (settings.token_url, settings.base_url) == (url, url)


def test_only_a_token_url_may_have_a_query() -> None:
    """A token URL keeps its query (RFC 6749 §3.2); paths are put below the others."""
    url = "https://a.example/token?tenant=7"
    assert settled({"token_url": url, "base_url": "https://a.example"}).token_url == url
    for name in ("base_url", "issuer"):
        assert "must not have a query" in refusal({name: url})


@pytest.mark.parametrize("url", ["https://a.example/v1?", "https://a.example/v1#"])
def test_empty_query_is_a_query(url: str) -> None:
    """A bare ? or # at the end would take all that is put below the base URL with it."""
    assert "must not have a query" in refusal({"base_url": url})


@pytest.mark.parametrize(
    "url", ["https://a.example/token\n", "https://a.example/token ", "https://a .example"]
)
def test_white_space_does_not_stay_in_a_url(url: str) -> None:
    """A line end from a file, or a space, is refused or taken off, never sent."""
    try:
        resolved = settled({"token_url": url}).token_url
    except ConfigurationError:
        return
    assert resolved.split() == [resolved]


def test_password_in_a_malformed_url_is_not_repeated(canary: Canary) -> None:
    """A password with a slash makes a URL malformed; the message does not hold it."""
    with pytest.raises(ConfigurationError) as caught:
        settled({"token_url": f"https://me:{canary.password}/x@a.example/token"})
    assert CANARY.seen_in(str(caught.value)) == []


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["http", "https", ":", "/", "//", "@", "a.example", "[", "]", "1", "\\", " "]
        )
    ).map("".join)
)
@example("http://a.example\\@127.0.0.1/")
def test_any_url_is_taken_or_refused(url: str) -> None:
    """Whatever the text, the answer is a URL or a ConfigurationError, never a crash."""
    try:
        settings = settled(environ={"VATHOS_TOKEN_URL": url})
    except ConfigurationError:
        return
    assert settings.token_url in {url, url.strip(), DEFAULT_TOKEN_URL}


# --- origins ------------------------------------------------------------------------------------


def test_star_means_every_origin() -> None:
    """`"*"` lets the token go everywhere."""
    assert checked_origins("*") is None


@pytest.mark.parametrize(
    ("origins", "urls"),
    [
        ("https://a.example", ("https://a.example",)),
        (["https://a.example", "http://localhost:1"], ("https://a.example", "http://localhost:1")),
        (iter(["https://a.example"]), ("https://a.example",)),
        ([], ()),
    ],
)
def test_origins_are_one_url_or_several(origins: Any, urls: tuple[str, ...]) -> None:
    """One URL or any number of them confine the token."""
    assert checked_origins(origins) == urls


@pytest.mark.parametrize(("url", "fault"), URL_FAULTS)
def test_origin_that_cannot_be_used_is_refused(url: str, fault: str) -> None:
    """An origin is held to the rules of the other URLs; one bad URL among good ones is enough."""
    for origins in (url, ["https://a.example", url]):
        with pytest.raises(ConfigurationError) as caught:
            checked_origins(origins)
        assert str(caught.value).startswith("origins ")
        assert fault in str(caught.value)


# --- secrets and cost ---------------------------------------------------------------------------


def test_settings_show_no_secret(canary: Canary) -> None:
    """Settings may be logged."""
    arguments = {
        **PERSON,
        "client_secret": canary.client_secret,
        "password": canary.password,
    }
    assert CANARY.seen_in(repr(settled(arguments))) == []
    environ = {
        **ENVIRON,
        "VATHOS_CLIENT_SECRET": canary.client_secret,
        "VATHOS_PASSWORD": canary.password,
    }
    assert CANARY.seen_in(repr(settled({}, environ))) == []


def test_refused_secret_is_not_repeated(canary: Canary) -> None:
    """The message about a secret of the wrong type does not hold it."""
    assert CANARY.seen_in(refusal({"client_secret": [canary.client_secret]})) == []


@pytest.mark.parametrize(
    "module",
    [
        "config.settings",
        "tokens",
        "policy",
        "grants",
        "oauth.identity",
        "system.locks",
        "system.backoff",
        "oauth.urls",
        "stores.memory",
    ],
)
def test_module_is_cheap_to_import(module: str) -> None:
    """A fresh interpreter that imports only this module does not pay for `requests`."""
    code = (
        f"import sys, vathos.{module};"
        "print({'requests', 'oauthlib', 'requests_oauthlib', 'urllib3'} & {*sys.modules})"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"
