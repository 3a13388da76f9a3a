"""`vathos assertion`: what would be sent, without what makes it good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.driving import Driver
from tests.oauth.keys import write_key
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer

NO_SECRET = {"VATHOS_CLIENT_SECRET": ""}


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that is not asked."""
    with AuthorizationServer() as running:
        yield running
        assert running.count() == 0


def test_assertion_of_a_key(vathos: Driver, server: AuthorizationServer, tmp_path: Path) -> None:
    """Header and claims are printed, and no signature."""
    path = tmp_path / "robot.pem"
    key = write_key(path)
    environ = {"VATHOS_CLIENT_ID": "robot", "VATHOS_TOKEN_URL": server.token_url}
    done = vathos("assertion", "--client-key-file", str(path), **environ, **NO_SECRET)
    assert done.status == Exit.DONE
    told = json.loads(done.out)
    assert set(told) == {"client_id", "client_assertion_type", "header", "claims"}
    assert (told["header"]["kid"], told["header"]["alg"]) == (key["kid"], "ES256")
    assert (told["claims"]["iss"], told["claims"]["aud"]) == ("robot", server.issuer)


def test_assertion_of_a_file(vathos: Driver, server: AuthorizationServer, tmp_path: Path) -> None:
    """So is what somebody else has issued; the command prints nothing that can be used."""
    path = tmp_path / "token"
    path.write_text(server.workload_token())
    environ = {"VATHOS_CLIENT_ASSERTION_FILE": str(path), "VATHOS_CLIENT_ID": ""}
    done = vathos("assertion", **environ, **NO_SECRET)
    assert json.loads(done.out)["claims"]["iss"] == server.workload_issuer
    assert path.read_text().rpartition(".")[2] not in done.out


def test_client_with_a_secret_has_none(vathos: Driver, server: AuthorizationServer) -> None:
    """A client with a secret sends no assertion, and the message says how it could."""
    done = vathos("assertion", VATHOS_TOKEN_URL=server.token_url)
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "VATHOS_CLIENT_KEY_FILE" in done.err


def test_what_is_no_jwt_is_not_printed(
    vathos: Driver, server: AuthorizationServer, tmp_path: Path
) -> None:
    """An assertion that is no JWT is secret as a whole."""
    path = tmp_path / "token"
    path.write_text("opaque-5d1e")
    environ = {"VATHOS_CLIENT_ASSERTION_FILE": str(path), "VATHOS_TOKEN_URL": server.token_url}
    done = vathos("assertion", **environ, **NO_SECRET)
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "opaque" not in done.err
