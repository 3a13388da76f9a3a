"""The examples of the page *Integrations*, with the packages that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.examples import run
from tests.integrations.test_measures import PAGE

pytestmark = pytest.mark.integrations


def test_examples_of_the_page_run(tmp_path: Path) -> None:
    """Each does what the page says it prints."""
    for name in ("aiohttp", "niquests", "confluent_kafka", "grpc", "opentelemetry"):
        pytest.importorskip(name, reason=f"{name} is not installed: .[integrations]")
    assert run(PAGE, tmp_path) == PAGE.read_text(encoding="utf-8").count("```python\n") >= 7
