"""What differs by platform: simulated here, since the tests run on Linux."""

import errno
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

import antiphon
from antiphon.cli.doctor import examine
from antiphon.cli.ready import ABSENT
from antiphon.errors import ConfigurationError
from antiphon.models import Store
from antiphon.models.disk import take_lock
from antiphon.server import run
from antiphon.server.settings import ServerSettings
from antiphon.transports.sip.endpoint import Endpoint

LINUX_ALONE = "antiphon.server.workers"

WITHOUT_UNIX = """
import builtins, importlib, sys

original = builtins.__import__

def portable(name, globals=None, *rest):
    if name in {"fcntl", "resource", "termios", "pwd", "grp", "pty", "uvloop"}:
        if str((globals or {}).get("__name__")).startswith("antiphon"):
            raise ModuleNotFoundError(f"{globals['__name__']} imports {name}")
    return original(name, globals, *rest)

builtins.__import__ = portable
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def test_all_but_the_workers_is_imported_without_what_only_unix_has() -> None:
    names = [found.name for found in pkgutil.walk_packages(antiphon.__path__, "antiphon.")]
    wanted = [name for name in names if not name.startswith(LINUX_ALONE) and not name.endswith("__main__")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_UNIX, *wanted], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_an_extra_leaves_out_is_known_to_the_doctor() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    wanted = [each for extra in project["optional-dependencies"].values() for each in extra]
    absent = {
        re.split(r"[<>=~ \[]", each)[0]: tuple(re.findall(r"sys_platform != '(\w+)'", each))
        for each in wanted
        if "sys_platform !=" in each
    }
    assert absent == ABSENT


@pytest.mark.parametrize(
    ("platform", "told", "sip"),
    [
        ("linux", r"Linux \w+", None),
        ("darwin", r"macOS \w+: not tested; no process per session", None),
        ("win32", r"Windows \w+: not tested; no SIP, no process per session", "has no package for Windows"),
    ],
)
def test_the_doctor_tells_the_truth(
    platform: str, told: str, sip: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    findings = {finding.what: finding for finding in examine(Store(tmp_path))}
    assert re.fullmatch(told, findings["system"].found)
    found = findings["baresip-python [sip]"]
    assert sip is None or (found.found, found.fix) == (sip, "")


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_process_per_session_needs_linux(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert ServerSettings().isolation == "loop"
    with pytest.raises(ConfigurationError, match="needs Linux"):
        ServerSettings(isolation="process")


def test_sip_is_not_for_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigurationError, match="SIP does not work on Windows"):
        Endpoint()


@pytest.mark.parametrize(
    ("platform", "now", "most", "wanted"),
    [
        ("linux", 1024, 524_288, 524_288),
        ("linux", 1024, 1024, None),
        ("darwin", 256, 2**63 - 1, 10_240),  # macOS refuses more, though it states no limit
        ("darwin", 20_000, 2**63 - 1, None),
        ("win32", 0, 0, None),
    ],
)
def test_the_limit_of_sockets_is_what_the_system_allows(
    platform: str, now: int, most: int, wanted: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    fake = SimpleNamespace(
        RLIMIT_NOFILE=7,
        getrlimit=lambda _: (now, most),  # pyright: ignore[reportUnknownLambdaType]
        setrlimit=lambda _, limits: asked.append(limits),  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    )
    monkeypatch.setitem(sys.modules, "resource", fake)
    monkeypatch.setattr(sys, "platform", platform)
    run.allow_sockets()
    assert asked == ([] if wanted is None else [(wanted, most)])


class Msvcrt:
    """The locks of Windows: one byte of a file; a wait for one fails after ten seconds."""

    LK_LOCK, LK_NBLCK = 1, 2

    def __init__(self, *outcomes: int) -> None:
        self.outcomes = list(outcomes)
        self.modes: list[int] = []

    def locking(self, fd: int, mode: int, size: int) -> None:
        self.modes.append(mode)
        if error := self.outcomes.pop(0):
            raise OSError(error, os.strerror(error))


@pytest.mark.parametrize(
    ("outcomes", "wait", "taken"),
    [
        ([0], False, True),
        ([errno.EACCES], False, False),
        ([errno.EDEADLK, errno.EDEADLK, 0], True, True),  # another process downloads for 20 seconds
    ],
)
def test_a_lock_is_taken_on_windows_too(
    outcomes: list[int], wait: bool, taken: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Msvcrt(*outcomes)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    monkeypatch.setattr(sys, "platform", "win32")
    with (tmp_path / "model.lock").open("a") as lock:
        assert take_lock(lock, wait=wait) is taken
    assert set(fake.modes) == {Msvcrt.LK_LOCK if wait else Msvcrt.LK_NBLCK}
    assert not fake.outcomes


def test_a_lock_that_cannot_be_taken_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt(errno.EBADF))
    monkeypatch.setattr(sys, "platform", "win32")
    with (tmp_path / "model.lock").open("a") as lock, pytest.raises(OSError, match="Bad file"):
        take_lock(lock, wait=True)
