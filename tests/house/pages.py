"""The reference pages: one for each public module, written by lazydocs from the docstrings.

`python -m tests.house.pages` writes them, and the pages of the guide that are made from code.
lazydocs 0.4.8 is used as a library, because its command line needs a method of importlib that
Python 3.12 dropped, and because some of what it writes would be different on each machine or lead
nowhere; those places are repaired here.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

from lazydocs import generation

from tests.house.architecture_page import architecture_page
from tests.house.commands_page import commands_page

__all__ = ["COMMAND", "DOCS", "HANDWRITTEN", "modules", "pages"]

COMMAND = "python -m tests.house.pages"
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HANDWRITTEN = {"changelog.md"}
"""Pages beside the generated ones; the guides have a folder of their own."""
PUBLIC_MODULES = [
    "authentication",
    "session",
    "auth",
    "source",
    "token_source",
    "integrations",
    "integrations.httpx",
    "integrations.httpx2",
    "policy",
    "tokens",
    "grants",
    "events",
    "errors",
    "exit_codes",
    "pytest_plugin",
    "config.settings",
    "oauth.endpoint",
    "oauth.discovery",
    "stores",
    "stores.base",
    "stores.memory",
    "stores.file",
    "stores.keyring",
    "stores.redis",
    "stores.urls",
    "testing",
    "testing.server",
    "testing.faults",
    "testing.accounts",
    "testing.api",
    "testing.records",
    "testing.tokens",
    "testing.store_contract",
    "testing.orders",
    "testing.fault_json",
    "testing.scenario",
    "testing.control",
]
"""What a user imports or reads; how the rest works is told where it is, in one sentence each."""

WITH_LINES = {"vathos.authentication"}
"""Pages that keep lazydocs' links to lines of the source."""

_ADDRESS = re.compile(
    r"<(?:built-in |bound )?(?:function|method) (?:\w+\.)*(\w+)(?: of [^>]*| at 0x\w+)?>"
)
_ROW = "\0"
_ARGUMENT = re.compile(r"(\*{0,2}[A-Za-z_][\w.]*):(.{2,})")


def modules() -> Iterator[str]:
    """Lists the modules that have a page.

    Yields:
        Full names.
    """
    for name in PUBLIC_MODULES:
        yield f"vathos.{name}"


def pages() -> dict[str, str]:
    """Writes every page.

    Returns:
        The text of each page, by file name.
    """
    # What lazydocs takes for the name of an argument: "Seconds; zero if there is none: …" is none.
    generation._RE_ARGSTART = _ARGUMENT
    generation._get_function_signature = _signature
    generation._get_docstring = _docstring
    generator = _Generator(src_root_path=str(ROOT), src_base_url="../", remove_package_prefix=True)
    return {
        f"{name.removeprefix('vathos.')}.md": _page(generator, import_module(name))
        for name in modules()
    }


def _page(generator: generation.MarkdownGenerator, module: ModuleType) -> str:
    with contextlib.ExitStack() as patches:
        # lazydocs passes over functions that a decorator made something else: fixtures, caches.
        for name, value in list(vars(module).items()):
            if hasattr(value, "__wrapped__"):
                patches.enter_context(mock.patch.object(module, name, inspect.unwrap(value)))
        text = generator.module2md(module)
    text = text.replace("# <kbd>module</kbd> `vathos.", "# <kbd>module</kbd> `", 1)
    text = _own_variables(text, module)
    text = re.sub(r"```python\n.*?```", _straight, text, flags=re.DOTALL)
    text = text.replace(f" {_ROW}", "\n").replace(_ROW, "")
    if module.__name__ not in WITH_LINES:
        # They name a line of the source: stale with each commit, and a request to another host.
        text = re.sub(r'<a href="[^"]*#L\d+"><img [^>]*></a>\n*', "", text)
    return f"<!-- markdownlint-disable -->\n{text}"


def _docstring(thing: object) -> str:
    """Marks the rows of tables, as lazydocs joins lines."""
    text = inspect.getdoc(thing) if thing.__doc__ else None
    return re.sub(r"(?m)^(?=\|)", _ROW, text or "")


