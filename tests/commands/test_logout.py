"""`vathos logout`: the token is revoked at the server and deleted, or kept with a message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from tests.canaries import CANARY
from tests.commands.driving import Driver, entries, profile, written
from vathos.commands.status_text import local
from vathos.exit_codes import Exit
from vathos.grants import ClientCredentialsGrant
from vathos.oauth.identity import identity_of
from vathos.stores.file import FileStore
from vathos.testing import AuthorizationServer, Client, Fault, User
from vathos.tokens import Token

KEPT = "--no-revoke"  # the way out is named only where the token is kept


def works(server: AuthorizationServer, number: int = -1) -> bool:
    """Tells whether the API takes a token that the server has issued."""
    headers = {"Authorization": f"Bearer {server.issued[number]}"}
    return requests.get(f"{server.api_url}/x", headers=headers, timeout=5).ok


def revocations(server: AuthorizationServer) -> int:
    """Counts the requests to revoke a token."""
    return sum(request.endpoint == "revocation" for request in server.requests)


def test_token_is_revoked_and_deleted(vathos: Driver, tmp_path: Path) -> None:
    """After it the token works nowhere, and the store has none."""
    vathos("token")
    assert works(vathos.server)
    done = vathos("logout")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert "client 'robot' is revoked" in done.err
    assert not works(vathos.server)
    assert entries(tmp_path) == []
    assert vathos("status").status == Exit.NO_TOKEN


def test_login_of_a_person_ends(vathos: Driver) -> None:
    """The refresh token goes too, and with it the session."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    vathos("token", **person)
    vathos("token")  # another one, of the service account
    done = vathos("logout", **person)
    assert "'ada' at the client 'robot' is revoked" in done.err
    assert revocations(vathos.server) == 2
    assert not works(vathos.server, 0)
    assert works(vathos.server, 1)
    assert vathos("status").status == Exit.DONE


@pytest.mark.fault(52)
@pytest.mark.parametrize("own", [False, True], ids=["before", "after"])
def test_token_of_a_rotated_secret_ends(vathos: Driver, tmp_path: Path, *, own: bool) -> None:
    """What an earlier password obtained is found, revoked and deleted; others' tokens stay."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    vathos("token")
    vathos("token", **person)
    vathos.server.set_password("ada", "another")
    person["VATHOS_PASSWORD"] = "another"
    if own:
        vathos("token", **person)
    assert len(entries(tmp_path)) == (3 if own else 2)
    done = vathos("logout", **person)
    assert (done.status, done.out) == (Exit.DONE, "")
    assert "'ada' at the client 'robot' is revoked" in done.err
    assert vathos.server.sessions == ()
    assert not works(vathos.server, 1)
    assert works(vathos.server, 0)
    assert len(entries(tmp_path)) == 1


@pytest.mark.fault(52)
def test_token_of_a_rotated_secret_is_kept_if_it_cannot_be_revoked(
    vathos: Driver, tmp_path: Path
) -> None:
    """Like the token of these credentials, so that it can be revoked later; or it is deleted."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    vathos("token", **person)
    vathos.server.set_password("ada", "another")
    person["VATHOS_PASSWORD"] = "another"
    vathos.server.fail("revocation", Fault.status(503))
    assert vathos("logout", **person).status == Exit.UNREACHABLE
    assert len(entries(tmp_path)) == len(vathos.server.sessions) == 1
    done = vathos("logout", KEPT, **person)
    assert "is deleted, not revoked" in done.err
    assert entries(tmp_path) == []


def test_nothing_to_delete(vathos: Driver) -> None:
    """Where there is no token the server is not asked, and all is well."""
    done = vathos("logout")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert "there is no token of the client 'robot'" in done.err
    assert vathos("logout", "--no-revoke").status == Exit.DONE
    assert vathos.server.requests == ()


def test_other_store(vathos: Driver, tmp_path: Path) -> None:
    """The token is looked for in the store that was chosen."""
    vathos("token")
    done = vathos("logout", "--token-store", "memory:")
    assert "there is no token of the client 'robot'" in done.err
    assert len(entries(tmp_path)) == 1


def test_token_is_only_deleted(vathos: Driver, tmp_path: Path) -> None:
    """`--no-revoke` asks no server, and says until when the token works elsewhere."""
    until = local(json.loads(vathos("token", "--format", "json").out)["expires_at"])
    done = vathos("logout", "--no-revoke")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert done.err.endswith(f"not revoked: a copy of it works until {until}\n")
    assert works(vathos.server)
    assert entries(tmp_path) == []
    assert revocations(vathos.server) == 0


def test_token_without_an_end_is_only_deleted(vathos: Driver) -> None:
    """Where nobody knows the end of a token, none is said."""
    vathos.server.fail("token", Fault.without("expires_in"))
    vathos("token")
    assert vathos("logout", "--no-revoke").err.endswith("not revoked: a copy of it works\n")


# --- what is in the way -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.drop_before(), Exit.UNREACHABLE),
        (Fault.status(503), Exit.UNREACHABLE),
        (Fault.status(403), Exit.REFUSED),
        (Fault.redirect("https://evil.example/"), Exit.UNSAFE),
    ],
)
def test_token_that_was_not_revoked_is_kept(
    vathos: Driver, tmp_path: Path, fault: Fault, status: Exit
) -> None:
    """Where the server does not answer or refuses, the token stays, and the way out is named."""
    vathos("token")
    vathos.server.fail("revocation", fault, times=None)
    done = vathos("logout", "--token-timeout", "1")
    assert (done.status, done.out) == (status, "")
    assert KEPT in done.err
    assert done.err.count("\n") == 1
    assert len(entries(tmp_path)) == 1
    assert vathos("logout", "--no-revoke").status == Exit.DONE
    assert entries(tmp_path) == []


