"""One key per token: whatever changes the token changes the key."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.canaries import Canary
from vathos.errors import ConfigurationError
from vathos.grants import ClientCredentialsGrant, Grant, PasswordGrant
from vathos.oauth import identity
from vathos.oauth.identity import Credentials, SharedKeys, identity_of
from vathos.system.bounded import Bounded

URL = "https://as.example/token"

SERVICE: dict[str, Any] = {
    "token_url": URL,
    "client_id": "device",
    "client_secret": "secret",
    "scope": "a b",
    "audience": "api",
    "parameters": {"resource": "r"},
}
PERSON: dict[str, Any] = {**SERVICE, "username": "ada", "password": "pw"}


def grant_of(fields: dict[str, Any]) -> tuple[str, Grant]:
    """Builds the grant that the fields make up."""
    fields = dict(fields)
    url = fields.pop("token_url")
    kind = PasswordGrant if "username" in fields else ClientCredentialsGrant
    return url, kind(**fields)


def key(fields: dict[str, Any]) -> str:
    """Returns the key of the token that the fields obtain."""
    return identity_of(*grant_of(fields)).key


def name(fields: dict[str, Any]) -> str:
    """Returns the public name of the token that the fields obtain."""
    return identity_of(*grant_of(fields)).name


CHANGES: list[dict[str, Any]] = [
    {"client_id": "device2"},
    {"audience": None},
    {"parameters": {"resource": "r", "x": ""}},
]
SECRET_CHANGES: list[dict[str, Any]] = [
    {"client_secret": ""},
    {"client_secret": "secretp", "password": "w"},
]


@pytest.mark.parametrize("change", [*CHANGES, *SECRET_CHANGES], ids=str)
def test_changed_field_is_another_key(change: dict[str, Any]) -> None:
    """Some changes of one token into another; the properties below make any of them."""
    assert key({**PERSON, **change}) != key(PERSON)
    same_in_public = change in SECRET_CHANGES
    assert (name({**PERSON, **change}) == name(PERSON)) is same_in_public


@pytest.mark.parametrize("other", ["pw\udcfe", "pw?"])
def test_undecodable_bytes_count(other: str) -> None:
    """Bytes that are no UTF-8, as an environment may hold them, are as good as any others."""
    assert key({**PERSON, "password": "pw\udcff"}) != key({**PERSON, "password": other})


def test_grant_type_is_part_of_the_key() -> None:
    """A client's own token is not a person's, even a nameless person's."""
    assert key(SERVICE) != key({**SERVICE, "username": "", "password": ""})
    assert name(SERVICE) != name({**SERVICE, "username": "", "password": ""})


@pytest.mark.parametrize("scope", ["a b", "b a", " a  b ", "a b a"])
def test_scope_is_a_set(scope: str) -> None:
    """Order and repetition of scope names do not matter to the server, nor here."""
    assert key({**PERSON, "scope": scope}) == key(PERSON)
    assert name({**PERSON, "scope": scope}) == name(PERSON)


def test_order_of_parameters_does_not_matter() -> None:
    """The same parameters in another order obtain the same token."""
    one = {**SERVICE, "parameters": {"a": "1", "b": "2"}}
    other = {**SERVICE, "parameters": {"b": "2", "a": "1"}}
    assert key(one) == key(other)


def test_equal_fields_are_the_same_identity() -> None:
    """Two sessions made from the same credentials share a token."""
    assert identity_of(*grant_of(PERSON)) == identity_of(*grant_of(dict(PERSON)))


TEXT = st.text(max_size=4) | st.sampled_from(["0", "1", "a", "a b", " ", "\x00", "\udcff"])
FIELDS = st.fixed_dictionaries(
    {
        "token_url": TEXT,
        "client_id": TEXT,
        "client_secret": TEXT,
        "scope": TEXT,
        "audience": st.none() | TEXT,
        "parameters": st.dictionaries(TEXT, TEXT, max_size=3),
    },
)
PEOPLE = st.builds(
    lambda fields, username, password: {**fields, "username": username, "password": password},
    FIELDS,
    TEXT,
    TEXT,
)