def _own_variables(text: str, module: ModuleType) -> str:
    """Leaves out the variables that the module has from elsewhere, or keeps to itself."""
    for name in re.findall(r"(?m)^- \*\*(\w+)\*\*", text):
        if name not in getattr(module, "__all__", ()):
            text = re.sub(rf"(?m)^- \*\*{name}\*\*.*\n", "", text)
    return re.sub(r"\*\*Global Variables\*\*\n-+\n(?!- )", "", text)


def _straight(fence: re.Match[str]) -> str:
    """Takes away the space that lazydocs puts before each indented line of an example."""
    return re.sub(r"(?m)^ ((?: {4})+)(?=\S)", r"\1", fence[0])


class _Generator(generation.MarkdownGenerator):  # type: ignore[misc]  # lazydocs has no types
    """Leaves out what leads nowhere, and puts in what is inherited."""

    def _get_src_path(self, obj: Any, append_base: bool = True) -> str:
        """Finds the source of an object; the methods that dataclasses make have none."""
        # A function that was decorated is where it was written, not where the decorator is.
        path: str = super()._get_src_path(inspect.unwrap(obj), append_base)
        return "" if "<" in path else path

    def class2md(self, cls: type, depth: int = 2) -> str:
        """Describes a class with all that it has from this package, and nothing from elsewhere.

        Left out are properties of a foreign base, and those of which nothing is said.

        Args:
            cls: The class.
            depth: Depth of its heading.

        Returns:
            Markdown.
        """
        text: str = super().class2md(cls, depth)
        for name, value in inspect.getmembers(cls, lambda member: isinstance(member, property)):
            home = getattr(value.fget, "__module__", "")
            if not home.startswith("vathos.") or not value.__doc__:
                block = rf"\n---\n\n#+ <kbd>property</kbd> {name}\n(?:(?!\n---\n).)*"
                text = re.sub(block, "", text, count=1, flags=re.DOTALL)
        for name, method in inspect.getmembers(cls, _is_python):
            home = getattr(method, "__module__", None) or ""
            is_inherited = home.startswith("vathos.") and home != cls.__module__
            if is_inherited and not name.startswith("_"):
                text += generation._SEPARATOR + self.func2md(method, cls.__name__, depth + 1)
        return text


def _is_python(member: object) -> bool:
    return inspect.isfunction(member) or inspect.ismethod(member)


def _signature(function: Callable[..., Any], *, wrap_arguments: bool = False, **_: Any) -> str:
    """Writes a signature as it stands in the source, keyword-only marker and all."""
    signature = inspect.signature(function)
    defaults = _defaults(function)
    parts: list[str] = []
    keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            parts.append("*")
        keyword_only = keyword_only or parameter.kind is parameter.VAR_POSITIONAL
        parts.append(_parameter(parameter, defaults.get(parameter.name)))
    returned = signature.return_annotation
    arrow = "" if returned is signature.empty else f" → {_annotation(returned)}"
    inside = "".join(f"\n    {part}," for part in parts) + "\n"
    text = inside if wrap_arguments and parts else ", ".join(parts)
    return f"{function.__name__}({text}){arrow}"


def _defaults(function: Callable[..., Any]) -> dict[str, str]:
    """Finds the defaults as the source has them: `os.environ`, and not what is in it."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except OSError:  # a method that dataclasses made
        return {}
    arguments = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.arguments))
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    texts = {a.arg: ast.get_source_segment(source, node) for a, node in pairs if node is not None}
    return {name: " ".join((text or "").split()) for name, text in texts.items()}


def _parameter(parameter: inspect.Parameter, source: str | None) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = stars + parameter.name
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    value = source or _ADDRESS.sub(r"\1", repr(parameter.default)).replace("<factory>", "...")
    return f"{text} = {value}" if ": " in text else f"{text}={value}"


def _annotation(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation)


def main() -> None:
    """Writes the pages that have changed, and takes away those without a module."""
    written = pages()
    for path in DOCS.glob("*.md"):
        if path.name not in written.keys() | HANDWRITTEN:
            path.unlink()
            print(f"removed docs/{path.name}")
    written |= {"guide/commands.md": commands_page(), "guide/architecture.md": architecture_page()}
    for name, text in written.items():
        path = DOCS / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
            print(f"wrote docs/{name}")


if __name__ == "__main__":
    sys.exit(main())
