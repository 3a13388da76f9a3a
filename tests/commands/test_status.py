"""`vathos status`: what is known of a token, and an exit status that tells the truth."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.canaries import CANARY
from tests.commands.driving import Driven, Driver, age, entries, profile, written
from tests.test_tokens import jwt
from vathos.commands import status_text
from vathos.commands.status_text import local, span
from vathos.config.names import KEYS
from vathos.config.settings import DEFAULT_TOKEN_URL
from vathos.exit_codes import Exit
from vathos.testing import AuthorizationServer, Client, Fault, User


def found(done: Driven) -> Any:
    """Reads the JSON that was printed."""
    return json.loads(done.out)


def in_words(done: Driven) -> dict[str, str]:
    """Reads what was printed for a person: names and words."""
    lines = (line.split("  ", 1) for line in done.out.splitlines() if "  " in line.strip())
    return {name.strip(): rest.strip() for name, rest in lines if name}


# --- what is told -------------------------------------------------------------------------------


def test_nothing_is_asked_and_nothing_is_there(vathos: Driver) -> None:
    """Without a token the status is 6, and no server was asked."""
    done = vathos("status")
    assert done.status == Exit.NO_TOKEN
    assert "--check" in done.err
    assert in_words(done)["token"] == "none"
    assert vathos.server.count() == 0


def test_token_is_described(vathos: Driver) -> None:
    """Grant, client, token with its end in local time, scope and store, and no secret."""
    vathos("token")
    expires_at = found(vathos("status", "--json"))["expires_at"]
    done = vathos("status")
    told = in_words(done)
    assert (done.status, done.err) == (Exit.DONE, "")
    assert told["profile"] == "none"
    assert told["grant"] == "client_credentials"
    assert told["server"] == vathos.server.token_url
    assert told["client"] == vathos.server.client_id
    assert "user" not in told
    assert told["token"].startswith(f"fresh, until {local(expires_at)}, for another 4 min 5")
    assert told["refresh token"] == "none"
    assert told["store"] == "file:"
    assert vathos.server.issued[0] not in done.out
    assert vathos.server.client_secret not in done.out
    assert vathos.server.count() == 1


def test_person_is_described(vathos: Driver) -> None:
    """With a user name there are the user and the end of the login."""
    person = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": vathos.server.password}
    vathos("token", **person)
    members = found(vathos("status", "--json", **person))
    told = in_words(vathos("status", **person))
    assert (told["grant"], told["user"]) == ("password", "ada")
    assert told["refresh token"] == f"until {local(members['refresh_expires_at'])}"
    assert members["has_refresh_token"] is True
    assert 1790 <= members["refresh_expires_at"] - time.time() <= 1800


def test_json_has_everything(vathos: Driver) -> None:
    """One object has what is known, moments as UTC epoch integers, and no token."""
    vathos("token")
    done = vathos("status", "--json")
    members = found(done)
    assert done.out.count("\n") == 1
    assert members["status"] == done.status == Exit.DONE
    assert (members["state"], members["problem"], members["source"]) == ("fresh", None, "store")
    assert isinstance(members["expires_at"], int)
    parsed = time.strptime(members["expires_at_iso"] + "+0000", "%Y-%m-%dT%H:%M:%SZ%z")
    assert int(time.strftime("%S", parsed)) == members["expires_at"] % 60
    assert 290 <= members["expires_in"] <= 300
    assert list(members["settings"]) == list(KEYS)
    assert members["settings"]["client_secret"] == {
        "value": "set",
        "source": "VATHOS_CLIENT_SECRET",
    }
    assert members["settings"]["client_authentication"]["source"] == "default"
    assert "access_token" not in members
    assert vathos.server.issued[0] not in done.out
    assert vathos.server.client_secret not in done.out


def test_token_is_shown_on_request(vathos: Driver) -> None:
    """`--show-token` adds the token, in both forms."""
    assert found(vathos("status", "--json", "--show-token"))["access_token"] is None
    vathos("token")
    token = vathos.server.issued[0]
    assert found(vathos("status", "--json", "--show-token"))["access_token"] == token
    assert in_words(vathos("status", "--show-token"))["access token"] == token


def test_sources_are_told(vathos: Driver, config: Path) -> None:
    """What is set is told with its place: flag, variable, line; JSON has the defaults too."""
    written(config, '[profile.default]\naudience = "x"\n')
    done = vathos("status", "--scope", "read")
    settings = done.out.partition("settings:\n")[2]
    rows = dict(line.split(maxsplit=1) for line in settings.splitlines())
    assert rows["scope"].split() == ["--scope", "read"]
    assert rows["client_id"].split() == ["VATHOS_CLIENT_ID", "robot"]
    assert rows["audience"].split() == [f"{config},", "line", "2", "x"]
    assert not {"timeout", "token_store"} & rows.keys()
    sources = found(vathos("status", "--json"))["settings"]
    assert sources["timeout"] == {"value": None, "source": "not set"}
    assert sources["token_store"] == {"value": "file:", "source": "default"}


def test_quiet_prints_problems_only(vathos: Driver) -> None:
    """`--quiet` leaves the exit status, and a message where there is a problem."""
    done = vathos("status", "--quiet")
    assert (done.status, done.out) == (Exit.NO_TOKEN, "")
    assert len(done.err.splitlines()) == 1
    assert vathos("status", "-q", "--check") == (Exit.DONE, "", "")
    assert vathos("-v", "status", "-q", "--json").out == ""


# --- claims and clocks --------------------------------------------------------------------------


def claims(**changes: object) -> dict[str, object]:
    """Claims as Keycloak writes them, of a token of 300 s that is issued now."""
    now = int(time.time())
    return {
        "iss": "https://auth.example/realms/picking",
        "sub": "7f3c",
        "aud": ["api", "account"],
        "azp": "robot",
        "scope": "email",
        "preferred_username": "ada",
        "iat": now,
        "exp": now + 300,
        "session_state": "s",
        **changes,
    }


def with_jwt(vathos: Driver, payload: object, *arguments: str) -> Driven:
    """Has the server issue a JWT, and asks for the status."""
    vathos.server.fail("token", Fault.amend(access_token=jwt(payload)))
    vathos("token", "--force-renew")
    return vathos("status", *arguments)


def test_claims_are_told_unverified(vathos: Driver) -> None:
    """Of a JWT the claims that help are shown, and it is said that nobody verified them."""
    payload = claims()
    members = found(with_jwt(vathos, payload, "--json"))
    assert members["claims"] == {name: payload[name] for name in payload if name != "session_state"}
    assert members["claims_verified"] is False
    shown = vathos("status").out.partition("claims, not verified:\n")[2].partition("settings:")[0]
    assert dict(line.split(maxsplit=1) for line in shown.splitlines())["aud"] == "api account"


def test_opaque_token_has_no_claims(vathos: Driver) -> None:
    """Where there are none, nothing is said of claims."""
    vathos("token")
    assert found(vathos("status", "--json"))["claims"] == {}
    assert "claims" not in vathos("status").out


@pytest.mark.parametrize("odd", [{"a": 1}, [1], True, None, math.inf, 10**400])
def test_claims_of_odd_types_are_left_out(vathos: Driver, odd: object) -> None:
    """What is neither text, a number nor a list of texts is not shown; long text is cut."""
    payload = {"iss": odd, "iat": odd, "exp": odd, "sub": "x" * 500}
    members = found(with_jwt(vathos, payload, "--json"))
    assert members["claims"] == {"sub": "x" * 200}
    assert members["clock_offset"] is None


def test_terminal_is_not_told_what_to_do(vathos: Driver) -> None:
    """Control characters of a claim or a scope do not reach the terminal."""
    done = with_jwt(vathos, claims(sub="\x1b[2Jx\n"))
    assert "\x1b" not in done.out
    assert "?[2Jx?" in done.out


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (3699, "1 h 1 min behind the server's"),
        (-3661, "1 h 1 min ahead of the server's"),
    ],
)
def test_clock_offset_is_told(vathos: Driver, ahead: int, words: str) -> None:
    """The moment in the token beside that of the request tells how far the clocks are apart."""
    now = int(time.time()) + ahead
    members = found(with_jwt(vathos, claims(iat=now, exp=now + 300), "--json"))
    assert abs(members["clock_offset"] - ahead) < 30
    assert in_words(vathos("status"))["clock"] == words


@pytest.mark.parametrize("changes", [{"exp": 1}, {"iat": None}, {"iat": True}])
def test_clock_offset_that_nobody_knows(vathos: Driver, changes: dict[str, object]) -> None:
    """Without a moment, or with a life that is not the token's, nothing is said of clocks."""
    members = found(with_jwt(vathos, claims(**changes), "--json"))
    assert members["clock_offset"] is None
    assert "clock" not in in_words(vathos("status"))


