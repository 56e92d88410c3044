"""The documents are true: snippets run, links lead somewhere, and words are those of the glossary."""

import re
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "changes").glob("*.md")]
    if page.name != "LICENSE"
]
TEMPLATES = ROOT / "src/antiphon/cli/templates"
SHOWN = [*(ROOT / "examples").glob("*.py"), *TEMPLATES.rglob("*.py.template")]
EXAMPLES = [path.read_text() for path in sorted(SHOWN)]

BANNED = {
    r"\bbots?\b": "agent",
    r"\bchat ?bots?\b": "agent",
    r"\bbarge in\b": "barge-in",
    r"\bturn detectors?\b": "end-of-turn model",
    r"\bbackend\b": "service",
    r"\bframe processor\b": "processor",
    r"\butter(ed|s)\b": "said",
    r"\bcall ?center\b": "say what it is",
}


def _squeezed(code: str) -> str:
    """Without comments and blank lines, so that a page may explain what a file need not."""
    lines = (re.sub(r"\s+#.*$", "", line).rstrip() for line in code.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_snippets_stand_in_an_example(page: Path) -> None:
    for snippet in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        for part in re.split(r"\n\n\n", snippet.strip()):
            assert any(_squeezed(part) in _squeezed(example) for example in EXAMPLES), part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_words_are_those_of_the_glossary(page: Path) -> None:
    code = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)  # the names of a protocol are what they are
    text = code.sub("", page.read_text()).lower()
    for banned, wanted in BANNED.items():
        assert (match := re.search(banned, text)) is None, f"{match.group()!r}: say {wanted}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent.name != "changes"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_names_of_the_package_exist(page: Path) -> None:
    for name in re.findall(r"\bantiphon((?:\.\w+)+)", page.read_text()):
        home, *rest = name[1:].split(".")
        if find_spec(f"antiphon.{home}") is None:
            continue  # a message of a protocol, or a part of an address
        found = import_module(f"antiphon.{home}")
        for one in rest:
            if not hasattr(found, one):
                import_module(f"{found.__name__}.{one}")
            found = getattr(found, one)


def test_examples_say_what_they_show() -> None:
    for path in (ROOT / "examples").glob("*.py"):
        assert path.read_text().startswith('"""'), f"{path.name} needs a docstring"


def test_the_table_of_vendors_is_what_their_records_say() -> None:
    command = [sys.executable, str(ROOT / "tools/vendors_table.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
