"""Recorded requests: what the server received, without secrets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, quote_plus

from oauthlib.common import CaseInsensitiveDict

from vathos.testing.messages import Request, authorization_scheme
from vathos.testing.signatures import claims_of
from vathos.testing.tokens import AccessToken
from vathos.testing.validator import basic_credentials

__all__ = ["RecordedRequest", "Records"]

_SECRET_HEADERS = {"authorization", "proxy-authorization", "cookie"}
_SECRET_NAMES = re.compile(
    r"secret|password|token(?!_type)|assertion(?!_type)|^code", re.IGNORECASE
)
_TOKENS = re.compile(r"(access|refresh)-token-\d+-[\w-]+")

# A shorter secret may be part of any word; its own field is redacted by its name.
_SHORTEST = 6


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """One request as the server received it; secrets, passwords and tokens are `***`.

    Attributes:
        number: Counted from 1 over all endpoints.
        time: When it arrived, by the server's clock (Unix seconds).
        endpoint: `"token"`, `"api"`, `"revocation"`, `"introspection"`, `"discovery"`,
            `"workloads"`, `"github"` or `"unknown"`.
        method: The method, in upper case.
        path: The path.
        query: The query parameters.
        headers: The header fields; names are found in any case.
        form: The form parameters; empty for the protected API.
        status: The status code of the response; `None` until it is sent, and if none is sent.
        grant_type: The `grant_type` parameter, or `None`.
        client_id: The client that asked, from the form or from Basic; at the protected API the
            client of the presented token.
        username: The `username` parameter; at the protected API the user of the presented token.
        has_authorization: Whether there was an Authorization header.
        authorization_scheme: Its first word, such as `"Bearer"`, or `None`.
        token_number: At the protected API: number of the presented token; `None` if there was
            none, or none of this server.
        assertion: What the client assertion says (RFC 7523 §3), checked or not; empty without one.
        body_length: Length of the body in bytes.
        body_sha256: At the protected API: hexadecimal SHA-256 of the body; empty elsewhere.
    """

    number: int
    time: float
    endpoint: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    status: int | None
    grant_type: str | None
    client_id: str | None
    username: str | None
    has_authorization: bool
    authorization_scheme: str | None
    token_number: int | None
    assertion: Mapping[str, Any]
    body_length: int
    body_sha256: str


class Records:
    """All recorded requests; the list grows until `forget`.

    `secrets` lists what is hidden wherever it appears.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets
        self._lock = threading.Lock()  # guards _records and _count
        self._records: dict[int, RecordedRequest] = {}
        self._count = 0

    def add(self, request: Request, endpoint: str, time: float, token: AccessToken | None) -> int:
        """Records a request at its arrival (Unix seconds), and returns the number of the record."""
        hide = self._hider()
        form = {} if endpoint == "api" else dict(request.form)
        basic = basic_credentials(request.headers) or (None, None)
        client_id = form.get("client_id", basic[0]) or (token.client_id if token else None)
        username = form.get("username") or (token.username if token else None)
        grant_type = form.get("grant_type")
        scheme = authorization_scheme(request.headers)
        with self._lock:
            self._count += 1
            self._records[self._count] = RecordedRequest(
                number=self._count,
                time=time,
                endpoint=endpoint,
                method=request.method,
                path=hide(request.path),
                query=_hidden(request.parameters, hide),
                headers=_hidden_headers(request.headers, hide),
                form=_hidden(form, hide),
                status=None,
                grant_type=None if grant_type is None else hide(grant_type),
                client_id=None if client_id is None else hide(client_id),
                username=None if username is None else hide(username),
                has_authorization="Authorization" in request.headers,
                authorization_scheme=None if scheme is None else hide(scheme),
                token_number=token.number if token else None,
                assertion=_said(form.get("client_assertion", "")),
                body_length=request.body_length,
                # The hash of a form would let somebody try short passwords on it.
                body_sha256=request.body_sha256 if endpoint == "api" else "",
            )
            return self._count

    def answered(self, number: int, status: int) -> None:
        """Adds the status code of the response; a forgotten record stays forgotten."""
        with self._lock:
            record = self._records.get(number)
            if record is not None:
                self._records[number] = replace(record, status=status)

    def get(self, number: int) -> RecordedRequest | None:
        """Looks up a record; `None` if it was forgotten."""
        with self._lock:
            return self._records.get(number)

    def select(self, endpoint: str | None = None) -> tuple[RecordedRequest, ...]:
        """Returns the records of one endpoint, or all, in the order of arrival."""
        with self._lock:
            records = tuple(self._records.values())
        return tuple(each for each in records if endpoint in (None, each.endpoint))

    def forget(self) -> None:
        """Forgets all records; the numbers go on."""
        with self._lock:
            self._records.clear()

    def _hider(self) -> Callable[[str], str]:
        secrets = [each for each in self._secrets() if len(each) >= _SHORTEST]
        encoded = [
            f(each) for each in secrets for f in (quote, quote_plus, partial(quote, safe=""))
        ]
        forms = [re.escape(each) for each in (*secrets, *encoded)]
        pattern = re.compile("|".join([_TOKENS.pattern, *forms]))
        return lambda text: pattern.sub("***", text)


def _said(assertion: str) -> Mapping[str, Any]:
    """Reads the claims of an assertion; without its signature it proves nothing."""
    try:
        return MappingProxyType(dict(claims_of(assertion)))
    except ValueError:
        return MappingProxyType({})


def _hidden(pairs: Mapping[str, str], hide: Callable[[str], str]) -> Mapping[str, str]:
    return MappingProxyType(
        {
            hide(name): "***" if _SECRET_NAMES.search(name) else hide(value)
            for name, value in pairs.items()
        }
    )


def _hidden_headers(headers: Mapping[str, str], hide: Callable[[str], str]) -> Mapping[str, str]:
    hidden = {
        name: "***" if name.lower() in _SECRET_HEADERS else hide(value)
        for name, value in headers.items()
    }
    return MappingProxyType(CaseInsensitiveDict(hidden))