@pytest.mark.parametrize("offset", [0.0, 1.9, -1.9])
def test_clocks_that_agree(offset: float) -> None:
    """What a token with whole seconds cannot tell is no difference."""
    members = {"profile": None, "problem": None, "clock_offset": offset}
    assert status_text.in_words(members) == "profile  none\nclock    agrees with the server's"


def test_clock_that_was_set_back_is_seen(vathos: Driver, tmp_path: Path) -> None:
    """A token issued in the future says that this machine's clock is behind."""
    with_jwt(vathos, claims(iat=int(time.time()) + 500, exp=int(time.time()) + 800))
    age(tmp_path, -500)
    assert abs(found(vathos("status", "--json"))["clock_offset"] - 500) < 30


def test_far_and_unknown_ends(vathos: Driver) -> None:
    """A life beyond all calendars, or of unknown length, is no reason to fail."""
    vathos.server.fail("token", Fault.amend(expires_in=10**18))
    vathos("token")
    members = found(vathos("status", "--json"))
    assert (members["state"], members["expires_at_iso"]) == ("fresh", None)
    assert "until beyond the year 9999" in in_words(vathos("status"))["token"]
    vathos.server.fail("token", Fault.without("expires_in"))
    vathos("token", "--force-renew")
    members = found(vathos("status", "--json"))
    assert (members["expires_at"], members["expires_in"]) == (None, None)
    assert in_words(vathos("status"))["token"] == "fresh, works until the API refuses it"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.9, "0 s"), (59, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")],
)
def test_length_of_time_in_words(seconds: float, words: str) -> None:
    """Small units are for short times."""
    assert span(seconds) == words


