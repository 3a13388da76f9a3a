"""The ledger: every token and session the server has granted, and what became of them."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import replace

from vathos.testing.rules import Rules
from vathos.testing.tokens import AccessToken, Issue, RefreshToken, RefreshVerdict, Session

__all__ = ["Ledger"]


class Ledger:
    """Every token and session; nothing is ever struck out, only marked.

    Args:
        rules: Lifetimes and rotation.
        now: Tells the server's time (Unix seconds).
        lock: Guards everything here; whoever holds it sees one consistent state.
    """

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

    def mint(self, kind: str) -> str:
        """Makes a token: numbered, and not to be guessed.

        Args:
            kind: `"access"` or `"refresh"`.

        Returns:
            A token such as `access-token-1-…`.
        """
        with self.lock:
            self._minted[kind] += 1
            token = f"{kind}-token-{self._minted[kind]}-{secrets.token_urlsafe(24)}"
            self._numbers[token] = self._minted[kind]
            return token

    def number(self, token: str) -> int | None:
        """Tells the number of a token.

        Args:
            token: An access or refresh token.

        Returns:
            Its number, or `None` if this server never issued it.
        """
        with self.lock:
            return self._numbers.get(token)

    def issue(self, issue: Issue) -> None:
        """Puts the tokens of one answer on record; opens or continues their session.

        Args:
            issue: The tokens and for whom they are.
        """
        with self.lock:
            session = self._session_for(issue)
            now = self.now()
            self._access[issue.access] = AccessToken(
                value=issue.access,
                number=self._numbers[issue.access],
                client_id=issue.client_id,
                username=issue.username,
                scopes=issue.scopes,
                issued_at=now,
                expires_at=now + self.rules.access_token_lifetime,
                session=session,
            )
            if issue.refresh is None or session is None or issue.refresh == issue.presented:
                return
            # RFC 6749 §6: the scope of a new refresh token is that of the one it replaces.
            scopes = issue.scopes
            if issue.presented is not None:
                spent = replace(self._refresh[issue.presented], spent=True)
                self._refresh[issue.presented] = spent
                scopes = spent.scopes
            self._refresh[issue.refresh] = RefreshToken(
                value=issue.refresh,
                number=self._numbers[issue.refresh],
                session=session,
                client_id=issue.client_id,
                username=issue.username,
                scopes=scopes,
            )

    def _session_for(self, issue: Issue) -> int | None:
        ends = self.now() + self.rules.refresh_token_lifetime
        if issue.presented is not None:
            number = self._refresh[issue.presented].session
            session = self._sessions[number]
            self._sessions[number] = replace(
                session, refreshes=session.refreshes + 1, expires_at=ends
            )
            return number
        if issue.refresh is None:
            return None
        self._sessions_opened += 1
        number = self._sessions_opened
        self._sessions[number] = Session(number, issue.username, issue.client_id, self.now(), ends)
        return number

    def access_token(self, token: str | None) -> AccessToken | None:
        """Looks an access token up, dead or alive.

        Args:
            token: The token.

        Returns:
            Its record, or `None`.
        """
        with self.lock:
            return self._access.get(token or "")

    def refresh_token(self, token: str | None) -> RefreshToken | None:
        """Looks a refresh token up, dead or alive.

        Args:
            token: The token.

        Returns:
            Its record, or `None`.
        """
        with self.lock:
            return self._refresh.get(token or "")

    def session(self, number: int) -> Session | None:
        """Looks a session up that was not ended; it may have expired.

        Args:
            number: Its number.

        Returns:
            The session, or `None`.
        """
        with self.lock:
            return self._sessions.get(number)

    def check_refresh(self, token: str, client_id: str) -> RefreshVerdict:
        """Judges a presented refresh token; a reused one may cost its session.

        Args:
            token: The presented token.
            client_id: The authenticated client.

        Returns:
            The verdict.
        """
        with self.lock:
            known = self._refresh.get(token)
            if known is None:
                return RefreshVerdict.UNKNOWN
            if known.client_id != client_id:
                return RefreshVerdict.FOREIGN
            session = self._sessions.get(known.session)
            if session is None:
                return RefreshVerdict.ENDED
            if session.expires_at <= self.now():
                return RefreshVerdict.EXPIRED
            if not known.spent:
                return RefreshVerdict.GOOD
            self.reuse_events += 1
            if self.rules.detect_reuse:
                self.end_session(session.number)
            return RefreshVerdict.REUSED

    def live_sessions(self) -> tuple[Session, ...]:
        """Lists the sessions that were neither ended nor expired.

        Returns:
            The sessions, oldest first.
        """
        with self.lock:
            now = self.now()
            return tuple(each for each in self._sessions.values() if each.expires_at > now)

    def issued(self) -> tuple[str, ...]:
        """Lists every access token ever issued, dead ones too.

        Returns:
            The tokens, oldest first.
        """
        with self.lock:
            return tuple(self._access)

    def end_session(self, number: int) -> None:
        """Ends a session: its refresh tokens and its access tokens die.

        Args:
            number: Number of the session; one that is over already is ignored.
        """
        with self.lock:
            self._sessions.pop(number, None)
            for token in self._access.values():
                if token.session == number:
                    self.revoke_access_token(token.value)

    def end_sessions(self, username: str | None = None) -> None:
        """Ends sessions, as an administrator's logout does.

        Args:
            username: Whose sessions; all sessions if `None`.
        """
        with self.lock:
            for session in tuple(self._sessions.values()):
                if username is None or session.username == username:
                    self.end_session(session.number)

    def revoke_access_token(self, token: str) -> None:
        """Revokes one access token; its session lives on.

        Args:
            token: The token, as issued.
        """
        with self.lock:
            self._access[token] = replace(self._access[token], revoked=True)

    def revoke_access_tokens(self) -> None:
        """Revokes every access token; the sessions live on."""
        with self.lock:
            for token in self._access:
                self.revoke_access_token(token)

    def wipe(self, *, keys: bool) -> None:
        """Forgets every session and refresh token, as a restart with an empty database does.

        Args:
            keys: Whether the signing keys are lost too, so that access tokens die.
        """
        with self.lock:
            self._sessions.clear()
            self._refresh.clear()
            if keys:
                self.revoke_access_tokens()
