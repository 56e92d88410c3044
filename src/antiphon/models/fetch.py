"""Resumable downloads, from hosts that may not answer."""

import http.client
import os
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from ..errors import BadResponseError, UnavailableError
from ..version import __version__
from .catalogue import File, Web
from .disk import room, size_of, writing
from .progress import Tell

CHUNK = 1 << 18

OnBytes = Callable[[int, int | None], None]
"""A callback with the bytes of a download that are present, and the total if known."""

_HUB = "https://huggingface.co"
_SPAN = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


@dataclass(frozen=True, slots=True)
class DownloadPatience:
    """The timeouts of a download in seconds, and its attempts."""

    opening: float = 6.0
    """From resolving the host's name to the head of the response, over all its addresses."""
    stall: float = 20.0
    """Between two pieces of the body."""
    attempts: int = 4
    """Attempts in a row without any progress."""


class Downloads:
    """A downloader, which does not retry hosts that it could not reach."""

    def __init__(self, patience: DownloadPatience, free: Callable[[Path], int]) -> None:
        self._patience = patience
        self._free = free
        self._unreachable: dict[str, str] = {}
        self._opener = urllib.request.build_opener(_Answers)

    def get(self, url: str, to: Path, size: int | None, on_bytes: OnBytes, room_for: int = 0) -> None:
        """Download `url` into the file `to`, resuming an earlier attempt.

        `size` is the expected size in bytes, if known; the disk must have room for `room_for` more bytes.
        """
        left, best = self._patience.attempts, size_of(to)
        while left:
            if self._resume(url, to, size, on_bytes, room_for):
                return
            left = self._patience.attempts if size_of(to) > best else left - 1
            best = max(best, size_of(to))
        raise UnavailableError(f"{url} broke off again and again; {size_of(to):,} bytes are kept")

    def _resume(self, url: str, to: Path, size: int | None, on_bytes: OnBytes, room_for: int) -> bool:
        """Download what is missing; False if the connection ended too early."""
        if size is not None and size_of(to) > size:
            to.unlink()
        had = size_of(to)
        if had == size:
            return True
        with self._open(url, had) as answer:
            start, total = _span(answer)
            if answer.status == 416 and had == total:
                return True
            if start not in (0, had):
                to.unlink(missing_ok=True)
                return False
            if size is not None and total not in (None, size):
                raise BadResponseError(f"{url} has {total:,} bytes instead of {size:,}")
            total = size or total
            if total is not None:
                room(to.parent, total - start + room_for, self._free)
            with writing(to.parent), to.open("ab" if start else "wb") as out:
                had = start
                for piece in _pieces(answer):
                    had += len(piece)
                    out.write(piece)
                    on_bytes(had, total)
                    if total is not None and had > total:
                        to.unlink()
                        raise BadResponseError(f"{url} has more than {total:,} bytes")
        return total is None or had == total

    def _open(self, url: str, start: int) -> http.client.HTTPResponse:
        """Return a response whose status is 2xx or 416."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise BadResponseError(f"{url} is not an http or https URL")
        if reason := self._unreachable.get(parts.netloc):
            raise UnavailableError(reason)
        headers = {"User-Agent": f"antiphon/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        request = urllib.request.Request(url, headers=headers)
        try:
            return _call_within(
                self._patience.opening, lambda: self._opener.open(request, timeout=self._patience.stall)
            )
        except urllib.error.HTTPError as error:
            error.close()
            raise UnavailableError(f"{url} answered {error.code} {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            reason = self._unreachable[parts.netloc] = f"{parts.netloc} {_cause(error)}"
            raise UnavailableError(reason) from None


def download(
    source: Web, files: Sequence[File], work: Path, downloads: Downloads, tell: Tell
) -> Iterator[tuple[File, Path]]:
    """Download the files into the folder `work`, and yield each once it is complete.

    HF_ENDPOINT may name a mirror of the Hugging Face hub. `tell` is called with the source and the bytes of a
    file that are present.
    """
    hub = os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")
    base = source.base.replace(_HUB, hub, 1)
    for file in files:
        part = work / file.part("web")
        downloads.get(f"{base}/{file.name}", part, file.size, lambda had, _: tell(base, had))
        yield file, part


class _Answers(urllib.request.HTTPErrorProcessor):
    """A handler that returns responses of status 416: nothing is left to download."""

    def http_response(
        self, request: urllib.request.Request, response: http.client.HTTPResponse
    ) -> http.client.HTTPResponse:
        if response.status == 416:
            return response
        return cast(http.client.HTTPResponse, super().http_response(request, response))

    https_response = http_response


def _call_within(seconds: float, call: Callable[[], http.client.HTTPResponse]) -> http.client.HTTPResponse:
    """Return what `call` returns; after a timeout, raise TimeoutError.

    The call then continues in its thread, and its result is discarded. A socket's timeout is not enough: it
    does not cover name resolution, and applies to each address anew.
    """
    future: Future[http.client.HTTPResponse] = Future()

    def run() -> None:
        try:
            answer = call()
        except (OSError, http.client.HTTPException) as error:
            future.set_exception(error)
        else:
            future.set_result(answer)

    threading.Thread(target=run, name="antiphon-download", daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        future.add_done_callback(_close_late)
        raise


def _close_late(future: Future[http.client.HTTPResponse]) -> None:
    error = future.exception()
    if isinstance(error, urllib.error.HTTPError):
        error.close()
    elif error is None:
        future.result().close()


def _span(answer: http.client.HTTPResponse) -> tuple[int | None, int | None]:
    """Return the body's offset in the file and the file's size, in bytes.

    Either is None if the head does not contain it (RFC 9110 section 14.4).
    """
    if answer.status == 200:
        length = answer.headers.get("Content-Length", "")
        return 0, int(length) if length.isdigit() else None
    match = _SPAN.fullmatch(answer.headers.get("Content-Range", ""))
    if match is None:
        return None, None
    return int(match[1]) if match[1] else None, int(match[2])


def _pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield the body until it ends or the connection breaks."""
    try:
        while piece := answer.read1(CHUNK):
            yield piece
    except (OSError, http.client.HTTPException):
        return


def _cause(error: OSError | http.client.HTTPException) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    match reason:
        case socket.gaierror():
            return "has no address: its name cannot be resolved"
        case TimeoutError():
            return "did not answer in time"
        case ConnectionRefusedError():
            return "refused the connection"
        case ssl.SSLCertVerificationError():
            return f"has a certificate that is not trusted here: {reason.verify_message}"
        case _:
            return f"cannot be reached: {reason}"
