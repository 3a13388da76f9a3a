"""The pages about clients without a secret: what they say is tested, and their settings exist."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.house.examples import ROOT, fences
from vathos.config.names import KEYS, SECRET_PLACES, SECRETS, variable

REALM = json.loads((ROOT / "tests/servers/picking-realm.json").read_text(encoding="utf-8"))
PAGES = {
    ROOT / "docs/guide/kubernetes.md": ["kubernetes", "robot-pod"],
    ROOT / "docs/guide/ci.md": ["github", "robot-github", "gitlab", "robot-gitlab"],
    ROOT / "docs/guide/robot.md": ["robot-key", "robot-certificate"],
}
ISSUER = "https://login.example.com/realms/acme"
SETTINGS = {
    *map(variable, KEYS),
    *(f"{variable(name)}_{place.upper()}" for name in SECRETS for place in SECRET_PLACES),
}


def shown(path: Path) -> list[dict[str, Any]]:
    """Reads the JSON blocks of a page."""
    return [json.loads(fence.text) for fence in fences(path) if fence.language == "json"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_realm_of_a_page_is_the_one_that_is_tested(path: Path) -> None:
    """Each client and provider on the page is word for word the one in the test bed."""
    known = {each["clientId"]: each for each in REALM["clients"]}
    known |= {each["alias"]: each for each in REALM["identityProviders"]}
    assert shown(path) == [known[name] for name in PAGES[path]]
    texts = [fence.text for fence in fences(path) if fence.language == "json"]
    assert [text for text in texts if text != json.dumps(json.loads(text), indent=2)] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_settings_of_a_page_exist(path: Path) -> None:
    """Whatever a job sets on the page, `vathos` reads; the realm is one and the same everywhere."""
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"VATHOS_\w+", text)) <= SETTINGS
    assert set(re.findall(r"https://login[\w./-]+", text)) == {ISSUER}
