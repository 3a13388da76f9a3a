"""What the machine attacks: a server, two processes' sessions on one store, a clock, a log."""

from __future__ import annotations

import logging
import pickle
import random
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from tests.conftest import FakeClock, QuickWaits
from tests.helpers import join_background
from vathos import VathosSession
from vathos.assembly import forget_sources
from vathos.errors import StoreError
from vathos.oauth import identity as identities
from vathos.policy import RenewalPolicy
from vathos.renewal.process import process
from vathos.stores.file import FileStore
from vathos.testing import AuthorizationServer
from vathos.token_source import CachedSource
from vathos.tokens import Token

__all__ = ["LIFETIME", "World"]

LIFETIME = 60.0
_BOOT = 5_000.0
_MOST_TEXT = 2_000_000


@dataclass
class _Present:
    """What sessions reach by name, so that they can be pickled."""

    clock: FakeClock = field(default_factory=FakeClock)
    client_secret: str = ""
    is_failing: bool = False


_present = _Present()


def _now() -> object:
    return _present.clock()


def _client_secret() -> str:
    return _present.client_secret


class ShakyStore(FileStore):
    """A file store that fails while it is told to."""

    def load(self, identity: identities.Identity) -> Token | None:
        """Loads a token, or fails."""
        _fail("read")
        return super().load(identity)

    def save(self, identity: identities.Identity, token: Token) -> None:
        """Saves a token, or fails."""
        _fail("written")
        super().save(identity, token)

    def swap(self, identity: identities.Identity, old: Token, new: Token) -> bool:
        """Replaces a token, or fails."""
        _fail("written")
        return super().swap(identity, old, new)

    def lock(self, identity: identities.Identity, timeout: float) -> AbstractContextManager[None]:
        """Gives the lock, or fails."""
        _fail("locked")
        return super().lock(identity, timeout)


def _fail(what: str) -> None:
    if _present.is_failing:
        raise StoreError(f"it cannot be {what}")


class _Log(logging.Handler):
    """Keeps what was logged, at every level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.alarms: list[str] = []  # code that fell over, in a thread where nobody sees it
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a record with its traceback and its extra fields."""
        self.lines.append(f"{self.format(record)} {vars(record)}")
        if record.exc_info and record.levelno >= logging.ERROR:
            self.alarms.append(self.lines[-1])


class World:
    """One server, one store in a folder, and two sessions of a person, as two processes have them.

    Their stores are two objects on one folder, so that neither shares a renewal with the other. All
    waits of renewals pass on the clock at once. The server has the boot clock.
    """

    def __init__(self, seed: int) -> None:
        random.seed(seed)
        self._patch = pytest.MonkeyPatch()
        clock = _present.clock = FakeClock()
        _present.is_failing = False
        waits = QuickWaits(clock)
        for module in ("token_source", "renewal.lockout", "renewal.obtain", "renewal.renewer"):
            self._patch.setattr(f"vathos.{module}.time", waits)
        self._patch.setattr(identities, "_stretch", _stretched_quickly)
        self._folder = Path(tempfile.mkdtemp(prefix="vathos-stateful-"))
        self.server = AuthorizationServer(
            access_token_lifetime=LIFETIME,
            refresh_token_lifetime=10 * LIFETIME,
            clock=lambda: 1_800_000_000.0 + clock.instant.boot - _BOOT,
        )
        _present.client_secret = self.server.client_secret
        self.secrets = {self.server.client_secret, self.server.password}
        self.log = _Log()
        logger = logging.getLogger("vathos")
        self._level = logger.level
        logger.addHandler(self.log)
        logger.setLevel(logging.DEBUG)
        self.sessions = [self._session() for _ in range(2)]

    @property
    def clock(self) -> FakeClock:
        """The clock of the sessions."""
        return _present.clock

    def _session(self) -> VathosSession:
        return VathosSession(
            self.server.client_id,
            _client_secret,
            self.server.username,
            self.server.password,
            token_url=self.server.token_url,
            base_url=self.server.api_url,
            store=ShakyStore(self._folder / "store"),
            policy=RenewalPolicy(position=0.0),
            clock=_now,  # type: ignore[arg-type]
            timeout=30,
        )

    def source(self, index: int) -> CachedSource:
        """Returns the source of a session."""
        source = self.sessions[index]._source
        assert isinstance(source, CachedSource)
        return source

    # --- attacks ----------------------------------------------------------------------------------

    def deploy(self) -> None:
        """Gives the sessions the client secret that the server wants now."""
        _present.client_secret = self.server.client_secret

    def rotate_secret(self, secret: str) -> None:
        """Has the server want another client secret."""
        self.secrets.add(secret)
        self.server.set_client_secret(self.server.client_id, secret)

    def set_failing(self, is_failing: bool) -> None:
        """Makes the store fail, or work."""
        _present.is_failing = is_failing

    def entries(self) -> list[Path]:
        """Returns the files of the store that hold tokens."""
        return sorted((self._folder / "store").glob("*.json"))

    def pickle(self, index: int) -> None:
        """Sends a session through a pickle."""
        self.sessions[index] = pickle.loads(pickle.dumps(self.sessions[index]))

    def die_renewing(self, index: int, *, sent: bool) -> bool:
        """Lets a process die that has taken the refresh token, before or after it was sent."""
        source = self.source(index)
        identity, store = source.state().identity, source.store
        token = None if _present.is_failing else store.load(identity)
        if token is None or token.refresh_token is None:
            return False
        assert store.swap(identity, token, token.without_refresh_token())  # type: ignore[attr-defined]
        if sent:
            requests.post(
                self.server.token_url,
                data={
                    "grant_type": "refresh_token",
                    "refresh_token": token.refresh_token,
                    "client_id": self.server.client_id,
                    "client_secret": self.server.client_secret,
                },
                timeout=30,
            )
        return True

    # --- what can be seen -------------------------------------------------------------------------

    def secrets_in(self, text: str) -> list[str]:
        """Returns the kinds of secrets that stand in a text."""
        ledger = self.server._ledger
        tokens = {*self.server.issued, *ledger._refresh}
        return [secret[:14] for secret in self.secrets | tokens if secret in text]

    def logged(self) -> str:
        """Returns what was logged since the last look."""
        text = "\n".join(self.log.lines)
        self.log.lines.clear()
        return text[:_MOST_TEXT]

    def has_worries(self) -> bool:
        """Tells whether something is remembered, or still to come, for which a call may fail."""
        at, source = self.clock(), self.source(0)
        identity = source._credentials.read()[1]
        return bool(
            self.server.waiting_faults()
            or process.rejections.left(source.name, at)
            or process.lockout._backoff.left(identity.presented, at)
        )

    def settle(self) -> None:
        """Waits for what goes on in the background."""
        join_background()

    def close(self) -> None:
        """Ends everything, and puts back what was patched."""
        self.settle()
        for session in self.sessions:
            session.close()
        self.server.close()
        logger = logging.getLogger("vathos")
        logger.removeHandler(self.log)
        logger.setLevel(self._level)
        self._patch.undo()
        process.reset()
        forget_sources()
        identities._stretched.clear()
        shutil.rmtree(self._folder)


def _stretched_quickly(identity: identities.Identity) -> identities.SharedKeys:
    """Names an entry without the slow hash, which costs 0.1 s for each new secret."""
    name = identity.fingerprint(b"vathos-stateful")
    return identities.SharedKeys(f"{identity.name}-{name}", b"\0" * 32)
