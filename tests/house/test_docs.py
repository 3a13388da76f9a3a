"""The documentation: the pages are current, the examples run, and nothing leads nowhere."""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from pathlib import Path

import pytest

from tests.house.examples import Fence, fences, prose, run, said
from tests.house.pages import COMMAND, DOCS, HANDWRITTEN, modules, pages
from vathos import errors
from vathos.cli import COMMANDS

ROOT = DOCS.parent
README = ROOT / "README.md"
GUIDES = sorted((DOCS / "guide").glob("*.md"))
WRITTEN = [README, DOCS / "changelog.md", *GUIDES]
NEEDED = [DOCS / f"{name.removeprefix('vathos.')}.md" for name in modules()]
GENERATED = sorted(path for path in DOCS.glob("*.md") if path.name not in HANDWRITTEN)
EXPECTED_GUIDES = {"concepts", "quickstart", "renewal", "stores", "errors", "testing", "migrating"}
WITHOUT_EXAMPLES = {"promises", "commands", "benchmarks", "architecture", "why-believe-it"}

IN_A_NEW_ENVIRONMENT = "python3 -m venv .venv && . .venv/bin/activate && pip install "
TRY = f"{IN_A_NEW_ENVIRONMENT}. && vathos demo"
TEST = f"{IN_A_NEW_ENVIRONMENT}-e '.[test]' && python -m pytest"


def relative(path: Path) -> str:
    """Names a page in a test's id."""
    return str(path.relative_to(ROOT))


@lru_cache(maxsize=1)
def fresh() -> dict[str, str]:
    """The pages as they would be written now."""
    return pages()


# --- the reference ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NEEDED, ids=relative)
def test_page_is_current(path: Path) -> None:
    """Each public module has its page, byte for byte what lazydocs makes of its docstrings."""
    is_current = path.is_file() and path.read_bytes() == fresh()[path.name].encode()
    if not is_current:
        pytest.fail(f"docs/{path.name} is missing or stale; run: {COMMAND}", pytrace=False)


def test_no_page_is_superfluous() -> None:
    """No page is left of a module that is gone."""
    names = {path.name for path in DOCS.iterdir() if path.is_file()}
    left = names - fresh().keys() - HANDWRITTEN
    assert not left, f"run: {COMMAND}"


def test_pages_are_the_same_on_every_machine() -> None:
    """No page holds an address in memory, or a path of this machine."""
    for name, text in fresh().items():
        assert " at 0x" not in text, name
        assert str(ROOT) not in text, name


def test_page_of_the_functions_looks_as_it_always_did() -> None:
    """`docs/authentication.md`: a heading each, the call, Args, Returns, Raises, source badges."""
    text = fresh()["authentication.md"]
    assert "# <kbd>module</kbd> `authentication`" in text
    for name in ("get_client_token", "get_service_account_token"):
        section = text.split(f"## <kbd>function</kbd> `{name}`")[1].split("\n---\n")[0]
        positions = [
            section.index(part)
            for part in (
                f"```python\n{name}(",
                "**Args:**",
                "<b>`client_id`</b> (str)",
                "**Returns:**",
                "<b>`str`</b>:",
            )
        ]
        assert positions == sorted(positions)
        assert "**Raises:**" in section
    assert len(re.findall(r'<a href="../vathos/authentication.py#L\d+"><img', text)) == 4


# --- the examples -------------------------------------------------------------------------------


def test_every_guide_is_there_and_named_in_the_readme() -> None:
    """A guide that nobody finds is none."""
    assert {path.stem for path in GUIDES} >= EXPECTED_GUIDES
    for path in GUIDES:
        assert f"](docs/guide/{path.name})" in README.read_text(encoding="utf-8")


IN_AN_ENVIRONMENT_OF_THEIR_OWN = {"integrations"}
"""Pages whose examples `tests/integrations/test_page.py` runs, as they need many packages."""


@pytest.mark.parametrize(
    "path",
    [page for page in [README, *GUIDES] if page.stem not in IN_AN_ENVIRONMENT_OF_THEIR_OWN],
    ids=relative,
)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    """Every Python example of a page runs, and prints what the page says; guides have examples."""
    count = run(path, tmp_path)
    assert count == path.read_text(encoding="utf-8").count("```python\n")
    assert (count == 0) is (path.stem in WITHOUT_EXAMPLES)


def test_example_is_called_by_its_name(tmp_path: Path) -> None:
    """A block that would not be run for its odd form is refused, not passed over."""
    page = tmp_path / "page.md"
    for block in (
        "```py\n1\n```",
        "```\n1\n```",
        "~~~python\n1\n~~~",
        " ```python\n1\n ```",
        "```text",
    ):
        page.write_text(block)
        with pytest.raises(ValueError, match=r"page\.md:1"):
            fences(page)
    page.write_text("a\n```python\n1\n```\n")
    assert fences(page) == [Fence("python", "1", 3, 4)]


@pytest.mark.slow
def test_failing_example_is_noticed(tmp_path: Path) -> None:
    """An example that raises, prints something else, or has a failing test fails the check."""
    page = tmp_path / "page.md"
    for text in (
        "```python\nassert 0\n```",
        "```python\nprint(1)\n```",
        "```python\nprint(1)\n```\n\n```text\n2\n```",
        "```python\nprint(1)\n```\nSo:\n```text\n1\n```",
        "```python\ndef test_it():\n    assert 0\n```",
    ):
        page.write_text(text)
        with pytest.raises(AssertionError):
            run(page, tmp_path)
    page.write_text("```python\nprint(1)\n```\n\n```text\n1\n```")
    assert run(page, tmp_path) == 1