# --- the exit status ----------------------------------------------------------------------------


def test_stale_token_works(vathos: Driver, tmp_path: Path) -> None:
    """A token towards its end works: 0; `--check` renews it."""
    vathos("token")
    age(tmp_path, 280)
    done = vathos("status", "--json")
    assert (done.status, found(done)["state"]) == (Exit.DONE, "stale")
    assert vathos.server.count() == 1
    done = vathos("status", "--json", "--check")
    assert (done.status, found(done)["state"], found(done)["source"]) == (0, "fresh", "renewed")
    assert vathos.server.count() == 2


def test_expired_token_does_not_work(vathos: Driver, tmp_path: Path) -> None:
    """A dead token is 6, however well it is stored; `--check` gets another."""
    vathos("token")
    age(tmp_path, 310)
    done = vathos("status")
    assert done.status == Exit.NO_TOKEN
    assert "--check" in done.err
    assert in_words(done)["token"].startswith("expired, until ")
    assert in_words(done)["token"].endswith(" s ago")
    assert vathos("status", "--check").status == Exit.DONE


def test_check_of_a_fresh_token_asks_nobody(vathos: Driver) -> None:
    """`--check` gets a token where there is none, and leaves a fresh one alone."""
    assert vathos("status", "--check").status == Exit.DONE
    assert vathos("status", "--check").status == Exit.DONE
    assert vathos.server.count() == 1


def test_outage_is_invisible_while_the_token_works(vathos: Driver, tmp_path: Path) -> None:
    """With a token that still works `--check` is 0, and the trouble on standard error."""
    vathos("token")
    age(tmp_path, 266)
    vathos.server.fail("token", Fault.status(503), times=None)
    done = vathos("status", "--check", "--json", "--token-timeout", "1")
    assert (done.status, found(done)["state"]) == (Exit.DONE, "stale")
    assert done.err.startswith("vathos: the token could not be renewed, but still works: ")


