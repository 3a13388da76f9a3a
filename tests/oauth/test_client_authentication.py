"""What a token request carries to prove who the client is, and what an identity holds of it."""

from __future__ import annotations

import base64
import math

import pytest

from vathos.errors import ConfigurationError, TokenResponseError
from vathos.grants import ClientCredentialsGrant, PasswordGrant, RefreshGrant, Secret, SecretFields
from vathos.oauth.client_authentication import (
    SECRET_METHODS,
    ClientSecret,
    Occasion,
    Proof,
    client_of,
)
from vathos.oauth.identity import identity_of
from vathos.oauth.transport import Transport
from vathos.tokens import Instant, now

URL = "https://as.example/realms/x/protocol/openid-connect/token"
OCCASION = Occasion("picking:robot", URL, None, Transport(), now, math.inf)
SERVICE = ClientCredentialsGrant(client_id="picking:robot", client_secret="s3 cret")


class Told:
    """A proof of a user's own making: all it needs is what the protocol names."""

    label = "told"
    secrets: tuple[Secret, ...] = ()
    evidence = ""
    seals = False
    advice = ("told is wrong", "tell something else")

    def __init__(self, public: str = "me") -> None:
        self.public = (public,)

    def settled(self) -> Told:
        """Nothing is to be read."""
        return self

    def prove(self, occasion: Occasion) -> Proof:
        """Sends what was told."""
        return Proof(SecretFields(told="me"), SecretFields())

    def tries_again(self, refusal: TokenResponseError, at: Instant) -> bool:
        """Knows no other way."""
        return False


def test_secret_is_sent_in_the_form() -> None:
    """By `client_secret_post`, id and secret are form fields, and no header is added."""
    form, headers = client_of(SERVICE, "client_secret_post").prove(OCCASION)
    assert form == {"client_id": "picking:robot", "client_secret": "s3 cret"}
    assert not headers


def test_secret_is_sent_in_the_header() -> None:
    """By `client_secret_basic`, both are form-urlencoded in the header, and not in the form."""
    form, headers = client_of(SERVICE, "client_secret_basic").prove(OCCASION)
    kind, _, text = headers["Authorization"].partition(" ")
    assert (kind, base64.b64decode(text), dict(form)) == ("Basic", b"picking%3Arobot:s3+cret", {})


@pytest.mark.parametrize("method", SECRET_METHODS)
def test_secret_is_read_when_it_is_settled(method: str) -> None:
    """One renewal uses one secret: a settled one does not change any more."""
    values = iter(["first", "second"])
    settled = ClientSecret(Secret(lambda: next(values)), method).settled()
    assert (settled.secret.reveal(), settled.secret.reveal()) == ("first", "first")
    assert settled.method == method


def test_way_to_send_a_secret_is_no_part_of_the_identity() -> None:
    """A secret belongs to the identity; whether it goes by form or header does not."""
    post, basic = (client_of(SERVICE, method) for method in SECRET_METHODS)
    assert (post.public, post.secrets) == (basic.public, basic.secrets)
    assert [secret.reveal() for secret in post.secrets] == ["s3 cret"]


def test_grant_of_another_proof_has_no_secret() -> None:
    """What stands in place of a secret is used by the grant and by its refresh."""
    told = Told()
    grant = PasswordGrant(client_id="a", client=told, username="ada", password="pw")
    refresh = RefreshGrant(original=grant, refresh_token="rt")
    assert client_of(grant) is client_of(refresh) is client_of(grant.settled()) is told
    assert [secret.reveal() for secret in refresh.secrets] == ["pw", "rt"]


def test_public_part_of_a_proof_belongs_to_the_identity() -> None:
    """Two who prove that they are others have two identities, with names of their own."""
    one, same, other = (
        identity_of(URL, ClientCredentialsGrant(client=Told(public)))
        for public in ("me", "me", "you")
    )
    assert (one.key, one.name) == (same.key, same.name)
    assert one.key != other.key
    assert one.name != other.name


def test_two_proofs_are_one_too_many() -> None:
    """A grant with a secret and something in its place is refused, and both are named."""
    with pytest.raises(ConfigurationError, match=r"both client_secret and told"):
        ClientCredentialsGrant(client_id="a", client_secret="s", client=Told())


def test_grant_without_any_proof_is_refused() -> None:
    """A grant that cannot prove who its client is is refused when it is made."""
    with pytest.raises(ConfigurationError, match="no client_secret"):
        ClientCredentialsGrant(client_id="a")
