"""The state of renewal: the token of one identity, at hand in this process and kept in a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import NamedTuple

from vathos.oauth.identity import Identity
from vathos.policy import Freshness, RenewalPolicy
from vathos.stores.resilient import ResilientStore
from vathos.tokens import Instant, Token

__all__ = ["Former", "TokenCache", "is_same_access_token"]


class Former(NamedTuple):
    """A token that earlier secrets of the same account obtained.

    Attributes:
        token: The token.
        is_own: Whether this process had those secrets, so that nobody else needs it.
        drop: Deletes it from the store.
    """

    token: Token
    is_own: bool
    drop: Callable[[], None]


class TokenCache:
    """Keeps a token at hand and in a store, and gives a refresh token to one caller only.

    The identity is an argument of each method, as it changes with the secrets: a renewal that
    began with one secret must not store its token under another.
    """

    def __init__(
        self, store: ResilientStore, policy: RenewalPolicy, clock: Callable[[], Instant]
    ) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock
        self.at_hand: Token | None = None  # replaced as a whole; reading it needs no lock

    def stored(self, identity: Identity) -> Token | None:
        """Returns what the store has, expired or not."""
        token = self._store.load(identity)
        if token is None:
            return None
        known = self.at_hand
        is_tied = known is not None and known.issued_boot is not None
        if known is not None and is_tied and is_same_access_token(token, known):
            # It was tied to the boot clock when first seen; tied anew at each look, it would
            # never grow old by that clock.
            return known if token.is_same(known) else known.with_refresh_token_of(token)
        return token.anchored(self._clock())

    def look(
        self, identity: Identity, rejected: Token | None = None, *, fresh: bool = False
    ) -> Token | None:
        """Returns the stored token if it serves the caller."""
        token = self.stored(identity)
        return token if token is not None and self.serves(token, rejected, fresh=fresh) else None

    def serves(self, token: Token, rejected: Token | None, *, fresh: bool) -> bool:
        """Tells whether a token works, is not the rejected one, and is fresh if that is wanted."""
        if is_same_access_token(token, rejected):
            return False
        state = self._policy.state(token, self._clock(), token.renewal_seconds)
        return state is Freshness.FRESH or (state is Freshness.STALE and not fresh)

    def locked(self, identity: Identity, timeout: float) -> AbstractContextManager[None]:
        """Holds the lock of the store, which is shared by all who share the store."""
        return self._store.locked(identity, timeout)

    def keep(self, identity: Identity, token: Token) -> None:
        """Takes a token in hand and stores it."""
        self.at_hand = token
        self._store.save(identity, token)

    def forget(self, identity: Identity) -> None:
        """Drops the token here and in the store."""
        self.at_hand = None
        self._store.delete(identity)

    def former(self, identity: Identity, own: Iterable[Identity]) -> list[Former]:
        """Returns what secrets of this process obtained earlier, and what the store lists."""
        found = [
            Former(token, is_own=True, drop=partial(self._store.delete, each))
            for each in own
            if (token := self._store.load(each)) is not None
        ]
        known = {each.token.access_token for each in found}
        for name, token in self._store.former(identity).items():
            if token.access_token not in known:
                found.append(Former(token, is_own=False, drop=partial(self._store.drop, name)))
        return found

    def replace(
        self, identity: Identity, older: Token | None, token: Token, rejected: Token | None
    ) -> None:
        """Stores a new token, unless the one that it replaces has gone, as the lock may be lost."""
        if older is not None and self._store.swap(identity, older, token):
            return
        there = self.stored(identity)
        # Where there was an entry, another one is newer, and none means that it was logged out.
        # The same one is still there if the store failed a moment ago.
        if older is not None and not older.is_same(there):
            return
        if there is None:
            self._store.save(identity, token)
        elif not self.serves(there, rejected, fresh=True):
            self._store.swap(identity, there, token)

    def take_refresh_token(self, identity: Identity, token: Token) -> bool:
        """Takes a refresh token out of the store; whoever gets `True` may present it."""
        rest = token.without_refresh_token()
        if self.at_hand is not None and is_same_access_token(token, self.at_hand):
            self.at_hand = self.at_hand.without_refresh_token()
        return self._store.swap(identity, token, rest)

    def give_back_refresh_token(self, identity: Identity, token: Token) -> None:
        """Puts a refresh token back that was certainly not used."""
        rest = token.without_refresh_token()
        if self.at_hand is not None and is_same_access_token(token, self.at_hand):
            self.at_hand = token
        self._store.swap(identity, rest, token)


def is_same_access_token(token: Token, other: Token | None) -> bool:
    """Tells whether two tokens are one to the API, whatever their refresh tokens are."""
    return other is not None and token.access_token == other.access_token
