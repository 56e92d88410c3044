"""Who may import whom, read from the sources; and what `import antiphon` loads."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import antiphon

PACKAGE = Path(antiphon.__file__).parent

LAYERS = [
    "version encodable flow context signals frames client clock errors audio",
    "reply ports observers inputs delivery media_queue work replies service_change",
    "processor stage",
    "service_health pipeline switch race lifecycle session journal",
    "playout turns conversation screening",
    "services",
    "models",
    "vendors frameworks transports telemetry rtvi",
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
        "h2",
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
    """What is imported, in full: for `from .frames import Text`, antiphon.frames."""
    lazy: bool
    """True inside a function."""
    typing_only: bool
    """True under TYPE_CHECKING."""

    @property
    def unit(self) -> str:
        """The file or folder of the package that it stands in."""
        return self.path.split("/")[0].removesuffix(".py")

    @property
    def importer(self) -> str:
        """The module that it stands in, in full."""
        return module_of(self.path)


def module_of(path: str) -> str:
    """The name of the module in a file of the package."""
    return ".".join(["antiphon", *path.removesuffix(".py").split("/")]).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[Import]:
    """All imports of a file, wherever they stand in it."""
    package = ["antiphon", *path.relative_to(PACKAGE).parts[:-1]]
    name = str(path.relative_to(PACKAGE))

    def walk(nodes: list[ast.stmt], lazy: bool, typing_only: bool) -> Iterator[Import]:
        for node in nodes:
            match node:
                case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body, orelse=orelse):
                    yield from walk(body, lazy, True)
                    yield from walk(orelse, lazy, typing_only)
                case ast.Import(names=names):
                    for alias in names:
                        yield Import(name, alias.name, lazy, typing_only)
                case ast.ImportFrom(module=module, names=names, level=level):
                    above = package[: len(package) - level + 1] if level else []
                    base = ".".join([*above, *([module] if module else [])])
                    for alias in names:
                        whole = f"{base}.{alias.name}"
                        yield Import(name, whole if whole in MODULES else base, lazy, typing_only)
                case _:
                    inside = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                    for field in ("body", "orelse", "finalbody"):
                        yield from walk(getattr(node, field, []), inside, typing_only)
                    for block in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]:
                        yield from walk(block.body, inside, typing_only)

    yield from walk(ast.parse(path.read_text()).body, False, False)


FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {module_of(str(path.relative_to(PACKAGE))) for path in FILES}
EVERY_IMPORT = [found for path in FILES for found in imports_of(path)]
IMPORTS = [found for found in EVERY_IMPORT if not found.typing_only]
"""Those that are carried out when the program runs."""


def test_every_file_has_its_layer() -> None:
    units = {str(path.relative_to(PACKAGE)).split("/")[0].removesuffix(".py") for path in FILES} - {
        "__init__"
    }
    assert units - set(RANKS) == set(), "say in LAYERS who may import it"


def test_nobody_imports_a_layer_above_its_own() -> None:
    wrong = [
        found
        for found in EVERY_IMPORT
        if found.module.startswith("antiphon.")
        and found.unit != "__init__"
        and RANKS[found.module.split(".")[1]] > RANKS[found.unit]
    ]
    assert wrong == []


def test_imports_form_no_circle() -> None:
    """Imports inside functions and under TYPE_CHECKING count: who reads the one must read the other."""
    imports: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in EVERY_IMPORT:
        if found.module in MODULES:
            imports[found.importer].add(found.module)
    try:
        list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        pytest.fail(f"these import each other: {' -> '.join(error.args[1])}")


def test_the_picture_of_the_layers_is_the_table() -> None:
    page = (PACKAGE.parents[1] / "ARCHITECTURE.md").read_text()
    assert "```\n" + "\n".join(LAYERS) + "\n```" in page


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
    assert {name for name in loaded_by("import antiphon") if name.startswith("antiphon.")} == {
        "antiphon.version"
    }
