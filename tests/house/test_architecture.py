"""The floors of the house, held against the real imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "vathos"

# The house, from the ground up: a folder or a flat file, and its floor. A module imports lower
# floors, and neighbours in its own folder; rooms on one floor do not know each other.
FLOORS: list[set[str]] = [
    {"errors"},
    {"system"},
    {"tokens", "grants", "events"},
    {"policy", "oauth"},
    {"stores", "config", "testing", "exit_codes"},
    {"renewal", "pytest_plugin"},
    {"token_source"},
    {"bearer"},
    {"auth", "dropin"},
    {"assembly"},
    {"session", "authentication", "source"},
    {"__init__"},
    {"integrations"},
    {"cli"},
    {"commands", "__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


@cache
def modules() -> dict[str, Path]:
    """Lists the modules of the package by name, without `vathos.` before it."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[1:] and parts[-1] == "__init__" else parts)] = path
    return found


def room(module: str) -> str:
    """Names the folder at the top that a module lies in, or the module itself."""
    return module.split(".", maxsplit=1)[0]


@cache
def imports(path: Path) -> set[str]:
    """Finds what a module imports of this package, anywhere in it but for type checkers."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vathos"):
            module = (node.module or "").removeprefix("vathos").removeprefix(".")
            names = [f"{module}.{alias.name}".lstrip(".") for alias in node.names]
            found |= {name if name in modules() else module or "__init__" for name in names}
        elif isinstance(node, ast.Import):
            found |= {
                alias.name.removeprefix("vathos.")
                for alias in node.names
                if alias.name.startswith("vathos.")
            }
    return found


def test_every_room_has_a_floor() -> None:
    """The table above and the files are the same set."""
    assert {room(name) for name in modules()} == set(FLOOR)


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_point_down(name: str) -> None:
    """A module imports only rooms on floors below its own, and neighbours in its own room."""
    for imported in imports(modules()[name]):
        if room(imported) != room(name):
            assert FLOOR[room(imported)] < FLOOR[room(name)], f"{name} must not import {imported}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Whoever reads one module can read what it stands on without coming back to it."""
    # `vathos/__init__.py` names the public modules for type checkers only.
    graph = {name: imports(path) - {name} for name, path in modules().items()}
    while leaves := {name for name, below in graph.items() if not below & graph.keys()}:
        graph = {name: below for name, below in graph.items() if name not in leaves}
    assert not graph, f"a circle among {sorted(graph)}"


def test_testing_imports_nothing_of_the_client_side() -> None:
    """The witness is not related to the accused."""
    for path in (PACKAGE / "testing").glob("*.py"):
        if path.name.startswith("store_"):  # the contract of stores is about the client side
            continue
        assert all(room(name) == "testing" for name in imports(path)), path.name


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
        "config.settings",
        "stores.memory",
        "stores.file",
        "policy",
        "oauth.identity",
        "oauth.private_key",
        "oauth.github",
        "config.client",
        "cli",
        "commands.token",
        "commands.request.command",
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
SESSION_CLASS = {"session", "dropin", "dropin.oauth2_session"}
SESSION_CLASS |= {"dropin.proxies", "dropin.unpatched"}
SESSION_CLASS |= {"dropin.fast_session", "dropin.fast_adapter", "dropin.options"}
SESSION_CLASS |= {"errors", "tokens", "system"}
SESSION_CLASS |= {"system.clock", "system.forks", "system.late_errors"}
SESSION_CLASS |= {"oauth", "oauth.transport", "oauth.trust", "oauth.urls"}


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
