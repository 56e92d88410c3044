"""`antiphon doctor`: what is installed, what is missing, and how to fix it."""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal, cast

import typer

from ..models import CATALOGUE, Store
from ..transports.terminal import PORTAUDIO, SoundDevice
from ..version import __version__
from .ready import ABSENT, EXTRAS, models
from .show import console, reports_errors, table

__all__ = ["Finding", "doctor", "examine"]

NEEDED = ("", "local")  # the extras that a local conversation needs
CORES, MEMORY_GB = 2, 3  # below these, a local conversation is too slow

SYSTEMS = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}

FindingState = Literal["ok", "missing", "optional"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. "missing" means that a local conversation cannot run."""

    what: str
    state: FindingState
    found: str
    fix: str = ""


@reports_errors
def doctor() -> None:
    """Check what is installed and what is missing, and show how to fix it.

    Exits with 0 if a local conversation can run.
    """
    findings = list(examine())
    out = console()
    marks = {"ok": "ok", "missing": "MISSING", "optional": "-"}
    rows = [(finding.what, marks[finding.state], finding.found, finding.fix) for finding in findings]
    table(out, ("check", "", "found", "fix"), rows)
    if missing := [finding.what for finding in findings if finding.state == "missing"]:
        out.print(f"A local conversation cannot run yet. Missing: {', '.join(missing)}.", soft_wrap=True)
        raise typer.Exit(1)
    out.print("A local conversation can run. Try: antiphon demo", soft_wrap=True)


def examine(store: Store | None = None) -> Iterator[Finding]:
    """Run all checks and yield their results, in the order to fix them."""
    store = store or Store.here()
    yield Finding("Python", "ok", f"{platform.python_version()}, antiphon {__version__}")
    yield _system()
    for extra, packages in EXTRAS.items():
        for package, module in packages.items():
            yield _package(extra, package, module)
    yield from _models(store)
    yield from _folder(store)
    yield _cores()
    yield from _memory()
    yield from _sound()


def _system() -> Finding:
    """Tell what is known of this system, as the README does."""
    here = f"{SYSTEMS.get(sys.platform, sys.platform)} {platform.machine()}"
    if sys.platform == "linux":
        return Finding("system", "ok", here)
    lacks = "no SIP, no process per session" if sys.platform == "win32" else "no process per session"
    return Finding("system", "optional", f"{here}: not tested; {lacks}")


def _package(extra: str, package: str, module: str) -> Finding:
    what = f"{package} [{extra}]" if extra else package
    if sys.platform in ABSENT.get(package, ()):
        return Finding(what, "optional", f"has no package for {SYSTEMS[sys.platform]}")
    state: FindingState = "missing" if extra in NEEDED else "optional"
    fix = f'pip install "antiphon[{extra}]"' if extra else "pip install antiphon"
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return Finding(what, state, "not installed", fix)
    try:
        importlib.import_module(module)
    except ImportError as error:
        return Finding(what, state, f"does not load: {error}", f"pip install --force-reinstall {package}")
    except OSError:
        pass  # sounddevice without PortAudio, which has a check of its own
    return Finding(what, "ok", version)


def _models(store: Store) -> Iterator[Finding]:
    from ..demo_agent import agent

    for name in models(agent):
        state = store.state(name)
        found = f"{state}, {CATALOGUE[name].size / 1e6:,.0f} MB"
        if state == "ready":
            yield Finding(f"model {name}", "ok", found)
        else:
            yield Finding(f"model {name}", "missing", found, f"antiphon models pull {name}")


def _folder(store: Store) -> Iterator[Finding]:
    from ..demo_agent import agent

    missing = sum(CATALOGUE[name].size for name in models(agent) if store.state(name) != "ready")
    place = next(folder for folder in (store.folder, *store.folder.parents) if folder.exists())
    state: FindingState = "missing" if missing else "optional"
    if os.access(place, os.W_OK):
        yield Finding("models folder", "ok", str(store.folder))
    else:
        yield Finding("models folder", state, f"{place} is read-only", "export ANTIPHON_MODELS=FOLDER")
    free = shutil.disk_usage(place).free
    found = f"{free / 1e9:.1f} GB free"
    if free < missing:
        fix = "free disk space, or export ANTIPHON_MODELS=FOLDER"
        yield Finding("disk", "missing", f"{found}, {missing / 1e9:.1f} GB needed", fix)
    else:
        yield Finding("disk", "ok", found)


def _cores() -> Finding:
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    if count < CORES:
        return Finding("processor", "optional", f"{count} core", f"with {CORES} cores answers come sooner")
    return Finding("processor", "ok", f"{count} cores")


def _memory() -> Iterator[Finding]:
    if sys.platform == "win32":
        return  # which Python's library cannot ask for it
    gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    if gb < MEMORY_GB:
        yield Finding("memory", "optional", f"{gb:.1f} GB", f"the models need {MEMORY_GB} GB")
    else:
        yield Finding("memory", "ok", f"{gb:.0f} GB")


def _sound() -> Iterator[Finding]:
    """Check what `antiphon talk` needs; `antiphon talk --text` needs none of it."""
    try:
        sound = cast(SoundDevice, importlib.import_module("sounddevice"))
    except ModuleNotFoundError:
        return  # the package has a check of its own
    except OSError:
        yield Finding("PortAudio", "optional", "missing", PORTAUDIO)
        return
    for what, kind in (("microphone", "input"), ("loudspeaker", "output")):
        try:
            yield Finding(what, "ok", str(sound.query_devices(None, kind)["name"]))
        except (sound.PortAudioError, ValueError):
            yield Finding(what, "optional", "none", "connect one, or use antiphon talk --text")
