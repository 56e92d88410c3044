"""Routes that serve the built web page, the folder `page/` beside this file."""

import mimetypes
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["routes"]

PACKAGE = "antiphon.server"
POLICY = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; media-src 'self' blob:; "
    "script-src 'self' blob:; worker-src 'self' blob:; style-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads and runs nothing of other origins; only its websockets may connect elsewhere, because
/start names their URL."""
HEADERS = {
    "content-security-policy": POLICY,
    "permissions-policy": "microphone=(self), camera=(self), display-capture=(self), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html"""


def routes() -> list[BaseRoute]:
    """Return the routes of the page's files; none if the page was not built."""
    home = files(PACKAGE).joinpath("page")
    if not home.joinpath("index.html").is_file():
        return []
    return [Route(path, _file(file)) for path, file in _files(home, "/")]


def _file(file: Traversable) -> Callable[[Request], Awaitable[Response]]:
    content = file.read_bytes()
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    tag = f'"{sha256(content).hexdigest()[:16]}"'
    headers = HEADERS | {"cache-control": "no-cache", "etag": tag}

    async def serve(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=kind)

    return serve


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    """Yield every file below a folder, with its URL path."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix if entry.name == "index.html" else prefix + entry.name, entry