def test_output_may_leave_parts_open() -> None:
    """`…` stands for anything, line breaks do not count, the rest does."""
    assert said("a … d\ne", "a b c d e\n")
    assert said("…", "a")
    assert said("", "")
    assert not said("a … d", "a b c")
    assert not said("", "a")


# --- the words ----------------------------------------------------------------------------------


def test_readme_has_the_commands_that_ci_runs() -> None:
    """What a reader is told to type is what is tried: install and demo, install and test."""
    shown = [f.text for f in fences(README) if f.language == "console"]
    assert (shown[0], shown[-1]) == (TRY, TEST)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    taken = re.search(r"tests=\$\(sed -n '/(.*)/p' README\.md\)", script)
    assert taken, ".ci/run no longer takes its test command from README.md"
    lines = README.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.search(taken[1], line)] == [TEST]
    assert 'bash -c "$tests"' in script


@pytest.mark.parametrize("path", WRITTEN, ids=relative)
def test_commands_exist(path: Path) -> None:
    """A page names no command of `vathos` that is not there."""
    for fence in fences(path):
        if fence.language == "console":
            for word in re.findall(r"(?<![\w/.-])vathos ([\w-]+)", fence.text):
                assert word in {*COMMANDS, "--version", "--help"}


ENDS = re.compile(r"[.!?:][)*_\"]*$")
TWO = re.compile(r"(?<!e\.g)(?<!i\.e)[.!?][)*\"]* +[A-Z`*(\[]")


@pytest.mark.parametrize("path", [README, *GUIDES], ids=relative)
def test_a_line_is_a_sentence(path: Path) -> None:
    """One sentence per line, so that a change shows which sentence changed."""
    for number, line in prose(path):
        words = re.sub(r"`[^`]*`", "`code`", re.sub(r"\]\([^)]*\)", "]", line))
        assert ENDS.search(words), f"{path.name}:{number} is not a whole sentence: {line}"
        assert not TWO.search(words), f"{path.name}:{number} is more than one sentence: {line}"


INTERNAL = re.compile(
    r"\bissues? #?\d|\bhelpers?\b|\bdesign\.md|style-anchors|ecosystem-reliability|peers-demand"
    r"|/work/|/tmp/|\bD\.\d|\bTODO\b|\bFIXME\b|\bsubagent|\bClaude\b",
    re.IGNORECASE,
)


@pytest.mark.parametrize("path", [*WRITTEN, *GENERATED], ids=relative)
def test_pages_speak_to_the_reader(path: Path) -> None:
    """No page mentions what only those know who wrote it."""
    found = INTERNAL.search(path.read_text(encoding="utf-8"))
    assert found is None, found


def test_error_tree_is_the_code() -> None:
    """The guide's tree names every error, and draws it below its parent."""
    tree = next(f.text for f in fences(DOCS / "guide" / "errors.md") if "── " in f.text)
    drawn: dict[str, str | None] = {}
    above: list[str] = []
    for line in tree.splitlines():
        match = re.match(r"((?:[│ ] {3})*)([├└]── )?(\w+)", line)
        assert match, line
        depth = len(match[1]) // 4 + bool(match[2])
        above[depth:] = [match[3]]
        drawn[match[3]] = above[depth - 1] if depth else None
    coded = {}
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if kind.__module__ == errors.__name__:
            parents = [base.__name__ for base in kind.__bases__ if hasattr(errors, base.__name__)]
            coded[name] = parents[0] if parents else None
    assert drawn == coded
    assert set(coded) == set(errors.__all__)


# --- the links ----------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Lists the anchors that the headings of a page make, as GitHub does."""
    headings = re.findall(r"(?m)^#+ (.*)$", path.read_text(encoding="utf-8"))
    plain = [re.sub(r"<[^>]*>", "", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


def links(path: Path) -> list[str]:
    """Lists the targets of a page's links, in Markdown and in HTML."""
    text = path.read_text(encoding="utf-8")
    for fence in fences(path) if path in WRITTEN else ():
        text = text.replace(fence.text, "")
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'<a href="([^"]*)"', text)


@pytest.mark.parametrize("path", [*WRITTEN, *GENERATED], ids=relative)
def test_links_lead_somewhere(path: Path) -> None:
    """Each link to a file of the repository finds the file, and the heading or line in it."""
    for link in links(path):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if line := re.fullmatch(r"L(\d+)", anchor):
            assert int(line[1]) <= len(target.read_text(encoding="utf-8").splitlines()), link
        elif anchor:
            assert anchor in anchors(target), link


PROMISE = re.compile(r"(?m)^\| (.*) \| \[`(test_\w+)`\]\((?:\.\./\.\./)?(tests/[\w/]+\.py)\) \|$")


def test_promises_name_tests_that_exist() -> None:
    """Each promise links a test file and names a test in it; the README shows some of them."""
    page = (DOCS / "guide" / "promises.md").read_text(encoding="utf-8")
    rows = PROMISE.findall(page)
    assert len(rows) == page.count("](../../tests/") >= 25
    for _, name, file in rows:
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), name
    assert set(shown := PROMISE.findall(README.read_text(encoding="utf-8"))) < set(rows)
    assert len(shown) >= 4
