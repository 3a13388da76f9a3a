"""What the parents promise, their own tests say: `VathosSession` passes each that they pass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.dropin import suites
from tests.dropin.suites import Suite, counts, exceptions, regressions

SUITES = [suites.REQUESTS, suites.REQUESTS_OAUTHLIB]


@pytest.fixture(scope="module", params=SUITES, ids=lambda suite: suite.distribution)
def suite(request: pytest.FixtureRequest) -> Suite:
    """A suite, unpacked; skips where it cannot be had, unless `VATHOS_REQUIRE_DROPIN=1`."""
    wanted: Suite = request.param
    try:
        wanted.folder  # noqa: B018 - fetched here, where the cache is still the user's
    except suites.UnavailableError as error:
        if os.environ.get("VATHOS_REQUIRE_DROPIN") == "1":
            pytest.fail(f"the suite is required here: {error}", pytrace=False)
        pytest.skip(str(error))
    return wanted


@pytest.mark.slow
def test_suite_of_the_parent_passes(
    suite: Suite, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No test fails that passes with the parent, but for those listed with a reason."""
    # Both at once: most of a run is waiting.
    runs = [suite.start("", tmp_path / "parent.json")]
    runs.append(suite.start(suite.stands_in_for, tmp_path / "ours.json"))
    parent, ours = (run.result() for run in runs)
    with capsys.disabled():
        print(f"\n{suite.stands_in_for}: {counts(parent)}; VathosSession: {counts(ours)}")
    listed = {name for name in exceptions() if name in parent}
    failed = [name for name in regressions(parent, ours) if name not in listed]
    if failed:
        # Their servers and timeouts are short of breath on a busy machine.
        ours |= suite.start(suite.stands_in_for, tmp_path / "again.json", only=failed).result()
        failed = [name for name in regressions(parent, ours) if name in failed]
    assert not failed, (tmp_path / "ours.log").read_text()[-6000:]
    assert sum(outcome == "passed" for outcome in parent.values()) > 50
    assert not [name for name in listed if ours.get(name) == "passed"], "listed, but they pass"


def test_regression_is_what_the_parent_passes() -> None:
    """A test that fails with the parent too is no regression; one that is not run at all is."""
    parent = {"a": "passed", "b": "failed", "c": "passed", "d": "passed"}
    assert regressions(parent, {"a": "passed", "b": "failed", "c": "failed"}) == ["c", "d"]
    assert counts(parent) == "3 passed, 1 failed"


def test_each_exception_has_a_reason() -> None:
    """The README lists tests by their names, and says of each why it may fail."""
    listed = exceptions()
    assert len(listed) == 15
    assert all(len(reason) > 20 for reason in listed.values())
