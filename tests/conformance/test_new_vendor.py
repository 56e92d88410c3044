"""`antiphon new vendor` writes packages whose tests pass, and which are found once installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from antiphon.cli.new import KINDS, write_vendor
from antiphon.errors import ConfigurationError

SRC = Path(__file__).parents[2] / "src"


def run(folder: Path, *line: str) -> str:
    """Run a command in a package, as if it were installed; returns its output."""
    path = os.pathsep.join([str(folder / "src"), str(SRC)])
    done = subprocess.run(
        [sys.executable, *line],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_tests_of_a_new_package_pass(kind: str, tmp_path: Path) -> None:
    write_vendor("acme_9", kind, tmp_path / "new")
    run(tmp_path / "new", "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_new_packages_are_formatted_and_typed(tmp_path: Path) -> None:
    for kind in KINDS:
        write_vendor(f"acme_{kind}", kind, tmp_path / kind)
    run(tmp_path, "-m", "ruff", "check", "--no-cache", ".")
    run(tmp_path, "-m", "ruff", "format", "--no-cache", "--check", ".")
    paths = [str(SRC), *(f"{kind}/src" for kind in KINDS)]
    settings = {"typeCheckingMode": "strict", "include": list(KINDS), "extraPaths": paths}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    run(tmp_path, "-m", "pyright", "--pythonpath", sys.executable)


def test_a_new_vendor_is_found_by_its_entry_point(tmp_path: Path) -> None:
    write_vendor("acme", "tts_socket", tmp_path / "new")
    about = tmp_path / "new/src/antiphon_acme-0.1.0.dist-info"  # as `pip install` writes it
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: antiphon-acme\nVersion: 0.1.0\n")
    assert 'acme = "antiphon_acme"' in (tmp_path / "new/pyproject.toml").read_text()
    (about / "entry_points.txt").write_text("[antiphon.vendors]\nacme = antiphon_acme\n")
    listed = run(tmp_path / "new", "-c", "from antiphon.cli import main; main()", "services", "list")
    assert any(line.split()[0] == "acme" and "ACME_API_KEY" in line for line in listed.splitlines())


def test_everything_is_named_after_the_vendor(tmp_path: Path) -> None:
    write_vendor("acme", "stt_http", tmp_path / "new")
    names = {str(path.relative_to(tmp_path / "new")) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {
        "README.md",
        "pyproject.toml",
        "src/antiphon_acme/__init__.py",
        "src/antiphon_acme/py.typed",
        "src/antiphon_acme/stt.py",
        "tests/test_conformance.py",
        "tests/vendor_server.py",
    }
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or "gramophone" not in path.read_text().lower()


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("Acme", "tts_http", "is no name for a vendor"),
        ("../acme", "tts_http", "is no name for a vendor"),
        ("cartesia", "tts_http", "there is a vendor cartesia already"),
        ("acme", "llm_socket", "there is no template for llm over socket"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str, kind: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        write_vendor(name, kind, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is there already"):
        write_vendor("acme", "tts_http", tmp_path)
