"""A check and its outcome, whatever it raises."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.canaries import CANARY
from vathos.commands.doctor.checks import Check, failed, ok, run_check, until_failed, warning
from vathos.errors import ConfigurationError
from vathos.exit_codes import CommandError, Exit


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (OSError(28, "No space left"), Exit.CONFIGURATION, "No space left"),
        (OSError(), Exit.CONFIGURATION, "OSError"),
        (ConfigurationError("no such file"), Exit.CONFIGURATION, "no such file"),
        (CommandError(Exit.UNSAFE, "not safe"), Exit.UNSAFE, "not safe"),
        (TypeError(CANARY.client_secret), Exit.FAILED, "the check itself failed (TypeError)"),
    ],
)
def test_error_is_a_failed_check(error: Exception, status: Exit, detail: str) -> None:
    """What a check raises is its outcome; an unexpected error is named without its message."""

    def work() -> Iterator[Check]:
        yield ok("store", "opened")
        raise error

    first, second = run_check("store", "choose another", work)
    assert first == ok("store", "opened")
    assert (second.outcome, second.detail, second.status) == ("failed", detail, status)


def test_wrong_command_line_is_not_a_check() -> None:
    """An error of usage ends the command, as for the other commands."""

    def work() -> Iterator[Check]:
        raise CommandError(Exit.USAGE, "only one secret can come from standard input")

    with pytest.raises(CommandError):
        list(run_check("settings", "correct it", work))


def test_checks_end_with_the_first_that_fails() -> None:
    """What depends on a failed check is not even started; a warning does not count."""
    passed = []

    def checks() -> Iterator[Check]:
        yield warning("clock", "slow", "set it")
        yield failed("realm", "missing", "correct it", Exit.CONFIGURATION)
        passed.append("too far")

    running = until_failed(checks())
    assert [next(running).name, next(running).name] == ["clock", "realm"]
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value is False
    assert passed == []
