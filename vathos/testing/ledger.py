"""The ledger: every token and session that the server granted, and whether it still works."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace

from vathos.testing.dialects import Rules
from vathos.testing.tokens import AccessToken, RefreshState, RefreshToken, Session

__all__ = ["Ledger"]


class Ledger:
    """Every token and session; whoever holds the lock sees one consistent state."""

    def __init__(self, rules: Rules, now: Callable[[], float], lock: threading.RLock) -> None:
        self.lock = lock
        self.rules = rules
        self.now = now
        self.reuse_events = 0
        self._numbers: dict[str, int] = {}
        self._minted = {"access": 0, "refresh": 0}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self._sessions: dict[int, Session] = {}
        self._sessions_opened = 0

    def mint(self, kind: str, write: Callable[[str], str] = str) -> str:
        """Makes a numbered token that cannot be guessed, such as `access-token-1-…`.

        What `write` makes of it, a JWT for one, is the token then.
        """
        with self.lock:
            self._minted[kind] += 1
            token = write(f"{kind}-token-{self._minted[kind]}-{secrets.token_urlsafe(24)}")
            self._numbers[token] = self._minted[kind]
            return token

    def number(self, token: str) -> int | None:
        """Returns the number of a token; `None` if this server never issued it."""
        with self.lock:
            return self._numbers.get(token)

    def issue(
        self,
        access: str,
        refresh: str | None,
        *,
        presented: str | None,
        client_id: str,
        username: str | None,
        scopes: tuple[str, ...],
    ) -> None:
        """Records the tokens of one response, issued for the refresh token `presented`."""
        with self.lock:
            if presented is not None:
                session: int | None = self._continue(self._refresh[presented].session)
            else:
                session = None if refresh is None else self._open(client_id, username)
            now = self.now()
            self._access[access] = AccessToken(
                value=access,
                number=self._numbers[access],
                client_id=client_id,
                username=username,
                scopes=scopes,
                issued_at=now,
                expires_at=now + self.rules.access_token_lifetime,
                session=session,
            )
            if refresh is None or session is None or refresh == presented:
                return
            # RFC 6749 §6: the scope of a new refresh token is that of the one it replaces.
            if presented is not None:
                spent = replace(self._refresh[presented], spent=True)
                self._refresh[presented] = spent
                scopes = spent.scopes
            self._refresh[refresh] = RefreshToken(
                value=refresh,
                number=self._numbers[refresh],
                session=session,
                client_id=client_id,
                username=username,
                scopes=scopes,
            )

    def _continue(self, number: int) -> int:
        session = self._sessions[number]
        ends = self.now() + self.rules.refresh_token_lifetime
        self._sessions[number] = replace(session, refreshes=session.refreshes + 1, expires_at=ends)
        return number

    def _open(self, client_id: str, username: str | None) -> int:
        self._sessions_opened += 1
        number, now = self._sessions_opened, self.now()
        ends = now + self.rules.refresh_token_lifetime
        self._sessions[number] = Session(number, username, client_id, now, ends)
        return number

    def access_token(self, token: str | None) -> AccessToken | None:
        """Looks up an access token, live or not."""
        with self.lock:
            return self._access.get(token or "")

    def refresh_token(self, token: str | None) -> RefreshToken | None:
        """Looks up a refresh token, live or not."""
        with self.lock:
            return self._refresh.get(token or "")

    def session(self, number: int) -> Session | None:
        """Looks up a session that was not ended; it may have expired."""
        with self.lock:
            return self._sessions.get(number)

    def check_refresh(self, token: str, client_id: str) -> RefreshState:
        """Checks a presented refresh token; a reused one ends its session if the rules say so."""
        with self.lock:
            known = self._refresh.get(token)
            if known is None:
                return RefreshState.UNKNOWN
            if known.client_id != client_id:
                return RefreshState.FOREIGN
            session = self._sessions.get(known.session)
            if session is None:
                return RefreshState.ENDED
            if session.expires_at <= self.now():
                return RefreshState.EXPIRED
            if not known.spent:
                return RefreshState.GOOD
            self.reuse_events += 1
            if self.rules.detect_reuse:
                self.end_session(session.number)
            return RefreshState.REUSED

    def live_sessions(self) -> tuple[Session, ...]:
        """Lists the sessions that neither ended nor expired, oldest first."""
        with self.lock:
            now = self.now()
            return tuple(each for each in self._sessions.values() if each.expires_at > now)

    def access_tokens(self) -> tuple[AccessToken, ...]:
        """Lists every access token on record, live or not, oldest first."""
        with self.lock:
            return tuple(self._access.values())

    def end_session(self, number: int) -> None:
        """Ends a session: its refresh tokens and access tokens stop working."""
        with self.lock:
            self._sessions.pop(number, None)
            for token in self._access.values():
                if token.session == number:
                    self.revoke_access_token(token.value)

    def end_sessions(self, username: str | None = None) -> None:
        """Ends the sessions of a user, or all, as an administrator's logout does."""
        with self.lock:
            for session in tuple(self._sessions.values()):
                if username is None or session.username == username:
                    self.end_session(session.number)

    def revoke_access_token(self, token: str) -> None:
        """Revokes one access token; its session goes on."""
        with self.lock:
            self._access[token] = replace(self._access[token], revoked=True)

    def revoke_access_tokens(self) -> None:
        """Revokes every access token; the sessions go on."""
        with self.lock:
            for token in self._access:
                self.revoke_access_token(token)

    def wipe(self, *, keys: bool) -> None:
        """Forgets sessions and refresh tokens; without its keys no access token works either."""
        with self.lock:
            self._sessions.clear()
            self._refresh.clear()
            if keys:
                self.revoke_access_tokens()

    def forget_ended(self) -> None:
        """Forgets access tokens that no longer work, and refresh tokens without a session."""
        with self.lock:
            now = self.now()
            for access in tuple(self._access.values()):
                if access.state(now) != "live":
                    del self._access[access.value], self._numbers[access.value]
            for refresh in tuple(self._refresh.values()):
                if refresh.session not in self._sessions:
                    del self._refresh[refresh.value], self._numbers[refresh.value]
