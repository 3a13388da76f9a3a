"""The protected API (RFC 6750): it wants an access token, and shows what arrived."""

from __future__ import annotations

from collections.abc import Mapping

from vathos.testing.ledger import Ledger
from vathos.testing.messages import Request, Response
from vathos.testing.records import RecordedRequest, Records
from vathos.testing.tokens import AccessToken
from vathos.testing.urls import Urls

__all__ = ["ProtectedApi"]

_PAGES = 3
_STATES = {
    "expired": "The access token expired",
    "revoked": "The access token was revoked",
    "unknown": "The access token is unknown",
    "refused": "The access token is not meant for this API",
}


class ProtectedApi:
    """An API that wants an access token of its server.

    Any method and path under `/v1` answers 200 with what arrived: `method`, `path`, `query`,
    `token_number`, `client_id`, `username`, `scope`, `body_length`, `body_sha256`, `content_type`.
    `/v1/stream?bytes=N` streams N bytes, `/v1/items?page=N` is a list of three pages with `Link`
    headers. A path can be given another answer (`respond`).

    Attributes:
        refuse_all: Whether to answer 401 `invalid_token` to valid tokens too, like an API that
            wants another audience.
    """

    def __init__(self, ledger: Ledger, records: Records, urls: Urls) -> None:
        self.refuse_all = False
        self._ledger = ledger
        self._records = records
        self._urls = urls
        self._requirements: tuple[tuple[str, str], ...] = ()
        self._responses: Mapping[str, Response] = {}  # replaced as a whole, as threads read it

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The recorded API requests, in the order of arrival."""
        return self._records.select("api")

    @property
    def unauthenticated(self) -> int:
        """Number of API requests that arrived without any Bearer token."""
        schemes = [each.authorization_scheme or "" for each in self.requests]
        return sum(scheme.lower() != "bearer" for scheme in schemes)

    def count(self, status: int | None = None) -> int:
        """Returns how many API requests came, at all or since `forget_requests`.

        Args:
            status: Only those answered with this status code; all if `None`.
        """
        return sum(status in (None, each.status) for each in self.requests)

    def require(self, path_prefix: str, *, scope: str) -> None:
        """Makes a part of the API answer 403 `insufficient_scope` to tokens without a scope.

        Args:
            path_prefix: A path such as `"/v1/admin"`; it includes all paths below.
            scope: The scopes that a token needs, space separated.
        """
        self._requirements = (*self._requirements, (path_prefix, scope))

    def respond(
        self,
        path: str,
        *,
        json: object = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Gives a path of the API an answer of its own, until it is taken back.

        It answers every method, and only requests with a valid token; a fault goes before it.

        Args:
            path: The path below the base URL, such as `"products"`.
            json: The body, as JSON.
            status: The status code.
            headers: Further header fields.
        """
        response = Response.json(json, status, headers)
        self._responses = {**self._responses, _normal(path): response}

    def take_back(self, path: str | None = None) -> None:
        """Lets a path answer as before.

        Args:
            path: The path that was given to `respond`; all of them if `None`.
        """
        gone = None if path is None else _normal(path)
        self._responses = {
            each: response
            for each, response in self._responses.items()
            if gone is not None and each != gone
        }

    def presented(self, request: Request) -> AccessToken | None:
        """Returns the access token of a request, even if it no longer works."""
        return self._ledger.access_token(request.bearer_token)

    def answer(self, request: Request) -> Response:
        """Answers 200, 401 or 403, depending on the token of the request."""
        if request.bearer_token is None:
            return self._challenge(401)
        token = self.presented(request)
        state = token.state(self._ledger.now()) if token else "unknown"
        if self.refuse_all:
            state = "refused"
        if token is None or state != "live":
            return self._challenge(401, "invalid_token", _STATES[state])
        for prefix, scope in self._requirements:
            inside = request.path == prefix or request.path.startswith(prefix.rstrip("/") + "/")
            if inside and not set(scope.split()) <= set(token.scopes):
                text = "The access token lacks a scope"
                return self._challenge(403, "insufficient_scope", text, scope)
        return self._content(request, token)

    def _content(self, request: Request, token: AccessToken) -> Response:
        own = self._responses.get(request.path.rstrip("/"))
        if own is not None:
            return own
        parameters = request.parameters
        if request.path == "/v1/stream":
            size = _number(parameters, "bytes", 0)
            return Response(200, {"Content-Type": "application/octet-stream"}, stream=size)
        if request.path == "/v1/items":
            return self._page(_number(parameters, "page", 1))
        return Response.json(
            {
                "method": request.method,
                "path": request.path,
                "query": parameters,
                "token_number": token.number,
                "client_id": token.client_id,
                "username": token.username,
                "scope": " ".join(token.scopes),
                "body_length": request.body_length,
                "body_sha256": request.body_sha256,
                "content_type": request.headers.get("Content-Type"),
            }
        )

    def _page(self, page: int) -> Response:
        items = [f"item-{page}-{position}" for position in range(1, 4)]
        link = f'<{self._urls.api}/items?page={page + 1}>; rel="next"'
        headers = {"Link": link} if page < _PAGES else {}
        return Response.json({"items": items, "page": page}, headers=headers)

    def _challenge(
        self, status: int, error: str | None = None, text: str = "", scope: str | None = None
    ) -> Response:
        # RFC 6750 §3.1: no error code for a request that brought no token at all.
        parts = {"realm": self._urls.realm, "error": error, "error_description": text or None}
        parts["scope"] = scope
        said = {name: value for name, value in parts.items() if value is not None}
        challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in said.items())
        body = {name: value for name, value in said.items() if name != "realm"}
        return Response.json(body, status, {"WWW-Authenticate": challenge})


def _normal(path: str) -> str:
    return f"/v1/{path.strip('/')}".rstrip("/")


def _number(parameters: dict[str, str], name: str, default: int) -> int:
    text = parameters.get(name, "")
    return int(text) if text.isdecimal() else default
