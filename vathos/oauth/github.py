"""The ID token of a GitHub Actions job as client assertion: asked for anew for each token request.

Such a token lives for five minutes, so none is kept. The job may ask for it if its workflow says
`permissions: id-token: write`.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from vathos.grants import Secret, SecretFields
from vathos.oauth.assertions import assertion_fields
from vathos.oauth.client_authentication import Occasion, Proof
from vathos.oauth.urls import origin_of
from vathos.system.late_errors import configuration_error

if TYPE_CHECKING:
    from vathos.errors import TokenResponseError
    from vathos.system.clock import Instant

__all__ = ["GITHUB_ACTIONS", "GitHubActions"]

GITHUB_ACTIONS = "github-actions"
"""The word that is given instead of an assertion, to ask GitHub for one."""

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable
_PERMISSION = "permissions: id-token: write"


@dataclass(frozen=True, slots=True)
class GitHubActions:
    """Asks GitHub for an ID token whose audience is the authorization server."""

    public: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The setting it was made from."""
        return "client_assertion"

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Nothing: what rotates can neither name an entry nor seal it."""
        return ()

    @property
    def evidence(self) -> str:
        """Nothing: each assertion is another one, and would be refused as the last one was."""
        return ""

    @property
    def seals(self) -> bool:
        """There is no secret."""
        return False

    @property
    def advice(self) -> tuple[str, str]:
        """What is wrong when the server refuses the client, and what to check."""
        return (
            "the server has no client for this repository, branch or environment",
            "compare the client's subject there with what vathos assertion prints in this job",
        )

    def settled(self) -> GitHubActions:
        """Reads which job this is: steps of one job share a token, other jobs have their own."""
        return GitHubActions(("client_assertion", GITHUB_ACTIONS, _variables()[0]))

    def prove(self, occasion: Occasion) -> Proof:
        """Asks GitHub, within the time that the token request has."""
        assertion = id_token(occasion).reveal()
        return Proof(assertion_fields(occasion.client_id, assertion), SecretFields())

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:  # noqa: ARG002
        """Tells that there is no other way: GitHub gives a job no other subject."""
        return False


def id_token(occasion: Occasion) -> Secret:
    """Gets an ID token for the server of a token request."""
    from vathos.errors import TokenRequestError  # noqa: PLC0415 - loads the HTTP library
    from vathos.oauth.discovery import audience_of  # noqa: PLC0415 - loads the HTTP library
    from vathos.oauth.exchange import get  # noqa: PLC0415 - loads the HTTP library
    from vathos.oauth.transport import Transport  # noqa: PLC0415 - only for this

    audience = audience_of(occasion)
    url, token = _variables()
    address = f"{url}{'&' if '?' in url else '?'}audience={quote(audience, safe='')}"
    headers = SecretFields({"Authorization": f"Bearer {token.reveal()}"})
    reason, may_pass = "", True
    try:
        # Not by the CA bundle that was chosen for the authorization server: GitHub is elsewhere.
        timeout = max(occasion.deadline - time.monotonic(), 0.01)
        answer = get(address, transport=Transport(), timeout=timeout, headers=headers)
    except TokenRequestError as error:
        reason, may_pass = str(error), error.retryable
    else:
        value = Secret(str((answer.json_object() or {}).get("value") or ""))
        if answer.status == 200 and value.reveal():  # noqa: PLR2004 - OK
            return value
        may_pass = answer.status >= 500 or answer.status == 429  # noqa: PLR2004 - try again later
        reason = f"it answered HTTP {answer.status}; does the job have {_PERMISSION}?"
    raise TokenRequestError(
        f"GitHub Actions gave no ID token for this job: {reason}", endpoint=url, retryable=may_pass
    )


def _variables() -> tuple[str, Secret]:
    """Reads the address to ask at and the token for it, which GitHub gives to a job."""
    url, token = os.environ.get(_URL), Secret(os.environ.get(_TOKEN) or "")
    if not url or not token.reveal():
        configuration_error(
            f"assertion='{GITHUB_ACTIONS}' needs the variables {_URL} and {_TOKEN}: give the job "
            f"{_PERMISSION} in its workflow; outside of GitHub Actions there are none"
        )
    try:
        is_secure = origin_of(url).is_secure
    except ValueError:
        is_secure = False
    if not is_secure:
        configuration_error(f"{_URL} is no https URL")
    return url, token