def meaning(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields as the server understands them."""
    return {**fields, "scope": set(fields["scope"].split())}


def in_public(fields: dict[str, Any]) -> dict[str, Any]:
    """Returns what of the meaning may be logged."""
    secret = {"client_secret", "password"}
    return {field: value for field, value in meaning(fields).items() if field not in secret}


@given(FIELDS | PEOPLE, FIELDS | PEOPLE)
@example({**SERVICE, "audience": None, "scope": "1"}, {**SERVICE, "audience": "1", "scope": ""})
@example(
    {**SERVICE, "client_id": "ab", "token_url": "c"},
    {**SERVICE, "client_id": "a", "token_url": "bc"},
)
@example(
    {**SERVICE, "parameters": {"a": "b", "c": "d"}}, {**SERVICE, "parameters": {"a": "bc", "": "d"}}
)
def test_only_equal_meanings_share_a_key(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two identities have one key exactly if the server would see no difference."""
    assert (key(one) == key(other)) == (meaning(one) == meaning(other))
    assert (name(one) == name(other)) == (in_public(one) == in_public(other))


@given(PEOPLE, st.sampled_from(sorted(PERSON)), TEXT)
def test_any_one_change_is_another_key(fields: dict[str, Any], field: str, text: str) -> None:
    """Changing one field, whichever and to whatever, changes the key."""
    changed = {**fields, field: {text: text} if field == "parameters" else text}
    assume(meaning(changed) != meaning(fields))
    assert key(changed) != key(fields)
    assert (name(changed) == name(fields)) is (field in {"client_secret", "password"})


@given(
    PEOPLE,
    st.permutations(
        ["token_url", "client_id", "client_secret", "audience", "username", "password"]
    ),
    st.integers(min_value=1, max_value=4),
)
def test_text_moved_between_fields_is_another_key(
    fields: dict[str, Any], order: list[str], moved: int
) -> None:
    """Whatever is taken from the end of one field and put before another one shows in the key."""
    giver, taker = order[:2]
    text = fields[giver] or ""
    assume(text)
    cut = max(len(text) - moved, 0)
    changed = {**fields, giver: text[:cut], taker: text[cut:] + (fields[taker] or "")}
    assume(meaning(changed) != meaning(fields))
    assert key(changed) != key(fields)


def test_text_form_shows_neither_key_nor_secret(canary: Canary) -> None:
    """An identity may be logged: its name says nothing, its key is not shown."""
    url, grant = grant_of(
        {**PERSON, "client_secret": canary.client_secret, "password": canary.password}
    )
    one = identity_of(url, grant)
    assert repr(one) == f"Identity(name='{one.name}')"
    assert len(one.name) == 12
    assert len(one.key) == 64


# --- keys for stores that others can read -------------------------------------------------------


def shared(fields: dict[str, Any]) -> SharedKeys:
    """Returns what stands for the identity outside of this process."""
    return identity_of(*grant_of(fields)).shared


def test_shared_keys_begin_with_the_public_name() -> None:
    """An entry in a store can be told from its name; what else is in the name cannot be guessed."""
    keys = shared(PERSON)
    public, _, hashed = keys.name.partition("-")
    assert public == name(PERSON)
    assert (len(hashed), len(keys.sealing)) == (32, 32)
    assert keys.sealing.hex()[:32] != hashed


@pytest.mark.parametrize("change", [CHANGES[0], *SECRET_CHANGES], ids=str)
def test_changed_field_has_other_shared_keys(change: dict[str, Any]) -> None:
    """Whoever has another client or secret finds another entry, and cannot open this one."""
    one, other = shared(PERSON), shared({**PERSON, **change})
    assert one.name != other.name
    assert one.sealing != other.sealing


def test_shared_keys_are_stretched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow as they are by intention, they are computed once for equal identities."""
    stretch = Mock(wraps=identity._stretch)
    monkeypatch.setattr(identity, "_stretch", stretch)
    fields = {**PERSON, "client_id": "once"}
    assert len({shared(fields).name for _ in range(5)}) == 1
    assert stretch.call_count == 1


def test_threads_wait_for_the_stretching(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many threads that need the same keys at once, one computes them."""
    stretch = Mock(wraps=identity._stretch)
    monkeypatch.setattr(identity, "_stretch", stretch)
    barrier = threading.Barrier(8)

    def ask() -> SharedKeys:
        barrier.wait()
        return shared({**PERSON, "client_id": "at once"})

    with ThreadPoolExecutor(8) as pool:
        keys = [pool.submit(ask) for _ in range(8)]
        assert len({each.result(5) for each in keys}) == 1
    assert stretch.call_count == 1


def test_oldest_shared_keys_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that checks many people's passwords does not grow for ever."""
    monkeypatch.setattr(identity, "_stretch", lambda one: SharedKeys(one.name, b""))
    monkeypatch.setattr(identity, "_stretched", Bounded(2))
    first, second, third = (
        identity_of(*grant_of({**PERSON, "client_id": f"device{number}"})) for number in range(3)
    )
    for one in (first, second, third):
        assert one.shared.name == one.name
    assert list(identity._stretched) == [second.key, third.key]


def test_sealing_key_does_not_follow_from_the_name() -> None:
    """Whoever can list a store's entries cannot compute what opens them."""
    keys = shared(PERSON)
    hashed = keys.name.partition("-")[2]
    known = (keys.name, name(PERSON), hashed)
    for text in [*(each.encode() for each in known), bytes.fromhex(hashed), b""]:
        guess = hashlib.blake2b(text, digest_size=32, person=b"vathos sealing").digest()
        assert guess != keys.sealing


def test_shared_keys_show_no_sealing_key() -> None:
    """The text form names the entry and nothing that opens it."""
    keys = shared(PERSON)
    assert repr(keys) == f"SharedKeys(name={keys.name!r})"


# --- credentials --------------------------------------------------------------------------------


class Vault:
    """A secret that may be changed where it is kept."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.reads = 0

    def __call__(self) -> str:
        """Reads the secret."""
        self.reads += 1
        return self.value


@pytest.fixture
def vault() -> Vault:
    """A client secret that may change."""
    return Vault("old")


@pytest.fixture
def credentials(vault: Vault) -> Credentials:
    """The credentials of a person whose client secret is in the vault."""
    return Credentials(*grant_of({**PERSON, "client_secret": vault}))


def test_secrets_are_not_read_before_they_are_needed(
    credentials: Credentials, vault: Vault
) -> None:
    """Making a session asks no vault, and its name is known all the same."""
    assert not credentials.is_read
    assert credentials.name == name(PERSON)
    assert vault.reads == 0


def test_secrets_are_read_once(credentials: Credentials, vault: Vault) -> None:
    """Grant and identity are those of the secrets as they were read first."""
    assert credentials.grant == grant_of({**PERSON, "client_secret": "old"})[1]
    assert credentials.identity.key == key({**PERSON, "client_secret": "old"})
    vault.value = "new"
    assert credentials.identity.key == key({**PERSON, "client_secret": "old"})
    assert credentials.is_read
    assert vault.reads == 1


def test_identity_may_be_asked_for_first(credentials: Credentials) -> None:
    """It does not matter which of the two is needed first."""
    assert credentials.identity.key == key({**PERSON, "client_secret": "old"})
    assert credentials.is_read


def test_changed_secret_is_another_identity(credentials: Credentials, vault: Vault) -> None:
    """Once they are read anew, a changed secret changes grant and key, but not the name."""
    old = credentials.identity
    vault.value = "new"
    grant, new = credentials.read()
    assert new.key == key({**PERSON, "client_secret": "new"})
    assert (credentials.grant, credentials.identity) == (grant, new)
    assert new.key != old.key
    assert new.name == old.name == credentials.name


def test_unchanged_secret_is_the_same_identity(credentials: Credentials) -> None:
    """Reading the same secret again changes nothing."""
    first = credentials.read()
    second = credentials.read()
    assert second[0] is first[0]
    assert second[1] is first[1]


def test_secret_that_cannot_be_read_changes_nothing(credentials: Credentials, vault: Vault) -> None:
    """While the vault fails, the last identity stays."""
    old = credentials.identity
    vault.value = ""
    with pytest.raises(ConfigurationError):
        credentials.read()
    assert credentials.identity is old


def test_pickled_credentials_are_unread(credentials: Credentials) -> None:
    """A key means nothing in another process, so what was read does not travel."""
    assert credentials.is_read is False
    credentials.read()
    again = pickle.loads(pickle.dumps(credentials))
    assert not again.is_read
    assert again.name == credentials.name
    assert again.identity == credentials.identity
    assert credentials.is_read


# --- processes ----------------------------------------------------------------------------------


def test_other_process_has_another_key_and_the_rest_in_common() -> None:
    """A key that leaks is worth nothing elsewhere; names and shared keys are the same there."""
    code = (
        "import json, sys; from vathos.oauth.identity import *; from vathos.grants import *;"
        "fields = json.loads(sys.argv[1]); url = fields.pop('token_url');"
        "identity = identity_of(url, PasswordGrant(**fields));"
        "print(identity.name, identity.key, identity.shared.name, identity.shared.sealing.hex())"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, json.dumps(PERSON)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert told[0] == name(PERSON)
    assert told[1] != key(PERSON)
    assert told[2:] == [shared(PERSON).name, shared(PERSON).sealing.hex()]
