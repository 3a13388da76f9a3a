"""A session that costs less than its parent: what it did a moment ago it does not do again."""

from __future__ import annotations

import os
from typing import Any

import requests
from requests.sessions import Session
from requests_oauthlib import OAuth2Session

from vathos.dropin.fast_session import Preparation
from vathos.dropin.proxies import environment_proxies
from vathos.dropin.unpatched import Originals

__all__ = ["ShortcutSession"]

_merge_setting: Any = requests.sessions.merge_setting  # not typed where it is defined
_originals = Originals(lambda: (Session.merge_environment_settings,))


class ShortcutSession(OAuth2Session):
    """An `OAuth2Session` that prepares plain requests, and looks proxies up, by shortcuts."""

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Prepares a request with the session's settings, as `requests.Session` does.

        Args:
            request: The request.

        Returns:
            The prepared request.
        """
        parents = super().prepare_request
        if _is_method(parents, Session.prepare_request):
            preparation = self.__dict__.setdefault("_preparation", Preparation())
            prepared: requests.PreparedRequest | None = preparation.prepared(self, request)
            if prepared is not None:
                return prepared
        return parents(request)

    def merge_environment_settings(
        self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> Any:
        """Merges a call's settings with those of environment and session; called by `requests`.

        The shortcut is in the look-up of proxies, where neither call nor session name any.

        Args:
            url: The prepared URL.
            proxies: Proxies of the call.
            stream: As the call has it.
            verify: As the call has it.
            cert: As the call has it.

        Returns:
            `proxies`, `stream`, `verify` and `cert`, as `requests` passes them to `send`.
        """
        parents = super().merge_environment_settings
        unusual = proxies != {} or self.proxies or not self.trust_env
        original = _is_method(parents, Session.merge_environment_settings)
        if unusual or not original or not _originals.in_place():
            return parents(url, proxies, stream, verify, cert)
        if verify is True or verify is None:
            bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            verify = bundle or verify
        return {
            "proxies": environment_proxies(url),
            "stream": _merge_setting(stream, self.stream),
            "verify": _merge_setting(verify, self.verify),
            "cert": _merge_setting(cert, self.cert),
        }


def _is_method(method: Any, function: Any) -> bool:
    """Tells whether a method is this function: a class may have been mixed in that has its own."""
    return getattr(method, "__func__", None) is function
