"""A machine for each store: it must do what a dictionary does."""

from __future__ import annotations

import logging
import pickle
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import keyring.backend
import keyring.errors
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import Identity, identity_of
from vathos.stores.file import FileStore
from vathos.stores.keyring import KeyringStore
from vathos.stores.memory import MemoryStore
from vathos.tokens import Token

__all__ = ["MACHINES", "StoreMachine"]

IDENTITIES = [
    identity_of(
        "https://as.example/token", ClientCredentialsGrant(client_id=client, client_secret=secret)
    )
    for client, secret in (("robot", "one"), ("robot", "two"), ("other", "one"))
]
"""Two secrets of one client, and another client: computed once, as it takes a while."""

_WHOSE = st.integers(0, len(IDENTITIES) - 1)
_TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
_TIMES = st.none() | st.floats(4_000_000_000.0, 4_000_100_000.0)
TOKENS = st.builds(
    Token,
    access_token=_TEXT,
    expires_at=_TIMES,
    scope=st.none() | _TEXT,
    refresh_token=st.none() | _TEXT,
    refresh_expires_at=_TIMES,
    issued_at=st.floats(0.0, 4_000_000_000.0),
    renewal_seconds=st.floats(0.0, 100.0),
)


class Keys(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Returns what was set."""
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Sets it."""
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Deletes it; what is not there is an error, as with the real ones."""
        if self.kept.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("there is none")


class StoreMachine(RuleBasedStateMachine):
    """Two views of one store, against a dictionary; a subclass makes the store."""

    def __init__(self) -> None:
        super().__init__()
        logging.getLogger("vathos").addHandler(logging.NullHandler())
        self.folder = Path(tempfile.mkdtemp(prefix="vathos-stores-"))
        make = self.made(self.folder)
        self.stores = [make(), make()]
        self.model: dict[int, Token] = {}

    def made(self, folder: Path) -> Callable[[], Any]:
        """Returns what opens the store once more."""
        raise NotImplementedError

    @rule(view=st.integers(0, 1), whose=_WHOSE, token=TOKENS)
    def save(self, view: int, whose: int, token: Token) -> None:
        """Keeps a token."""
        self.stores[view].save(IDENTITIES[whose], token)
        self.model[whose] = token

    @rule(view=st.integers(0, 1), whose=_WHOSE)
    def delete(self, view: int, whose: int) -> None:
        """Forgets a token, there or not."""
        self.stores[view].delete(IDENTITIES[whose])
        self.model.pop(whose, None)

    @rule(view=st.integers(0, 1), whose=_WHOSE, new=TOKENS, old=st.none() | TOKENS)
    def swap(self, view: int, whose: int, new: Token, old: Token | None) -> None:
        """Replaces the token that is there, or one that is not."""
        there = self.model.get(whose)
        expected = old or there
        if expected is None:
            return
        done = self.stores[view].swap(IDENTITIES[whose], expected, new)
        assert done == expected.is_same(there)
        if done:
            self.model[whose] = new

    @rule(view=st.integers(0, 1), whose=_WHOSE)
    def swap_without_refresh_token(self, view: int, whose: int) -> None:
        """Takes the refresh token; a second one cannot."""
        token = self.model.get(whose)
        if token is None or token.refresh_token is None:
            return
        rest = token.without_refresh_token()
        identity = IDENTITIES[whose]
        assert [self.stores[view].swap(identity, token, rest) for _ in range(2)] == [True, False]
        self.model[whose] = rest

    @rule(view=st.integers(0, 1), whose=_WHOSE)
    def lock(self, view: int, whose: int) -> None:
        """Can be had, keeps nobody from reading and writing, and can be had again."""
        identity = IDENTITIES[whose]
        for _ in range(2):
            with self.stores[view].lock(identity, 30):
                self.save(1 - view, whose, Token("under-the-lock", issued_at=1.0))

    @rule(view=st.integers(0, 1))
    def pickle(self, view: int) -> None:
        """A copy from a pickle is another view of the same store."""
        if not isinstance(self.stores[view], MemoryStore | KeyringStore):
            self.stores[view] = pickle.loads(pickle.dumps(self.stores[view]))

    @invariant()
    def has_what_the_dictionary_has(self) -> None:
        """Every view, for every identity."""
        for store in self.stores:
            for whose, identity in enumerate(IDENTITIES):
                self.check(store, identity, self.model.get(whose))

    def check(self, store: Any, identity: Identity, expected: Token | None) -> None:
        """Compares one entry; the boot clock of another process means nothing."""
        found = store.load(identity)
        assert (found and replace(found, issued_boot=None)) == expected

    def teardown(self) -> None:
        """Removes what was made."""
        shutil.rmtree(self.folder)


class MemoryMachine(StoreMachine):
    """The store in memory: both views are the store itself."""

    def made(self, folder: Path) -> Callable[[], Any]:
        """Returns one store."""
        store = MemoryStore()
        return lambda: store


class FileMachine(StoreMachine):
    """Two processes on one folder."""

    def made(self, folder: Path) -> Callable[[], Any]:
        """Opens the folder."""
        return lambda: FileStore(folder / "store")


class KeyringMachine(StoreMachine):
    """Two processes on one keyring."""

    def made(self, folder: Path) -> Callable[[], Any]:
        """Opens the keyring."""
        backend = Keys()
        return lambda: KeyringStore(backend)


MACHINES = {"memory": MemoryMachine, "file": FileMachine, "keyring": KeyringMachine}
