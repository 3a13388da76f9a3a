"""What the server needs the extra `jwt` for, and what it says without it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.testing.plain import send
from vathos.testing import AuthorizationServer, Client
from vathos.testing.signatures import SigningKey, claims_of, signed_by


@pytest.fixture
def without_jwt(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if PyJWT was not installed."""
    monkeypatch.setitem(sys.modules, "jwt", None)


@pytest.mark.usefixtures("without_jwt")
def test_without_the_extra_everything_else_works(server: AuthorizationServer) -> None:
    """A server without such clients runs; its keys are not to be had, and it says why."""
    answer = send("GET", server.workload_keys_url)
    assert answer.status_code == 501
    assert "pip install 'PyJWT" in answer.json()["error"]
    with pytest.raises(ImportError, match="PyJWT and cryptography"):
        server.workload_token()


@pytest.mark.usefixtures("without_jwt")
@pytest.mark.parametrize("client", [Client("a", jwks={"keys": []}), Client("a", workload="w")])
def test_without_the_extra_such_a_client_is_refused(client: Client) -> None:
    """A server that could verify no assertion does not start."""
    with pytest.raises(ImportError, match="PyJWT and cryptography"):
        AuthorizationServer(clients=[client])


def test_extra_is_loaded_only_when_it_is_used() -> None:
    """A server with secrets only loads neither PyJWT nor cryptography."""
    code = (
        "import sys, requests\n"
        "from vathos.testing import AuthorizationServer\n"
        "with AuthorizationServer() as server:\n"
        "    form = {'grant_type': 'client_credentials', 'client_id': server.client_id,"
        " 'client_secret': server.client_secret}\n"
        "    requests.post(server.token_url, data=form, timeout=9).raise_for_status()\n"
        "    before = 'jwt' in sys.modules\n"
        "    server.workload_token()\n"
        "print(before, 'jwt' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_key_verifies_its_own_signature_only() -> None:
    """A key verifies what it signed, and names itself; a broken key in the set is passed over."""
    key, other = SigningKey(), SigningKey()
    token = key.sign({"sub": "a"})
    assert signed_by(token, [{"kty": "none"}, other.public, key.public])
    assert not signed_by(token, [other.public])
    unnamed = {name: value for name, value in other.public.items() if name != "kid"}
    assert not signed_by(token, [unnamed])
    assert claims_of(token) == {"sub": "a"}
