"""Grants as data: the form they fill in, and the secrets they do not show."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

from tests.canaries import CANARY, Canary, told_by
from vathos.errors import ConfigurationError
from vathos.grants import (
    ClientCredentialsGrant,
    Grant,
    PasswordGrant,
    RefreshGrant,
    Secret,
    SecretFields,
    reveal,
    scope_text,
)


def service(**members: Any) -> ClientCredentialsGrant:
    """Returns a service account's grant."""
    return ClientCredentialsGrant(
        **{"client_id": "device", "client_secret": CANARY.client_secret, **members}
    )


def person(**members: Any) -> PasswordGrant:
    """Returns a person's grant."""
    return PasswordGrant(
        **{
            "client_id": "app",
            "client_secret": CANARY.client_secret,
            "username": "ada",
            "password": CANARY.password,
            **members,
        }
    )


GRANTS = [
    service(),
    person(),
    RefreshGrant(original=service(), refresh_token=CANARY.refresh_token),
    RefreshGrant(original=person(), refresh_token=CANARY.refresh_token),
]


# --- secrets ------------------------------------------------------------------------------------


def test_secret_has_no_text_form(canary: Canary) -> None:
    """However a secret is turned into text, three stars come out."""
    secret = Secret(canary.password)
    texts = [str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret, repr([secret])]  # noqa: UP031 - as old code does
    assert texts == ["***"] * 5 + ["[***]"]
    assert ascii({"a": secret}) == "{'a': ***}"


def test_secret_has_no_attributes_to_list(canary: Canary) -> None:
    """`vars` and `json` find nothing to write."""
    with pytest.raises(TypeError):
        vars(Secret(canary.password))
    with pytest.raises(TypeError):
        json.dumps(Secret(canary.password))


def test_secret_is_revealed_on_request(canary: Canary) -> None:
    """The one line that sends it can have it, wrapped or not."""
    secret = Secret(canary.password)
    assert secret.reveal() == reveal(secret) == reveal(canary.password) == canary.password


def test_secrets_compare_by_value() -> None:
    """Equal secrets are equal and hash alike; a secret is never equal to plain text."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), "a"}) == 2


def test_secret_hash_is_not_that_of_its_text() -> None:
    """The hash of a secret is not that of the plain string."""
    assert hash(Secret("a")) != hash("a")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))]
)
def test_secret_survives_a_copy(again: object) -> None:
    """A session that is pickled takes its secrets along."""
    assert callable(again)
    assert again(Secret("a")) == Secret("a")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda s: s])
def test_secret_may_be_read_from_somewhere_each_time(again: Any) -> None:
    """A callable is asked whenever the secret is needed, and never shown."""
    values = iter(["old", "new"])

    def vault() -> str:
        return next(values)

    secret = again(Secret(vault))
    assert (secret.reveal(), secret.reveal()) == ("old", "new")
    assert repr(secret) == "***"
    assert secret == Secret(vault)
    assert hash(secret) == hash(Secret(vault))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "returned an empty string"),
        (None, "returned NoneType"),
        (b"canary-password-91c4", "returned bytes"),
    ],
)
def test_secret_that_is_no_text_is_refused(value: object, words: str) -> None:
    """A callable that brings no text is named with what it brought, but not its value."""
    with pytest.raises(ConfigurationError) as caught:
        Secret(lambda: value).reveal()  # type: ignore[arg-type, return-value]
    assert str(caught.value) == f"a secret could not be read: the callable for it {words}"
    assert CANARY.seen_in(told_by(caught.value)) == []


def test_secret_that_cannot_be_read_is_refused() -> None:
    """A callable that fails is named by the class of its error, which is kept as the cause."""
    cause = KeyError("vault")

    def fail() -> str:
        raise cause

    with pytest.raises(ConfigurationError) as caught:
        Secret(fail).reveal()
    assert str(caught.value) == "a secret could not be read: the callable for it raised KeyError"
    assert caught.value.__cause__ is cause


def test_readable_reason_is_handed_on() -> None:
    """A callable that knows what is wrong says so itself."""
    reason = ConfigurationError("the file is empty")

    def fail() -> str:
        raise reason

    with pytest.raises(ConfigurationError) as caught:
        Secret(fail).reveal()
    assert caught.value is reason


def test_no_error_is_its_own_cause() -> None:
    """An error that is handed on has no circle of causes."""

    def fail() -> str:
        raise ConfigurationError("the file is empty")

    with pytest.raises(ConfigurationError) as caught:
        Secret(fail).reveal()
    assert caught.value.__cause__ is not caught.value


def test_interrupt_while_reading_a_secret_is_not_swallowed() -> None:
    """Ctrl-C stays Ctrl-C."""

    def fail() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Secret(fail).reveal()


@pytest.mark.parametrize("make", ["service", "person"])
def test_settled_grant_has_read_its_secrets(make: str) -> None:
    """A settled grant is the same grant with its secrets as they are at that moment."""
    values = iter(["old", "new"])
    grant = {"service": service, "person": person}[make](
        client_secret=lambda: next(values), scope="a", audience="b", parameters={"c": "d"}
    )
    old, new = grant.settled(), grant.settled()
    assert [reveal(each.client_secret) for each in (old, old, new)] == ["old", "old", "new"]
    assert dataclasses.replace(new, client_secret="old") == old
    assert (old.user, old.scope, old.audience, old.parameters) == (
        grant.user,
        "a",
        "b",
        {"c": "d"},
    )


def test_settled_grant_has_read_the_password() -> None:
    """A person's password is read too."""
    values = iter(["old", "new"])
    settled = person(password=lambda: next(values)).settled()
    assert settled == person(password="old")


