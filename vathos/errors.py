"""Every error this package raises, in one tree.

```
VathosError                    also a requests.RequestException
├── ConfigurationError         something is missing, malformed or contradictory; also ValueError
├── InsecureTransportError     refused for safety: a token would be sent over plain http
│   └── InsecureURLError       a URL in the settings is plain http; also ConfigurationError
├── TokenRequestError          the token endpoint gave no answer; also requests.ConnectionError
│   └── RenewalTimeout         no token in the time allowed; also requests.Timeout, TimeoutError
├── TokenResponseError         the token endpoint answered, but not with a token (RFC 6749 §5.2)
│   ├── InvalidClientError     client id or client secret is wrong: stop
│   └── InvalidGrantError      user name, password or refresh token is wrong or ended: log in again
└── StoreError                 a token store could not be read or written
    └── InsecureFileError      a file was refused that others can reach; also ConfigurationError
```

Catch `VathosError` for all of them, or `requests.RequestException` for these and all that an API
call can raise. No error holds a secret, a token, or a request with one of them.
"""

from __future__ import annotations

import requests

__all__ = [
    "ConfigurationError",
    "InsecureFileError",
    "InsecureTransportError",
    "InsecureURLError",
    "InvalidClientError",
    "InvalidGrantError",
    "RenewalTimeout",
    "StoreError",
    "TokenRequestError",
    "TokenResponseError",
    "VathosError",
]


class VathosError(requests.RequestException):
    """Base of every error of this package.

    It is a `requests.RequestException`, so that code which handles failed requests handles it too.
    Its `request` and `response` are always `None`: those of a token request hold secrets.
    """


class ConfigurationError(VathosError, ValueError):
    """A setting is missing, malformed or contradictory; the message names it and what to do."""


class InsecureTransportError(VathosError):
    """A token or a secret would be sent over plain `http` to a host that is not loopback.

    RFC 6749 §1.6 and RFC 6750 §5.3 ask for TLS.
    """


class InsecureURLError(InsecureTransportError, ConfigurationError):
    """A URL in the settings is plain `http` to a host that is not loopback; names the setting."""


class TokenRequestError(VathosError, requests.ConnectionError):
    """The token endpoint gave no usable answer: not reached, cut off, or too late.

    Args:
        message: What happened, and what to do.
        endpoint: URL of the token endpoint.
        sent: `False` if the server certainly saw nothing (name not resolved, connection refused,
            TLS not agreed), `True` if it may have acted.
        retryable: `False` if only a person can help: the certificate is not trusted, or the proxy
            wants a login.

    All but the message are attributes too.
    """

    def __init__(
        self, message: str, *, endpoint: str = "", sent: bool = False, retryable: bool = True
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.sent = sent
        self.retryable = retryable


class RenewalTimeout(TokenRequestError, requests.Timeout, TimeoutError):  # noqa: N818 - as TimeoutError, Timeout
    """No token in the time allowed: the server was too slow, or another caller's renewal was."""


class TokenResponseError(VathosError):
    """The token endpoint answered, but not with a usable token (RFC 6749 §5.2).

    Args:
        message: What happened, and what to do.
        endpoint: URL of the token endpoint.
        status: HTTP status of the answer.
        error: Error code of RFC 6749 §5.2, such as `invalid_grant`, or `None`.
        error_description: The server's own words, cut to 200 characters, or `None`.
        error_uri: A page about the error, or `None`.
        retry_after: The `Retry-After` header as received, or `None`.
        date: The `Date` header as received, or `None`.

    All but the message are attributes too.
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        status: int = 0,
        error: str | None = None,
        error_description: str | None = None,
        error_uri: str | None = None,
        retry_after: str | None = None,
        date: str | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.status = status
        self.error = error
        self.error_description = error_description
        self.error_uri = error_uri
        self.retry_after = retry_after
        self.date = date

    @property
    def refused(self) -> bool:
        """Whether the server refused the credentials, so that asking again cannot help.

        The status decides, not the error code: for a disabled service account, Keycloak answers 401
        `invalid_request`. After 408 and 429 another attempt may work; after 404 see `not_found`.
        """
        return self.status // 100 == 4 and self.status not in {408, 429}  # noqa: PLR2004

    @property
    def not_found(self) -> bool:
        """Whether there is no token endpoint: the URL is wrong, and no credentials were judged."""
        return self.status == 404  # noqa: PLR2004 - "Not Found"

    @property
    def redirected(self) -> bool:
        """Whether the answer was a redirect. It is not followed, as the secret would go along."""
        return self.status // 100 == 3  # noqa: PLR2004 - the class of redirects


class InvalidClientError(TokenResponseError):
    """The client did not prove who it is, is unknown, or may not use this grant."""


class InvalidGrantError(TokenResponseError):
    """The user name, password or refresh token is wrong, expired, revoked or locked."""


class StoreError(VathosError):
    """A token store could not be read or written; the message names the store, not the token."""


class InsecureFileError(StoreError, ConfigurationError):
    """A file or folder that others can read or write was refused; names it and what to do."""
