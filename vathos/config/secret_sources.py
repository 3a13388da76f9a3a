"""Where a secret is kept other than in clear: a file, a command's output, the keyring.

Each is read anew each time it is called, so that a secret may be rotated where it is kept without a
restart. What goes wrong is told without a byte of what was read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vathos.system.extras import install_line
from vathos.system.late_errors import configuration_error

__all__ = ["SecretCommand", "SecretFile", "SecretKeyring", "without_line_end"]

_LONGEST_COMMAND = 60.0
"""Seconds a command may take: some ask a person to unlock something."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """Reads a secret from a file, as container platforms mount them.

    Attributes:
        place: Which setting names the file.
        path: The file.
    """

    place: str
    path: str

    def __call__(self) -> str:
        """Reads the secret.

        Returns:
            The content, without one line end at its end.

        Raises:
            ConfigurationError: If it cannot be read, is no text, or is empty.
        """
        content, reason = "", None
        try:
            # By path, not by descriptor: Kubernetes swaps a symlink.
            content = Path(self.path).read_text(encoding="utf-8")
        except OSError as error:
            reason = error.strerror
        except UnicodeDecodeError:
            reason = "it is not UTF-8 text"
        if reason is not None:  # here, so that the codec's error, which holds the file, is no part
            configuration_error(f"the file {self.path} ({self.place}) cannot be read: {reason}")
        secret = without_line_end(content)
        if not secret:
            configuration_error(f"the file {self.path} ({self.place}) is empty")
        return secret


@dataclass(frozen=True, slots=True)
class SecretCommand:
    """Reads a secret from the output of a command, which runs without a shell.

    Attributes:
        place: Which setting names the command.
        command: The program and its arguments.
    """

    place: str
    command: tuple[str, ...] = field(repr=False)

    def __call__(self) -> str:
        """Runs the command.

        Returns:
            What it printed, without one line end at its end.

        Raises:
            ConfigurationError: If it failed, took too long, or printed no text.
        """
        import subprocess  # noqa: PLC0415 - late, as few have such a command

        secret, reason = "", None
        try:
            # Its standard error is the terminal's: that is where such programs ask and complain.
            done = subprocess.run(  # noqa: S603 - the user's own command, as a list
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=_LONGEST_COMMAND,
                check=False,
            )
            secret = without_line_end(done.stdout.decode())
            if done.returncode:
                reason = f"ended with status {done.returncode}"
            elif not secret:
                reason = "printed nothing"
        except subprocess.TimeoutExpired:
            reason = f"took longer than {_LONGEST_COMMAND:g} s"
        except UnicodeDecodeError:
            reason = "printed something that is not UTF-8 text"
        except OSError as error:
            reason = f"could not be run: {error.strerror}"
        if reason is not None:  # here, so that an error that holds the output is no part
            configuration_error(f"the command {self.command[0]} ({self.place}) {reason}")
        return secret


@dataclass(frozen=True, slots=True)
class SecretKeyring:
    """Reads a secret from the desktop's keyring.

    Attributes:
        place: Which setting names the entry.
        service: Name of the service, as `keyring get SERVICE USERNAME` takes it.
        entry: Name of the user there.
    """

    place: str
    service: str
    entry: str

    def __call__(self) -> str:
        """Asks the keyring.

        Returns:
            The secret.

        Raises:
            ConfigurationError: If there is no such entry, no keyring, or no package for it.
        """
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
    """Takes off the line end that editors and commands put at the end.

    Args:
        text: What was read.

    Returns:
        The text without one line end; all else belongs to the secret.
    """
    return text.removesuffix("\n").removesuffix("\r")
