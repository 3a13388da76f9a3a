"""Reads a secret from a file, from the output of a command, or from the keyring.

A source reads anew at each call, so that a secret can be rotated without a restart. No message
repeats any part of what was read. `place` is the setting that names the source, for messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vathos.system.extras import install_line
from vathos.system.late_errors import configuration_error

__all__ = ["SecretCommand", "SecretFile", "SecretKeyring", "without_line_end"]

_LONGEST_COMMAND = 60.0
"""Seconds a command may take; some ask a person to unlock something."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """Reads a secret from a file, as container platforms mount them."""

    place: str
    path: str

    def __call__(self) -> str:
        """Returns the content of the file without one line end at its end."""
        content, reason = "", None
        try:
            # By path, not by descriptor: Kubernetes swaps a symlink.
            content = Path(self.path).read_text(encoding="utf-8")
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        if reason is not None:  # here: the codec's error would hold the file
            configuration_error(f"the file {self.path} ({self.place}) cannot be read: {reason}")
        secret = without_line_end(content)
        if not secret:
            configuration_error(f"the file {self.path} ({self.place}) is empty")
        return secret


@dataclass(frozen=True, slots=True)
class SecretCommand:
    """Reads a secret from the output of a command, which runs without a shell."""

    place: str
    command: tuple[str, ...] = field(repr=False)

    def __call__(self) -> str:
        """Runs the command and returns what it printed, without one line end at its end."""
        secret, reason = self._run()
        if reason is not None:  # here, where no local variable holds the output
            configuration_error(f"the command {self.command[0]} ({self.place}) {reason}")
        return secret

    def _run(self) -> tuple[str, str | None]:
        """Returns what the command printed, or nothing and the reason."""
        import subprocess  # noqa: PLC0415 - only for a command

        try:
            # Standard error stays the terminal: there such programs ask and report errors.
            done = subprocess.run(  # noqa: S603 - the user's own command, as a list
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=_LONGEST_COMMAND,
                check=False,
            )
            if done.returncode:
                return "", f"ended with status {done.returncode}"
            secret = without_line_end(done.stdout.decode())
        except subprocess.TimeoutExpired:
            return "", f"took longer than {_LONGEST_COMMAND:g} s"
        except UnicodeDecodeError:
            return "", "printed something that is not UTF-8 text"
        except OSError as error:
            return "", f"could not be run: {error.strerror}"
        return secret, None if secret else "printed nothing"


@dataclass(frozen=True, slots=True)
class SecretKeyring:
    """Reads a secret from the desktop's keyring; `entry` is what keyring calls the user name."""

    place: str
    service: str
    entry: str

    def __call__(self) -> str:
        """Returns the secret of the entry."""
        try:
            import keyring  # noqa: PLC0415 - the extra keyring brings it
        except ImportError:
            configuration_error(
                f"the keyring ({self.place}) needs the package keyring: {install_line('keyring')}"
            )
        secret, reason = None, "has no such entry"
        try:
            secret = keyring.get_password(self.service, self.entry)
        except Exception as error:  # noqa: BLE001 - backends raise what they like
            reason = f"could not be read ({type(error).__name__})"
        if not secret:
            configuration_error(f"the keyring {reason}: {self.service} {self.entry} ({self.place})")
        return secret


def without_line_end(text: str) -> str:
    """Removes the line end that editors and commands add; all else belongs to the secret."""
    return text.removesuffix("\n").removesuffix("\r")