def test_server_that_is_gone(server: AuthorizationServer, vathos: Driver, tmp_path: Path) -> None:
    """A server that cannot be reached at all is 5; nothing was deleted."""
    vathos("token")
    server.close()
    done = vathos("logout", "--token-timeout", "1")
    assert done.status == Exit.UNREACHABLE
    assert KEPT in done.err
    assert len(entries(tmp_path)) == 1


def test_revocation_endpoint_that_nobody_knows(vathos: Driver, tmp_path: Path) -> None:
    """A token endpoint of another name has no known neighbour: 3, and the way out."""
    url = "https://auth.example/oauth"
    grant = ClientCredentialsGrant(client_id="robot", client_secret=vathos.server.client_secret)
    FileStore().save(identity_of(url, grant), Token("t"))
    done = vathos("logout", "--token-url", url)
    assert done.status == Exit.CONFIGURATION
    assert url in done.err
    assert KEPT in done.err
    assert len(entries(tmp_path)) == 1


def test_store_that_others_can_read(vathos: Driver, tmp_path: Path) -> None:
    """A store that others can read is 7; nothing is sent or deleted."""
    vathos("token")
    (path,) = entries(tmp_path)
    path.chmod(0o644)
    done = vathos("logout")
    assert done.status == Exit.UNSAFE
    assert f"chmod 600 {path}" in done.err
    assert path.exists()
    assert revocations(vathos.server) == 0


def test_missing_credentials(vathos: Driver) -> None:
    """Without a secret nobody can tell whose token it is: 3."""
    done = vathos("logout", VATHOS_CLIENT_SECRET="")
    assert done.status == Exit.CONFIGURATION
    assert done.err.startswith("vathos: client_secret is missing: ")


def test_store_that_does_not_answer(vathos: Driver) -> None:
    """A store that fails is 3, not an empty one."""
    done = vathos("logout", "--token-store", "redis://127.0.0.1:1")
    assert done.status == Exit.CONFIGURATION
    assert done.err.startswith("vathos: ")


# --- every profile ------------------------------------------------------------------------------


def test_every_profile_is_logged_out(alone: Driver, config: Path, tmp_path: Path) -> None:
    """`--all` does so for each, says so, and leaves the profiles where they are."""
    server = alone.server
    text = profile(server, "a") + profile(server, "b", scope="email")
    written(config, text)
    alone("token", "--profile", "a")
    done = alone("logout", "--all")
    first, second = done.err.splitlines()
    assert (done.status, done.out) == (Exit.DONE, "")
    assert "the profile 'a' is revoked" in first
    assert "there is no token of the profile 'b'" in second
    assert entries(tmp_path) == []
    assert config.read_text() == text


def test_one_that_fails_does_not_keep_the_others(
    alone: Driver, config: Path, tmp_path: Path
) -> None:
    """Each profile has its turn, and the status is the worst."""
    server = alone.server
    broken = '[profile.x]\nclientid = "robot"\n\n'
    written(config, broken + profile(server, "a") + profile(server, "b", scope="email"))
    alone("token", "--profile", "a")
    alone("token", "--profile", "b")
    server.fail("revocation", Fault.status(503))
    done = alone("logout", "--all")
    assert done.status == Exit.CONFIGURATION
    first, second, third = done.err.splitlines()
    assert first.startswith(f"vathos: profile 'x': {config}, line 2: ")
    assert second.startswith("vathos: profile 'a': ")
    assert KEPT in second
    assert "the profile 'b' is revoked" in third
    assert len(entries(tmp_path)) == 1


def test_no_profile(alone: Driver) -> None:
    """Where there is no profile there is nothing to delete."""
    done = alone("logout", "--all")
    assert (done.status, done.out) == (Exit.DONE, "")
    assert "there is no profile" in done.err


def test_all_takes_no_single_choice(alone: Driver) -> None:
    """One profile cannot be chosen for all."""
    done = alone("logout", "--all", "--profile", "a")
    assert (done.status, done.out) == (Exit.USAGE, "")
    assert "--profile" in done.err


# --- what is left behind ------------------------------------------------------------------------


def test_names_in_memory_go_too(vathos: Driver, runtime: Path) -> None:
    """The names of entries that are kept in memory are deleted with the token."""
    vathos.environ["XDG_RUNTIME_DIR"] = str(runtime)
    vathos("token")
    assert (runtime / "vathos" / "names").exists()
    assert vathos("logout").status == Exit.DONE
    assert not (runtime / "vathos" / "names").exists()


def test_nothing_tells_a_secret(vathos: Driver, tmp_path: Path) -> None:
    """Neither -vv, nor an error, nor what is left in the home folder holds a secret or a token."""
    clients, users = [Client("robot", CANARY.client_secret)], [User("ada", CANARY.password)]
    with AuthorizationServer(clients=clients, users=users) as server:
        person = {
            "VATHOS_CLIENT_SECRET": CANARY.client_secret,
            "VATHOS_TOKEN_URL": server.token_url,
            "VATHOS_USERNAME": "ada",
            "VATHOS_PASSWORD": CANARY.password,
        }
        vathos("token", **person)
        server.fail("revocation", Fault.status(400, body=CANARY.client_secret))
        told = [vathos("logout", "-vv", **person) for _ in range(2)]
        assert [done.status for done in told] == [Exit.REFUSED, Exit.DONE]
        text = "".join(done.out + done.err for done in told)
        files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
        for each in (text, *files):
            assert not CANARY.seen_in(each)
            assert not any(token in each for token in server.issued)
            assert "refresh-token-" not in each
