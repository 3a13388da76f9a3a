"""Where settings take a client assertion from, and what they refuse beside it."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from vathos import VathosSession
from vathos.config.client import proof_arguments
from vathos.config.secret_sources import SecretCommand, SecretFile
from vathos.config.settings import Settings, resolve
from vathos.errors import ConfigurationError


def found(**environ: str) -> Settings:
    """Resolves settings of the environment alone."""
    return resolve({}, environ=environ)


def text_of(settings: Settings) -> str:
    """Reads the assertion of settings."""
    assert settings.client_assertion is not None
    return settings.client_assertion.reveal()


def argument(assertion: object, assertion_file: object) -> Any:
    """Returns the setting that the arguments of a session make."""
    given = defaultdict[str, Any](lambda: None)
    given |= {"assertion": assertion, "assertion_file": assertion_file}
    return proof_arguments(given)["client_assertion"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with an assertion."""
    path = tmp_path / "vathos.client_assertion"
    path.write_text("from-a-file")
    return path


def test_variable_names_a_file(file: Path) -> None:
    """With an assertion nothing else is missing, not even a client id."""
    settings = found(VATHOS_CLIENT_ASSERTION_FILE=str(file))
    assert (text_of(settings), settings.missing) == ("from-a-file", ())
    assert settings.sources["client_assertion"] == "VATHOS_CLIENT_ASSERTION_FILE"


def test_variable_names_a_command(file: Path) -> None:
    """A command is split into words as a shell would, and run without one."""
    command = f'{sys.executable} -c \'print("from a" + "-command")\''
    assert text_of(found(VATHOS_CLIENT_ASSERTION_COMMAND=command)) == "from a-command"


@pytest.mark.parametrize("command", ["cat 'x", "  "])
def test_command_that_is_none_is_refused(command: str) -> None:
    """An open quotation mark is an error that names the variable."""
    with pytest.raises(ConfigurationError, match="VATHOS_CLIENT_ASSERTION_COMMAND is no command"):
        found(VATHOS_CLIENT_ASSERTION_COMMAND=command)


def test_variable_holds_an_assertion() -> None:
    """GitLab puts its tokens into variables."""
    assert text_of(found(VATHOS_CLIENT_ASSERTION="from-a-variable")) == "from-a-variable"


def test_credentials_folder_holds_an_assertion(file: Path) -> None:
    """The file of systemd is read at each renewal, not once."""
    settings = found(CREDENTIALS_DIRECTORY=str(file.parent))
    file.write_text("another")
    assert text_of(settings) == "another"


def test_profile_names_a_file(file: Path) -> None:
    """A relative path of a profile starts at the profile's folder."""
    config = file.parent / "config.toml"
    config.write_text('[profile.default]\nclient_assertion_file = "vathos.client_assertion"\n')
    config.chmod(0o600)
    assert text_of(resolve({}, environ={}, config=str(config))) == "from-a-file"


def test_argument_names_a_file(file: Path) -> None:
    """A path and its text are the same file; a tilde is the home folder."""
    one, same = argument(None, file), argument(None, str(file))
    assert one == same == SecretFile("assertion_file", str(file))
    assert "~" not in str(getattr(argument(None, "~/x"), "path", "~"))


def test_argument_is_a_command() -> None:
    """A list is the words of a command; one with an empty word is refused."""
    assert argument(["cat", "x"], None) == SecretCommand("assertion", ("cat", "x"))
    for words in ([], ["cat", ""]):
        with pytest.raises(ConfigurationError, match="assertion is no command"):
            argument(words, None)


# --- two of them --------------------------------------------------------------------------------


def test_two_assertions_are_refused(file: Path) -> None:
    """Two assertions in one place are an error that names both."""
    with pytest.raises(ConfigurationError, match="both assertion and assertion_file"):
        VathosSession(assertion="x", assertion_file=file)
    with pytest.raises(
        ConfigurationError, match="both VATHOS_CLIENT_ASSERTION_FILE and VATHOS_CLIENT_ASSERTION_C"
    ):
        found(VATHOS_CLIENT_ASSERTION_FILE="a", VATHOS_CLIENT_ASSERTION_COMMAND="b")


def test_assertion_beside_a_secret_is_refused(file: Path) -> None:
    """A secret and an assertion in one place are an error that names both."""
    with pytest.raises(ConfigurationError, match="both client_secret and assertion_file"):
        VathosSession("robot", "secret", assertion_file=file)
    with pytest.raises(
        ConfigurationError, match="both VATHOS_CLIENT_SECRET and VATHOS_CLIENT_ASSERTION_FILE"
    ):
        found(VATHOS_CLIENT_SECRET="s", VATHOS_CLIENT_ASSERTION_FILE=str(file))
    config = file.parent / "config.toml"
    config.write_text('[profile.default]\nclient_secret = "s"\nclient_assertion_file = "x"\n')
    config.chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"client_secret in .* and .*client_assertion_fil"):
        resolve({}, environ={}, config=str(config))


def test_higher_place_wins_over_a_lower_one(file: Path) -> None:
    """As for all settings, what is given closer to the call counts alone."""
    environ = {"VATHOS_CLIENT_SECRET": "s", "VATHOS_CLIENT_ID": "robot"}
    settings = resolve({"client_assertion": SecretFile("test", str(file))}, environ=environ)
    assert (text_of(settings), settings.client_secret) == ("from-a-file", None)
    assert settings.client_id == "robot"


def test_person_of_a_lower_place_is_not_joined(file: Path) -> None:
    """A user name left over in a shell does not make a person of a pod."""
    environ = {"VATHOS_USERNAME": "ada", "VATHOS_PASSWORD": "pw"}
    settings = resolve({"client_assertion": SecretFile("test", str(file))}, environ=environ)
    assert settings.username is None


def test_without_any_credential_nothing_is_sent() -> None:
    """A session without a credential says so at its first request."""
    with pytest.raises(ConfigurationError, match="client_id and client_secret are missing"):
        VathosSession().get("products")
