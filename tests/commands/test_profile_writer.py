"""A profile is written into the configuration file, and all else in it stays byte for byte."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.canaries import CANARY, told_by
from vathos.commands.profile_writer import ProfileFile, edited
from vathos.exit_codes import CommandError, Exit

VALUES: dict[str, Any] = {"client_id": "new", "client_secret_keyring": ["vathos", 'a "b"']}
LINES = 'client_id = "new"\nclient_secret_keyring = ["vathos", "a \\"b\\""]\n'


def test_first_profile() -> None:
    """An empty file gets the table alone."""
    assert edited("", "default", VALUES) == f"[profile.default]\n{LINES}"


def test_profile_is_added_at_the_end() -> None:
    """What is there stays as it is, down to its spaces; a missing line end is added."""
    text = '# mine\ndefault_profile="a"   # why\n\n[ profile . a ]\n  client_id  =  "x"'
    assert edited(text, "b", VALUES) == f"{text}\n\n[profile.b]\n{LINES}"


BEFORE = """\
# the robots
default_profile = "robot"

[profile.other]
# [profile.robot]
client_id = '''
[profile.robot]
'''

[ profile . "robot" ] # at gate 3
# who
client_id = "old"  # since 2023
client_secret_command = [
  "pass",   # of the team
  "show [x]",
]
# where
token_url = "https://a.example"
scope = "read"
# the last word

# about the next one
[profile.last]
client_id = "z"
"""
AFTER = """\
# the robots
default_profile = "robot"

[profile.other]
# [profile.robot]
client_id = '''
[profile.robot]
'''

[ profile . "robot" ] # at gate 3
# who
client_id = "new"  # since 2023
# where
token_url = "https://a.example"
client_secret = "s"
# the last word

# about the next one
[profile.last]
client_id = "z"
"""


def test_profile_is_replaced_where_it_is() -> None:
    """Its lines change or go, new ones follow; comments, other profiles and the order stay."""
    values = {"client_id": "new", "client_secret": "s", "token_url": "https://a.example"}
    assert edited(BEFORE, "robot", values) == AFTER
    assert edited(AFTER, "robot", values) == AFTER


def test_line_ends_are_those_of_the_file() -> None:
    """A file of Windows stays one."""
    text = '[profile.a]\r\nclient_id = "x"\r\n'
    changed = edited(text, "b", {"client_id": "y"})
    assert changed == f'{text}\r\n[profile.b]\r\nclient_id = "y"\r\n'
    assert edited(text, "a", {"scope": "y"}) == '[profile.a]\r\nscope = "y"\r\n'


@pytest.mark.parametrize(
    "text",
    [
        'profile = { a = { client_id = "x" } }\n',
        'profile.b.client_id = "x"\nprofile.a.scope = "y"\nprofile.b.scope = "z"\n',
    ],
)
def test_what_cannot_be_edited_without_harm_is_refused(text: str) -> None:
    """A form that takes no other profile, or one in several places, is left to its owner."""
    assert edited(text, "b", VALUES) is None


@given(
    st.dictionaries(st.text(max_size=5), st.text() | st.floats(0.1, 1e300) | st.lists(st.text())),
    st.text(max_size=5),
)
def test_whatever_is_written_is_read_again(profile: dict[str, Any], name: str) -> None:
    """Text of any characters, numbers and lists come back as they were."""
    values = {f"k{number}": value for number, value in enumerate(profile.values())}
    text = edited(BEFORE, name, values)
    assert text is not None
    assert tomllib.loads(text)["profile"][name] == values


# --- the file -----------------------------------------------------------------------------------


def stopped(path: Path, values: dict[str, Any] | None = None) -> str:
    """Returns the words with which a file is not written."""
    with pytest.raises(CommandError) as caught:
        ProfileFile(path).write("a", values or VALUES)
    assert caught.value.status == Exit.CONFIGURATION
    assert not CANARY.seen_in(told_by(caught.value))
    return str(caught.value)


def test_file_and_folder_are_made_for_the_owner_alone(tmp_path: Path) -> None:
    """Whatever the umask, a new folder is 0700 and the file 0600."""
    path = tmp_path / "vathos" / "config.toml"
    umask = os.umask(0)
    try:
        ProfileFile(path).write("a", VALUES)
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_text() == f"[profile.a]\n{LINES}"
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_file_that_others_can_read_is_theirs_no_more(tmp_path: Path) -> None:
    """A file without a secret may be open to others; with one it is not."""
    path = tmp_path / "config.toml"
    path.write_text('[profile.b]\nclient_id = "x"\n')
    path.chmod(0o644)
    ProfileFile(path).write("a", {"client_secret": "s"})
    assert path.stat().st_mode & 0o777 == 0o600


def test_link_is_not_written_through(tmp_path: Path) -> None:
    """A link may lead into a folder that is shared: the file must be named."""
    path = tmp_path / "config.toml"
    path.symlink_to(tmp_path / "elsewhere")
    assert "--config" in stopped(path)


def test_file_that_cannot_be_edited_stays(tmp_path: Path) -> None:
    """A profile in another form is for its owner to change."""
    path = tmp_path / "config.toml"
    text = 'profile = { b = { client_id = "x" } }\n'
    path.write_text(text)
    path.chmod(0o600)
    assert str(path) in stopped(path)
    assert path.read_text() == text


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message has the words of the system."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "vathos" / "config.toml"
    assert stopped(path) == f"{path} cannot be written: Not a directory"


def test_value_that_is_no_text_is_not_written(tmp_path: Path) -> None:
    """Bytes of an environment that are no UTF-8 are refused, without being shown."""
    path = tmp_path / "config.toml"
    values = {"client_secret": f"{CANARY.client_secret}\udcff"}
    assert "UTF-8" in stopped(path, values)
    assert not path.exists()