@pytest.mark.parametrize("old", [True, False])
def test_outage_without_a_token(vathos: Driver, tmp_path: Path, old: bool) -> None:
    """With none that works it is 5, and what is known is told all the same."""
    if old:
        vathos("token")
        age(tmp_path, 310)
    vathos.server.fail("token", Fault.status(503), times=None)
    done = vathos("status", "--check", "--json", "--token-timeout", "1")
    members = found(done)
    assert done.status == members["status"] == Exit.UNREACHABLE
    assert members["state"] == ("expired" if old else "none")
    assert done.err == f"vathos: {members['problem']}\n"


def test_refused(vathos: Driver) -> None:
    """Refused credentials are 4 with `--check`; offline nobody knows, so it is 6."""
    wrong = {"VATHOS_CLIENT_SECRET": CANARY.client_secret}
    assert vathos("status", **wrong).status == Exit.NO_TOKEN
    done = vathos("status", "--check", **wrong)
    assert done.status == Exit.REFUSED
    assert "client id or client secret is wrong" in done.err
    assert in_words(done)["token"] == "none"
    assert not CANARY.seen_in(done.out + done.err)


def test_missing_credentials(vathos: Driver) -> None:
    """What is missing is 3, and the settings that there are are told."""
    done = vathos("status", "--json", VATHOS_CLIENT_SECRET="")
    members = found(done)
    assert done.status == members["status"] == Exit.CONFIGURATION
    assert (members["state"], members["grant"]) == (None, None)
    assert members["settings"]["client_secret"] == {"value": None, "source": "not set"}
    assert done.err == f"vathos: {members['problem']}\n"
    assert "VATHOS_CLIENT_SECRET" in members["problem"]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"VATHOS_TOKEN_URL": "ftp://x"}, "VATHOS_TOKEN_URL"),
        ({"VATHOS_CLIENT_SECRET": "", "VATHOS_CLIENT_SECRET_FILE": "/none"}, "/none"),
        ({"VATHOS_TOKEN_STORE": "file:x"}, "file store"),
    ],
)
def test_configuration(vathos: Driver, environ: dict[str, str], named: str) -> None:
    """A setting that cannot be used is 3, and JSON says so too."""
    done = vathos("status", "--json", **environ)
    assert done.status == found(done)["status"] == Exit.CONFIGURATION
    assert done.err == f"vathos: {found(done)['problem']}\n"
    assert named in done.err


def test_store_that_fails_is_no_empty_store(vathos: Driver) -> None:
    """Offline a store that does not answer is 3; with `--check` a token can be had without it."""
    store = {"VATHOS_TOKEN_STORE": f"redis://:{CANARY.password}@127.0.0.1:1"}
    done = vathos("status", **store)
    assert done.status == Exit.CONFIGURATION
    assert in_words(done)["store"] == "redis://127.0.0.1:1"
    assert "token" not in in_words(done)
    assert not CANARY.seen_in(done.out + done.err)
    assert vathos("status", "--check", **store).status == Exit.DONE


def test_store_that_others_can_read(vathos: Driver, tmp_path: Path) -> None:
    """A token that others can read is 7, with the remedy."""
    vathos("token")
    (path,) = entries(tmp_path)
    path.chmod(0o644)
    done = vathos("status")
    assert done.status == Exit.UNSAFE
    assert f"chmod 600 {path}" in done.err


