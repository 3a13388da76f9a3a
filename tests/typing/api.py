"""Uses every public name with its types; `mypy --strict` fails here when one changes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import requests

from vathos import (
    BearerAuth,
    ClientCredentialsGrant,
    MemoryStore,
    PasswordGrant,
    RenewalPolicy,
    Token,
    TokenRequestError,
    TokenResponseError,
    TokenSource,
    TokenStore,
    VathosError,
    VathosSession,
    get_client_token,
    get_service_account_token,
    source,
)
from vathos.errors import ConfigurationError, InvalidClientError, InvalidGrantError, StoreError
from vathos.events import CredentialsRefused, Event, RenewalFailed, Renewed, Replayed, ServedStale
from vathos.oauth.endpoint import TokenEndpoint
from vathos.oauth.identity import Identity
from vathos.testing import AuthorizationServer, Fault
from vathos.token_source import CachedSource


def sessions() -> None:
    """Builds sessions in every way, and uses them as requests sessions."""
    service = VathosSession("client-id", "client-secret", timeout=(3.05, 27), scope=["read"])
    person = VathosSession(
        "client-id", "client-secret", "ada", lambda: "password", origins=["https://api.vathos.net"]
    )
    from_environment = VathosSession(keep_warm=True, on_event=on_event, store=MemoryStore())
    with service as session:
        response: requests.Response = session.get("products", params={"page": 2}, timeout=5)
        response = session.request("GET", "/products", {"page": 2})
        response = session.post("products", json={"name": "crate"}, headers={"X-Robot": "7"})
        prepared: requests.PreparedRequest = session.prepare_request(
            requests.Request("GET", "products")
        )
        response = session.send(prepared, stream=True)
    response.raise_for_status()
    plain: requests.Session = person
    plain.close()
    renewals: int = from_environment.stats().renewals
    base: str = from_environment.base_url
    access_token: str | None = from_environment.access_token
    authorized: bool = from_environment.authorized
    print(renewals, base, access_token, authorized)


async def sources() -> str:
    """Builds a source, and uses it in every way."""
    robot = source("client-id", lambda: "client-secret", on_event=on_event, profile="robot")
    session = VathosSession(source=robot, base_url=robot.base_url)
    renewals: int = robot.stats().renewals
    token: Token = robot.token()
    other: Token = await robot.atoken(rejected=token)
    session.close()
    return f"{renewals} {other.scope}"


def on_event(event: Event) -> None:
    """Takes every kind of event."""
    match event:
        case Renewed(grant=grant, seconds=seconds):
            print(grant, seconds)
        case RenewalFailed(error=error, retry_in=retry_in):
            print(error, retry_in)
        case ServedStale(seconds_left=left):
            print(left)
        case Replayed(status=status):
            print(status)
        case CredentialsRefused(error=error):
            print(error)


def functions() -> tuple[str, str]:
    """Calls the two functions of the user's code."""
    try:
        return (
            get_client_token("client-id", "client-secret", "ada", "password", timeout=5),
            get_service_account_token("client-id", "client-secret", scope="read write"),
        )
    except InvalidGrantError as error:
        status: int = error.status
        code: str | None = error.error
        print(status, code, error.error_description, error.error_uri)
    except (InvalidClientError, TokenResponseError) as error:
        print(error.refused)
    except TokenRequestError as error:
        print(error.endpoint, error.sent, error.retryable)
    except (ConfigurationError, StoreError, VathosError) as error:
        base: requests.RequestException = error
        print(base)
    return "", ""


class NoStore:
    """A store of the user's own."""

    def load(self, identity: Identity) -> Token | None:
        """Finds nothing."""
        return None

    def save(self, identity: Identity, token: Token) -> None:
        """Keeps nothing."""

    def delete(self, identity: Identity) -> None:
        """Forgets nothing."""

    def lock(self, identity: Identity, timeout: float) -> AbstractContextManager[object]:
        """Serialises nobody."""
        return nullcontext()


def parts() -> None:
    """Puts the parts together by hand."""
    store: TokenStore = NoStore()
    grant = ClientCredentialsGrant(client_id="client-id", client_secret="client-secret")
    other = PasswordGrant(client_id="a", client_secret="b", username="c", password="d")
    source: TokenSource = CachedSource(
        grant,
        TokenEndpoint("https://auth.example/token"),
        store,
        policy=RenewalPolicy(stale_share=0.5),
    )
    token: Token = source.token()
    expires_at: float | None = token.expires_at
    requests.get("https://api.example/v1", auth=BearerAuth(source), timeout=5)
    print(expires_at, other.grant_type, source.token(rejected=token).scope)


def embedded() -> None:
    """Uses the embedded server."""
    with AuthorizationServer(access_token_lifetime=2.0) as server:
        session = VathosSession(**server.service_account)
        person = VathosSession(**server.person, store=MemoryStore())
        server.fail("token", Fault.status(503, retry_after=1), times=2)
        session.get("products")
        person.get("products")
        server.advance(3)
        count: int = server.count("refresh_token")
        print(count)