def test_fields_show_their_names_alone(canary: Canary) -> None:
    """A form or header with secrets in it is a dictionary whose text form has no values."""
    fields = SecretFields({"password": canary.password, "grant_type": "password"})
    assert fields["password"] == canary.password
    assert repr(fields) == str(fields) == "SecretFields(grant_type, password)"


# --- scope --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        (None, ""),
        ("", ""),
        ("a", "a"),
        ("a b", "a b"),
        ("  b \t a\n", "b a"),
        (["b", "a"], "b a"),
        (("a",), "a"),
        ([], ""),
        (iter(["a", "b"]), "a b"),
    ],
)
def test_scope_is_written_space_separated(scope: Any, text: str) -> None:
    """Text or names, the scope is written as RFC 6749 §3.3 has it, in the order given."""
    assert scope_text(scope) == text


# --- forms --------------------------------------------------------------------------------------


def test_form_of_a_service_account() -> None:
    """Without further wishes it is the grant type alone: the client authenticates elsewhere."""
    assert service().form() == {"grant_type": "client_credentials"}


def test_form_of_a_person(canary: Canary) -> None:
    """User name and password go in the form (RFC 6749 §4.3.2)."""
    assert person().form() == {
        "grant_type": "password",
        "username": "ada",
        "password": canary.password,
    }


@pytest.mark.parametrize("make", [service, person])
def test_form_has_scope_audience_and_parameters(make: Any) -> None:
    """What was asked for the first time is asked for at each renewal."""
    plain = make().form()
    grant = make(scope="a b", audience="api", parameters={"resource": "https://api.example"})
    assert grant.form() == {
        **plain,
        "scope": "a b",
        "audience": "api",
        "resource": "https://api.example",
    }


def test_empty_audience_is_sent_and_no_audience_is_not() -> None:
    """Absent and empty are different wishes."""
    assert service(audience="").form()["audience"] == ""
    assert "audience" not in service(audience=None).form()


def test_own_scope_wins_over_a_parameter() -> None:
    """The scope that the grant names is the scope that is asked for."""
    grant = service(scope="a", audience="x", parameters={"scope": "b", "audience": "y"})
    assert grant.form() == {"grant_type": "client_credentials", "scope": "a", "audience": "x"}


def test_form_of_a_refresh(canary: Canary) -> None:
    """A refresh repeats audience and parameters, but not the scope: the old one goes on (§6)."""
    original = person(scope="a", audience="api", parameters={"resource": "r", "scope": "b"})
    grant = RefreshGrant(original=original, refresh_token=canary.refresh_token)
    assert grant.form() == {
        "grant_type": "refresh_token",
        "refresh_token": canary.refresh_token,
        "audience": "api",
        "resource": "r",
    }


