"""Client assertions from files, commands and callables: one identity, a new proof each time."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import together
from vathos import VathosSession
from vathos.errors import ConfigurationError, InvalidClientError
from vathos.grants import ClientCredentialsGrant, Secret
from vathos.oauth.assertions import Assertion, claims_of
from vathos.oauth.identity import Credentials, identity_of
from vathos.stores.file import FileStore
from vathos.stores.memory import MemoryStore
from vathos.testing import AuthorizationServer, Client, Fault

URL = "https://as.example/token"
POD = "system:serviceaccount:picking:robot"


@pytest.fixture
def server() -> Iterator[AuthorizationServer]:
    """A server that knows a pod by its workload tokens."""
    with AuthorizationServer(clients=[Client("robot", workload=POD)]) as running:
        yield running


@pytest.fixture
def file(tmp_path: Path, server: AuthorizationServer) -> Path:
    """A file with an assertion that the server takes."""
    path = tmp_path / "token"
    path.write_text(server.workload_token() + "\n")
    return path


def session_of(server: AuthorizationServer, file: Path, **options: object) -> VathosSession:
    """A session that proves its client by a file."""
    urls = {"token_url": server.token_url, "base_url": server.api_url}
    return VathosSession(**{**urls, "assertion_file": file, "store": MemoryStore(), **options})  # type: ignore[arg-type]


def swap(file: Path, text: str) -> None:
    """Replaces a file as Kubernetes does: what a link points to."""
    new = file.with_name(f"{file.name}.{os.urandom(4).hex()}")
    new.write_text(text)
    link = file.with_name(f"{file.name}.link")
    link.symlink_to(new)
    link.replace(file)


def identity(value: str | Callable[[], str], path: str | None = None) -> tuple[str, str]:
    """Computes key and evidence of the identity of an assertion."""
    client = Assertion(Secret(value), "test", path).settled()
    found = identity_of(URL, ClientCredentialsGrant(client=client))
    return found.key, found.evidence


# --- the wire -----------------------------------------------------------------------------------


@pytest.mark.parametrize("client_id", [None, "robot"])
def test_file_proves_the_client(
    server: AuthorizationServer, file: Path, client_id: str | None
) -> None:
    """A file with an assertion is enough; the client id may be left out, and no secret is sent."""
    with session_of(server, file, client_id=client_id) as session:
        assert session.get("products").json()["token_number"] == 1
    assert [token.client_id for token in server.tokens()] == ["robot"]


def test_file_is_opened_for_each_attempt(server: AuthorizationServer, file: Path) -> None:
    """Each token request carries what is in the file then, by the path and not by a descriptor."""
    with session_of(server, file) as session:
        for number in range(1, 4):
            swap(file, server.workload_token())
            session.fetch_token()
            assert server.count() == number
    assert server.count("client_credentials") == 3


def test_callable_is_asked_once_for_each_attempt(server: AuthorizationServer, file: Path) -> None:
    """The assertion that was read for the identity is the one that is sent; a retry asks anew."""
    given: list[str] = []

    def issue() -> str:
        given.append(server.workload_token())
        return given[-1]

    with session_of(server, file, assertion_file=None, assertion=issue) as session:
        session.get("products")
        assert len(given) == 1
        server.fail("token", Fault.html(500))
        session.fetch_token()
        assert len(given) == 3


def test_command_brings_an_assertion(server: AuthorizationServer, file: Path) -> None:
    """The words of a command are run without a shell for each attempt."""
    with session_of(server, file, assertion_file=None, assertion=["cat", str(file)]) as session:
        assert session.get("products").ok


def test_many_threads_make_one_request(server: AuthorizationServer, file: Path) -> None:
    """Sessions of one file share one renewal."""
    store = MemoryStore()
    sessions = [session_of(server, file, store=store) for _ in range(8)]
    together(8, lambda index: sessions[index].get("products"))
    assert server.count() == 1


def test_session_can_be_pickled(server: AuthorizationServer, file: Path) -> None:
    """A session with a file travels, and reads the file where it arrives."""
    copy = pickle.loads(pickle.dumps(session_of(server, file, store=None)))
    assert copy.get("products").ok


# --- identity -----------------------------------------------------------------------------------


def test_rotating_file_is_one_identity(
    server: AuthorizationServer, file: Path, tmp_path: Path
) -> None:
    """Twenty assertions in a file are one identity, one entry in the store, and one token."""
    store = FileStore(tmp_path / "store")
    for _ in range(20):
        swap(file, server.workload_token())
        with session_of(server, file, store=store) as session:
            assert session.get("products").ok
    assert server.count() == 1
    assert len(list((tmp_path / "store").glob("*.json"))) == 1


def test_file_that_is_replaced_under_load(file: Path, tmp_path: Path) -> None:
    """Eight threads, tokens that end, twenty assertions: no call fails, and there is one entry."""
    clients = [Client("robot", workload=POD)]
    with AuthorizationServer(clients=clients, access_token_lifetime=0.5) as server:
        store = FileStore(tmp_path / "store")
        swap(file, server.workload_token())
        with session_of(server, file, store=store) as session:
            seen = {session._settings.grant().settled() for _ in range(2)}

            def work(index: int) -> int:
                if index == 0:
                    for _ in range(20):
                        swap(file, server.workload_token())
                return sum(session.get("products").ok for _ in range(25))

            assert together(8, work) == [25] * 8
        assert len(seen) == 1
        assert len(list((tmp_path / "store").glob("*.json"))) == 1


def test_identity_holds_issuer_and_subject(server: AuthorizationServer) -> None:
    """Another subject is another identity; another assertion of the same one is not."""
    one, same = (identity(server.workload_token()) for _ in range(2))
    other = identity(server.workload_token("other"))
    elsewhere = identity(server.workload_token(iss="https://other.example"))
    assert one[0] == same[0]
    assert len({one[0], other[0], elsewhere[0]}) == 3


def test_path_names_what_is_no_jwt(tmp_path: Path) -> None:
    """An assertion that cannot be read is named by its file; two files are two identities."""
    one, same, other = (
        identity("opaque", str(tmp_path / name)) for name in ("one", "one", "other")
    )
    assert one[0] == same[0] != other[0]


def test_evidence_of_a_file_is_its_content(server: AuthorizationServer) -> None:
    """Whatever changes in a file is another try."""
    assert identity(server.workload_token(), "f")[1] != identity(server.workload_token(), "f")[1]


def test_evidence_of_a_callable_is_what_lasts(server: AuthorizationServer) -> None:
    """What is new in each assertion is no other try; its end and its audience are."""
    one, same = (identity(server.workload_token)[1] for _ in range(2))
    ended = identity(lambda: server.workload_token(lifetime=-5))[1]
    astray = identity(lambda: server.workload_token(aud="elsewhere"))[1]
    assert one == same
    assert len({one, ended, astray}) == 3


def test_name_is_known_before_the_file_is_read(tmp_path: Path) -> None:
    """A source has a name for logs although its file is not there yet."""
    reads: list[int] = []

    def read() -> str:
        reads.append(1)
        return "x"

    grant = ClientCredentialsGrant(client=Assertion(Secret(read), "test"))
    credentials = Credentials(URL, grant)
    assert credentials.name
    assert reads == []


# --- refusals -----------------------------------------------------------------------------------


def test_refusal_is_remembered_while_the_file_stays(
    server: AuthorizationServer, file: Path
) -> None:
    """A stale assertion is presented once."""
    file.write_text(server.workload_token(lifetime=-5))
    with session_of(server, file) as session:
        for _ in range(3):
            with pytest.raises(InvalidClientError, match=r"assertion_file.* has expired"):
                session.get("products")
    assert server.count() == 1


def test_refusal_is_forgotten_with_another_assertion(
    server: AuthorizationServer, file: Path
) -> None:
    """As soon as the right assertion is in the file, the next call works and waits for nothing."""
    with session_of(server, file, token_timeout=3) as session:
        for _ in range(4):  # the pause after the last would be 40 s
            swap(file, server.workload_token(lifetime=-5))
            with pytest.raises(InvalidClientError):
                session.get("products")
        swap(file, server.workload_token())
        assert session.get("products").ok
    assert server.count() == 5


def test_callable_that_insists_is_held_back(server: AuthorizationServer, file: Path) -> None:
    """A callable whose every assertion is refused does not reach the server each time."""

    def stale() -> str:
        return server.workload_token(lifetime=-5)

    with session_of(server, file, assertion_file=None, assertion=stale) as session:
        for _ in range(3):
            with pytest.raises(InvalidClientError):
                session.get("products")
    assert server.count() == 1


# --- values that are none -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["two words", "ä.b.c", "a\nb", "x" * 70_000])
def test_what_is_no_assertion_is_not_sent(
    server: AuthorizationServer, file: Path, text: str
) -> None:
    """A file with anything else is an error that names it and quotes nothing of it."""
    file.write_text(text)
    with (
        session_of(server, file) as session,
        pytest.raises(ConfigurationError, match="assertion_file holds is") as caught,
    ):
        session.get("products")
    assert text not in str(caught.value)
    assert server.count() == 0


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "W10.W10.W10", "a.eyJ.c", "a.b.c.d"])
def test_what_is_no_jwt_has_no_claims(text: str) -> None:
    """Nothing that is no JWT stops the reader."""
    assert claims_of(text) == {}
