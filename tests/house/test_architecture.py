"""The floors of the house, held against the real imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vathos"

# A module imports lower floors only; one floor has no order, so its modules do not import each
# other. New modules take the lowest floor that works.
FLOORS: list[set[str]] = [
    {"claims"},
    {"errors", "urls", "tokens", "forks", "logs", "challenges", "exit_codes", "pytest_plugin"}
    | {"keys", "originals", "transport", "commands.plain"},
    {"environment", "preparing"}
    | {"grants", "policy", "pauses", "locks", "events", "background", "retries", "failures"}
    | {
        "stores.entries",
        "stores.extras",
        "stores.patience",
        "profile",
        "secret_sources",
    },
    {"shortcuts", "identity", "exchange", "levels", "stores.folder", "verdicts"},
    {
        "commands",
        "commands.asking",
        "commands.paging",
        "commands.private_files",
        "commands.profiles",
        "commands.status_words",
        "commands.shortcut",
        "commands.streams",
    }
    | {
        "commands.accounts",
        "commands.certificates",
        "commands.findings",
        "refusals",
        "endpoint",
        "config",
        "stores.base",
        "stores",
        "stores.sweeping",
        "demo",
    },
    {"stores.memory", "stores.file", "stores.redis", "renewal", "revocation"}
    | {"discovery", "commands.options", "commands.bodies"},
    {"stores.bypass", "stores.keyring", "commands.stored", "commands.profile_file"}
    | {"commands.realm_check"},
    {"sharing", "commands.formats", "commands.described", "commands.keyring_entry"},
    {"source", "stores.urls"},
    {"auth", "dropin", "commands.local_checks"},
    {"assembly"},
    {"session", "authentication", "demo.screen", "commands.way_checks"},
    {
        "demo.job",
        "commands.obtaining",
        "commands.progress",
        "commands.server_checks",
        "commands.serving",
    },
    {"demo.incidents", "demo.report", "commands.token", "commands.serve", "commands.doctor"}
    | {"commands.calling", "commands.standing", "commands.login", "commands.logout"},
    {"demo.command", "commands.receiving", "commands.status"},
    {"cli", "commands.request"},
    {"commands.completion"},
    {"__init__", "__main__"},
]
FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}

# Errors import requests, for every error is one of requests' too; who must be cheap imports late.
LATE = {("config", "errors"), ("grants", "errors")}


def modules() -> dict[str, Path]:
    """Lists the modules of the client side: everything but the embedded server."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if not name.startswith("testing"):
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    """Finds what a module imports of this package, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vathos"):
            module = (node.module or "").removeprefix("vathos").removeprefix(".")
            names = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {name if name in modules() else module for name in names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("vathos.")
                for alias in node.names
                if alias.name.startswith("vathos.")
            }
    return found - {""}


def test_every_module_has_a_floor() -> None:
    """The table above and the files are the same set."""
    assert set(modules()) == set(FLOOR)


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_down(name: str) -> None:
    """A module imports only from floors below its own; so there is no circle either."""
    if name == "__init__":
        return
    for imported in imports(modules()[name]):
        if imported.startswith("testing"):
            assert FLOOR[name] >= FLOOR["demo.job"] or name == "pytest_plugin"
            continue
        assert FLOOR[imported] < FLOOR[name], f"{name} must not import {imported}"


def test_testing_imports_nothing_of_the_client_side() -> None:
    """The witness is not related to the accused."""
    for path in (PACKAGE / "testing").glob("*.py"):
        if path.name == "store_samples.py":  # the contract of stores is about the client side
            continue
        assert all(name.startswith("testing") for name in imports(path)), path.name


def loaded(statement: str) -> set[str]:
    """Runs a statement in a fresh interpreter and returns what it imported."""
    code = f"{statement}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_import_of_the_package_loads_nothing() -> None:
    """`import vathos` loads neither requests nor any room; names come when they are asked for."""
    names = loaded("import vathos")
    assert not {name for name in names if name.startswith(("vathos.", "requests", "oauthlib"))}


@pytest.mark.parametrize(
    "name",
    [
        "config",
        "stores.memory",
        "stores.file",
        "policy",
        "identity",
        "cli",
        "commands.token",
        "commands.request",
    ],
)
def test_cheap_rooms_do_not_import_requests(name: str) -> None:
    """What a command line needs to read settings and tokens costs no HTTP library."""
    assert not {"requests", "oauthlib", "urllib3"} & loaded(f"import vathos.{name}")


def test_session_does_not_load_the_embedded_server() -> None:
    """Production code never loads `vathos.testing`."""
    assert not any(
        name.startswith("vathos.testing")
        for name in loaded("import vathos.session, vathos.assembly")
    )


# What the class VathosSession is made of; its parts come with the first session.
SESSION_CLASS = {"session", "dropin", "shortcuts", "environment", "preparing", "originals"}
SESSION_CLASS |= {"claims", "errors", "forks", "tokens", "transport", "urls"}


def test_session_class_loads_only_what_it_is_made_of() -> None:
    """Who imports the class and builds no session, as a test run does, pays for little more."""
    names = loaded("from vathos import VathosSession") - loaded("import requests_oauthlib")
    allowed = {f"vathos.{name}" for name in SESSION_CLASS}
    assert names <= {"vathos", "dataclasses", *allowed}


FORBIDDEN = {"pickle", "marshal", "shelve"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_nothing_unsafe_is_used(path: Path) -> None:
    """No unsafe deserialisation, no eval, and no URL is compared as text."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not FORBIDDEN & {alias.name for alias in node.names}
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "startswith"
        ):
            assert "url" not in ast.unparse(node.func.value).lower()