def test_refresh_shows_the_original_client(canary: Canary) -> None:
    """The client that obtained the token is the one that refreshes it."""
    grant = RefreshGrant(original=person(), refresh_token="rt")
    assert grant.client_id == "app"
    assert reveal(grant.client_secret) == canary.client_secret


@pytest.mark.parametrize("name", ["grant_type", "username", "password"])
def test_parameter_never_replaces_a_field_of_the_grant(name: str) -> None:
    """Extra parameters add to the form; they do not turn it into another grant."""
    assert person(parameters={name: "other"}).form()[name] != "other"


@pytest.mark.parametrize(
    ("grant", "name"),
    [
        (service(parameters={"grant_type": "other"}), "grant_type"),
        (
            RefreshGrant(original=service(parameters={"grant_type": "other"}), refresh_token="rt"),
            "grant_type",
        ),
        (
            RefreshGrant(
                original=service(parameters={"refresh_token": "other"}), refresh_token="rt"
            ),
            "refresh_token",
        ),
    ],
)
def test_that_holds_for_every_grant(grant: Grant | RefreshGrant, name: str) -> None:
    """Service accounts and refreshes keep their own fields too."""
    assert grant.form()[name] != "other"


# --- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("grant", GRANTS, ids=repr)
def test_grant_shows_no_secret(grant: Grant | RefreshGrant) -> None:
    """No text form of a grant holds a secret."""
    assert CANARY.seen_in(f"{grant!s} {grant!r} {[grant]}") == []
    assert "***" in repr(grant)


@pytest.mark.parametrize(
    ("grant", "secrets"),
    [
        (GRANTS[0], [CANARY.client_secret]),
        (GRANTS[1], [CANARY.client_secret, CANARY.password]),
        (GRANTS[2], [CANARY.client_secret, CANARY.refresh_token]),
        (GRANTS[3], [CANARY.client_secret, CANARY.password, CANARY.refresh_token]),
    ],
)
def test_grant_lists_every_secret(grant: Grant | RefreshGrant, secrets: list[str]) -> None:
    """All secrets that are sent are listed, so that they can be blotted out."""
    assert [secret.reveal() for secret in grant.secrets] == secrets


def test_user_is_the_person_or_nobody() -> None:
    """A service account acts for itself."""
    assert person().user == "ada"
    assert service().user is None


@pytest.mark.parametrize("grant", GRANTS, ids=repr)
def test_grant_is_a_value(grant: Grant | RefreshGrant) -> None:
    """A grant is frozen, and a copy or pickle of it is equal and hashes alike."""
    again = pickle.loads(pickle.dumps(grant))
    assert again == grant
    assert hash(again) == hash(grant)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(grant, dataclasses.fields(grant)[0].name, "other")


def test_wrapped_and_plain_secrets_make_equal_grants(canary: Canary) -> None:
    """It does not matter whether the caller wrapped the secret."""
    wrapped = person(client_secret=Secret(canary.client_secret), password=Secret(canary.password))
    assert wrapped == person()
    assert RefreshGrant(original=person(), refresh_token=Secret("rt")) == RefreshGrant(
        original=person(), refresh_token="rt"
    )


@pytest.mark.parametrize("make", [service, person])
def test_parameters_are_the_grants_own(make: Any) -> None:
    """Changing the dictionary that was passed in changes no grant."""
    parameters = {"resource": "a"}
    grant = make(parameters=parameters)
    parameters["resource"] = "b"
    assert grant.parameters == {"resource": "a"}
    assert grant != make(parameters=parameters)


@pytest.mark.parametrize("kind", [ClientCredentialsGrant, PasswordGrant, RefreshGrant])
def test_positions_do_not_count(kind: Any) -> None:
    """Arguments are passed by name, so that no secret ends up as a name."""
    with pytest.raises(TypeError):
        kind("a", "b", "c", "d")


def test_secret_tells_what_reads_it() -> None:
    """Where a secret is kept can be asked without reading it; one in clear has no such place."""

    def read() -> str:
        raise AssertionError

    assert Secret(read).reader is read
    assert Secret("s").reader is None