def test_default_store_may_be_missing(vathos: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra nothing is kept: offline 6, and a token can be had all the same."""
    monkeypatch.setitem(sys.modules, "filelock", None)
    assert vathos("status").status == Exit.NO_TOKEN
    done = vathos("status", "--check")
    assert done.status == Exit.DONE
    assert "the token is not kept: " in done.err


# --- every profile ------------------------------------------------------------------------------


def test_all_profiles_are_told(alone: Driver, config: Path) -> None:
    """`--all` has a section or an object for each, and ends with the worst status."""
    server = alone.server
    written(config, profile(server, "a") + profile(server, "b", scope="email"))
    alone("token", "--profile", "a")
    done = alone("status", "--all")
    assert done.status == Exit.NO_TOKEN
    assert [line for line in done.out.splitlines() if line.startswith("profile")] == [
        "profile        a",
        "profile  b",
    ]
    assert "settings:" not in done.out
    assert done.err.startswith("vathos: profile 'b': ")
    assert alone("status", "--all", "--check").status == Exit.DONE
    done = alone("status", "--all", "--json")
    assert [each["profile"] for each in found(done)] == ["a", "b"]
    assert [each["state"] for each in found(done)] == ["fresh", "fresh"]
    assert done.status == Exit.DONE


def test_worst_profile_is_the_status(alone: Driver, config: Path) -> None:
    """A profile that cannot be used does not keep the others from being told."""
    server = alone.server
    broken = '[profile.x]\nclientid = "robot"\n\n'
    refused = profile(server, "r", client_secret=CANARY.client_secret)
    written(config, broken + refused + profile(server, "a"))
    done = alone("status", "--all", "--json")
    assert done.status == Exit.CONFIGURATION
    problem = found(done)[0]["problem"]
    assert problem.startswith(f"{config}, line 2: ")
    assert found(done)[0] == {"profile": "x", "status": 3, "problem": problem}
    assert [each["status"] for each in found(done)] == [3, 6, 6]
    assert f"vathos: profile 'x': {problem}\n" in done.err
    assert f"problem  {problem}" in alone("status", "--all").out
    written(config, refused + profile(server, "a"))
    done = alone("status", "--all", "--json", "--check")
    assert done.status == Exit.REFUSED
    assert [each["status"] for each in found(done)] == [4, 0]


def test_bug(alone: Driver, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody expected is no part of the answer: 1."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError(CANARY.password)

    written(config, profile(alone.server, "a"))
    monkeypatch.setattr("vathos.commands.status.settings_of", broken)
    monkeypatch.setattr("vathos.commands.status.VathosError", Exception)
    done = alone("status", "--all")
    assert (done.status, done.out) == (Exit.FAILED, "")
    assert "this is a bug: KeyError in " in done.err
    assert not CANARY.seen_in(done.err)


def test_no_profile(alone: Driver, config: Path) -> None:
    """Where there is none, `--all` is 3 and says how to make one."""
    done = alone("status", "--all")
    assert (done.status, done.out) == (Exit.CONFIGURATION, "")
    assert "vathos login" in done.err


@pytest.mark.parametrize("arguments", [["--profile", "a"], ["--client-secret-file", "-"]])
def test_all_takes_no_single_choice(alone: Driver, arguments: list[str]) -> None:
    """One profile or one secret cannot be chosen for all."""
    done = alone("status", "--all", *arguments)
    assert (done.status, done.out) == (Exit.USAGE, "")
    assert "--all takes neither" in done.err


# --- secrets ------------------------------------------------------------------------------------


def test_nothing_tells_a_secret(vathos: Driver) -> None:
    """Neither -vv, nor an error, nor the answer holds a secret or a token."""
    clients, users = [Client("robot", CANARY.client_secret)], [User("ada", CANARY.password)]
    with AuthorizationServer(clients=clients, users=users) as server:
        person = {
            "VATHOS_CLIENT_SECRET": CANARY.client_secret,
            "VATHOS_TOKEN_URL": server.token_url,
            "VATHOS_USERNAME": "ada",
            "VATHOS_PASSWORD": CANARY.password,
        }
        told = [vathos("status", "-vv", *more, **person) for more in ((), ("--check",))]
        server.fail("token", Fault.status(500, body=CANARY.client_secret), times=None)
        told.append(vathos("status", "-vv", "--check", "--scope", "x", **person))
        text = "".join(done.out + done.err for done in told)
        assert [done.status for done in told] == [Exit.NO_TOKEN, Exit.DONE, Exit.UNREACHABLE]
        assert "token request" in text or "renewed" in text
        assert not CANARY.seen_in(text)
        assert not any(token in text for token in server.issued)
        assert "refresh-token-" not in text


def test_default_server_is_not_asked(alone: Driver) -> None:
    """Offline no server is asked, also where the settings name the default one."""
    done = alone("status", VATHOS_CLIENT_ID="robot", VATHOS_CLIENT_SECRET="s")
    assert done.status == Exit.NO_TOKEN
    assert in_words(done)["server"] == DEFAULT_TOKEN_URL
