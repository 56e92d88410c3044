"""Who may import whom, read from the sources; and what `import antiphon` loads."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import antiphon

PACKAGE = Path(antiphon.__file__).parent

LAYERS = [
    "frozen frames context client clock errors audio",
    "processor stage",
    "pipeline reply inputs signals session journal observers lifecycle",
    "playout turns conversation",
    "services",
    "models",
    "vendors transports telemetry rtvi screening",
    "agent",
    "agent_file demo_agent",
    "server",
    "testing",
    "cli",
    "front_door",
]
"""Each may import those of its own line and of the lines before."""

RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names.split()}

HEAVY = {
    *(
        "numpy",
        "onnxruntime",
        "ctranslate2",
        "tokenizers",
        "xllamacpp",
        "hibari",
        "hibari_tts",
        "httpx",
        "rich",
    ),
    *("typer", "sounddevice", "websockets", "aiohttp", "torch", "scipy"),
    *("starlette", "uvicorn", "aiortc", "aioice", "av", "webrtc", "cryptography", "baresip"),
}

AT_IMPORT = {
    "numpy": {"audio", "vendors", "services", "transports"},
    "aiortc": {"transports", "testing"},  # an engine of its own folder, and the stand-in for a browser
    "av": {"transports", "testing"},
    "webrtc": {"transports"},
    "typer": {"cli"},
    "starlette": {"server"},
    "uvicorn": {"server"},
    "websockets": {"server"},
}
"""Heavy packages that modules of these folders may load when they are imported themselves."""


class Import(NamedTuple):
    path: str
    module: str
    """What is imported, in full."""
    lazy: bool
    """Whether that happens inside a function."""

    @property
    def unit(self) -> str:
        """The file or folder of the package that it stands in."""
        return self.path.split("/")[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file but those under TYPE_CHECKING."""
    package = ["antiphon", *path.relative_to(PACKAGE).parts[:-1]]
    name = str(path.relative_to(PACKAGE))

    def walk(nodes: list[ast.stmt], lazy: bool) -> Iterator[Import]:
        for node in nodes:
            match node:
                case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                    yield from walk(orelse, lazy)
                case ast.Import(names=names):
                    for alias in names:
                        yield Import(name, alias.name, lazy)
                case ast.ImportFrom(module=module, names=names, level=level):
                    base = [
                        *(package[: len(package) - level + 1] if level else []),
                        *([module] if module else []),
                    ]
                    for alias in names if not module else [None]:
                        yield Import(name, ".".join([*base, *([alias.name] if alias else [])]), lazy)
                case _:
                    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                    for field in ("body", "orelse", "finalbody"):
                        yield from walk(getattr(node, field, []), inside)
                    for block in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                        yield from walk(block.body, inside)

    yield from walk(ast.parse(path.read_text()).body, False)


FILES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for path in FILES for found in imports_of(path)]


def test_every_file_has_its_layer() -> None:
    units = {str(path.relative_to(PACKAGE)).split("/")[0].removesuffix(".py") for path in FILES} - {
        "__init__"
    }
    assert units - set(RANKS) == set(), "say in LAYERS who may import it"


def test_nobody_imports_a_layer_above_its_own() -> None:
    wrong = [
        found
        for found in IMPORTS
        if found.module.startswith("antiphon.")
        and found.unit != "__init__"
        and (target := found.module.split(".")[1]) in RANKS
        and RANKS[target] > RANKS[found.unit]
    ]
    assert wrong == []


def test_vendors_never_import_each_other() -> None:
    wrong: list[Import] = []
    for found in IMPORTS:
        parts = found.module.split(".")
        if found.unit == "vendors" and parts[:2] == ["antiphon", "vendors"] and len(parts) > 2:
            own = found.path.split("/")[1].removesuffix(".py")
            if own not in ("__init__", parts[2]):
                wrong.append(found)
    assert wrong == []


def test_nobody_but_tests_and_the_command_line_imports_testing() -> None:
    assert {found.unit for found in IMPORTS if found.module.startswith("antiphon.testing")} <= {
        "testing",
        "cli",
    }


def test_turn_rules_know_neither_clock_nor_loop() -> None:
    known = {found.module.split(".")[0] for found in IMPORTS if found.path.startswith("turns/")}
    assert not known & {"asyncio", "time", "datetime", "threading", "random", "logging"}


def test_nothing_heavy_is_loaded_before_it_is_used() -> None:
    wrong = [
        found
        for found in IMPORTS
        if (name := found.module.split(".")[0]) in HEAVY
        and not found.lazy
        and found.unit not in AT_IMPORT.get(name, set())
    ]
    assert wrong == []


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after a statement."""
    program = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    [
        "import antiphon",
        "from antiphon import Agent",
        "from antiphon import Session, Processor, Stage, Parallel, Switch, Playout, on",
        "from antiphon import tool",
        "from antiphon import Agent; Agent('You are brief.')",
        "from antiphon.journal import Journal",
        "from antiphon.turns.engine import TurnEngine",
    ],
)
def test_import_loads_nothing_heavy(statement: str) -> None:
    loaded = loaded_by(statement)
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()
    folders = {name.split(".")[1] for name in loaded if name.startswith("antiphon.")}
    assert not folders & {"cli", "vendors", "testing"}


def test_import_of_the_package_alone_loads_next_to_nothing() -> None:
    assert {name for name in loaded_by("import antiphon") if name.startswith("antiphon.")} == set()
