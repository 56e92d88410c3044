"""How the sources read: no hidden clocks, no sleeps in tests, nothing too long to sit through."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "antiphon"
TESTS = ROOT / "tests"

FILE, CLASS, FUNCTION, PARAMETERS = 500, 250, 60, 8

CLOCKS = re.compile(r"\b(perf_counter|process_time|monotonic)(_ns)?\b|\btime\.(time|sleep)\b|\bdatetime\b")
CLOCKS_ALLOWED = ("processor.py", "vendors/", "cli/", "models/", "server/", "rtvi/protocol.py")
"""The slowness of handlers is measured; vendors, the command line, downloads, the server and the timestamps
that a client reads live in real time."""

PORT_CLASSES = {"STT", "TTS", "LLM", "Realtime", "Cleaner"}
"""What the file of a vendor or of a framework may call its services."""

SLEEPS = re.compile(r"\b(time|asyncio)\.sleep\b(?!\(0\))")


def sources(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        yield str(path.relative_to(folder)), path.read_text()


def code(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a source without what is a string or a comment."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.end_lineno is not None:
            for number in range(node.lineno, node.end_lineno + 1):
                begin = node.col_offset if number == node.lineno else 0
                end = node.end_col_offset if number == node.end_lineno else None
                line = lines[number - 1].encode()
                blank = line[begin:end]
                lines[number - 1] = (line[:begin] + b" " * len(blank) + (line[end:] if end else b"")).decode()
    for number, line in enumerate(lines, 1):
        yield number, line.split("#")[0]


def long_ones() -> Iterator[str]:
    for name, text in sources(SRC):
        if (count := len(text.splitlines())) > FILE:
            yield f"{name}: {count} lines"
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or 0) - node.lineno + 1
            if isinstance(node, ast.ClassDef):
                if lines > CLASS:
                    yield f"{name}: class {node.name}, {lines} lines"
                continue
            if lines > FUNCTION:
                yield f"{name}: {node.name}(), {lines} lines"
            arguments = node.args
            count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs) - 1
            if node.name == "__init__" and count > PARAMETERS:
                yield f"{name}: a constructor with {count} parameters, line {node.lineno}"


def test_nothing_is_too_long_to_read() -> None:
    assert list(long_ones()) == []


def test_time_is_an_input() -> None:
    wrong = [
        f"{name}:{number}: {line.strip()}"
        for name, text in sources(SRC)
        if not name.startswith(CLOCKS_ALLOWED)
        for number, line in code(text)
        if CLOCKS.search(line)
    ]
    assert wrong == []


def test_tests_do_not_sleep() -> None:
    wrong = [
        f"{name}:{number}: {line.strip()}"
        for name, text in sources(TESTS)
        if not name.startswith("e2e/") and name != "unit/test_sources.py"
        for number, line in code(text)
        if SLEEPS.search(line) or re.search(r"\btime\.time\(", line)
    ]
    assert wrong == []


def test_every_file_says_what_it_is() -> None:
    nameless = [name for name, text in sources(SRC) if not ast.get_docstring(ast.parse(text))]
    assert nameless == []


def test_names_say_what_things_are() -> None:
    banned = re.compile(r"(?i)(^base[A-Z_]|^Base|Manager$|Helper$|Impl$|^utils?$|^helpers?$|^misc$|^common$)")
    wrong = [
        f"{name}"
        for name, _ in sources(SRC)
        if any(banned.search(part) for part in Path(name).with_suffix("").parts)
    ]
    wrong += [
        f"{name}: class {node.name}"
        for name, text in sources(SRC)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and banned.search(node.name)
    ]
    assert wrong == []


def defined(text: str) -> Iterator[str]:
    """The public classes and type aliases of a module: what is assigned a name in CamelCase."""
    for node in ast.parse(text).body:
        match node:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if re.fullmatch(r"(?:[A-Z]+[a-z0-9]+)+", name):
                    yield name
            case _:
                pass


def test_the_name_of_a_class_or_alias_stands_in_one_place() -> None:
    """So that a search finds it. Classes of vendors and frameworks are named for ports, and found by file."""
    homes: dict[str, list[str]] = {}
    for name, text in sources(SRC):
        for found in defined(text):
            named_for_port = name.startswith(("vendors/", "frameworks/")) and found in PORT_CLASSES
            if not (found.startswith("_") or named_for_port):
                homes.setdefault(found, []).append(name)
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


def test_docstrings_begin_with_a_short_line() -> None:
    long = [
        f"{name}: {first}"
        for name, text in sources(SRC)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and len(first := (ast.get_docstring(node) or "").partition("\n")[0]) >= 80
    ]
    assert long == []
