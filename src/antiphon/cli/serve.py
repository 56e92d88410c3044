"""`antiphon serve`: an agent for browsers, programs and phones, over HTTP."""

import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from ..server.settings import ServerSettings, is_loopback
from .show import console, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..server.host import Agents
    from ..server.port import Host, OnReport
    from ..transports.telephony.port import Provider

__all__ = ["Address", "Port", "numbered", "open_server", "serve"]

AgentFile = Annotated[
    Path | None,
    typer.Argument(metavar="FILE.py", help="Who is served: its `agent` or `agents`; else the demo's agent."),
]
Address = Annotated[str | None, typer.Option(help="The address to listen on; 0.0.0.0 is every one.")]
Port = Annotated[int | None, typer.Option(help="The port to listen on.  [default: 7860]")]


@told
def serve(
    agent: AgentFile = None,
    host: Address = None,
    port: Port = None,
    public_url: Annotated[
        str | None, typer.Option(metavar="URL", help="How the outside reaches it: https://voice.example.com")
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(metavar="FILE", help="Serve TLS with this.")] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's key.")] = None,
    sip: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Listen for SIP calls, too: 127.0.0.1:5060")
    ] = None,
    capacity: Annotated[int | None, typer.Option(help="Sessions at the same time.  [default: 100]")] = None,
    isolation: Annotated[
        str | None, typer.Option(help="loop (all sessions in one process) or process (one each).")
    ] = None,
    drain: Annotated[
        float | None, typer.Option(help="Seconds that calls may go on after SIGTERM.  [default: 600]")
    ] = None,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Print a pair of new keys, and no more.")
    ] = False,
) -> None:
    """Serve an agent: the page, WebRTC, websockets, phones and SIP.

    All settings, keys among them, may be given by the environment as well: docs/guides/serve.md.
    """
    if new_key:
        typer.echo(f"ANTIPHON_PUBLIC_KEYS=pk_{secrets.token_urlsafe(24)}")
        typer.echo(f"ANTIPHON_PRIVATE_KEYS=sk_{secrets.token_urlsafe(24)}")
        return
    from ..agent_file import served

    settings = ServerSettings.from_environment(
        os.environ,
        host=host,
        port=port,
        public_url=public_url,
        tls_cert=tls_cert,
        tls_key=tls_key,
        sip=sip,
        capacity=capacity,
        isolation=isolation,
        drain=drain,
    )
    open_server(agent if settings.isolation == "process" else served(agent), settings)


def open_server(agents: "Agents | Path | None", settings: ServerSettings) -> None:
    """Pull what the agents need, say where they are reached, and serve them until told to stop.

    A path is that of the file which has them (None is the demo's agent): each session gets a process.
    """
    from ..agent import AgentDefinition
    from ..agent_file import served
    from .ready import fetch

    try:
        from ..server.app import app
        from ..server.run import serve as serve_app
    except ModuleNotFoundError as error:
        raise ConfigurationError(f'a server needs {error.name}: pip install "antiphon[server]"') from error

    found = agents if isinstance(agents, Mapping) else served(agents)
    for agent in found.values():
        if isinstance(agent, AgentDefinition):
            fetch(agent)
    served_by = found if isinstance(agents, Mapping) else _worker_host(agents, settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("antiphon").setLevel(logging.WARNING)
    logging.getLogger("antiphon.server").setLevel(logging.INFO)
    serve_app(app(served_by, settings), settings, began=lambda: announce(settings))


def _worker_host(file: Path | None, settings: ServerSettings) -> "Callable[[OnReport], Host]":
    from ..server.workers.limits import WorkerLimits
    from ..server.workers.pool import WorkerHost

    limits = WorkerLimits(settings.memory_mb, settings.cpu, settings.stuck_after)
    return lambda on_report: WorkerHost(file, settings, on_report, limits=limits)


def numbered(settings: ServerSettings) -> None:
    """Raises ConfigurationError where no phone provider could reach the server."""
    if not settings.public_url:
        raise ConfigurationError(
            "a phone provider must know how to reach this machine: set ANTIPHON_PUBLIC_URL=https://..."
        )
    if not _providers():
        raise ConfigurationError(
            "no phone provider is set up: set the environment variables of one, such as TWILIO_ACCOUNT_SID "
            "and TWILIO_AUTH_TOKEN; docs/guides/telephone.md has them all"
        )


def announce(settings: ServerSettings) -> None:
    """Say where the agents are reached, and by whom."""
    out = console()
    here = "localhost" if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else settings.host
    where = (settings.public_url or f"{settings.scheme}://{here}:{settings.port}").rstrip("/")
    out.print(f"\n{where}", style="bold", soft_wrap=True)
    for provider in _providers() if settings.public_url else []:
        out.print(f"{provider.title}: {where}/phone/{provider.name}", soft_wrap=True)
    if settings.sip:
        out.print(f"SIP: sip:{settings.sip_user}@{settings.sip_domain or settings.sip}", soft_wrap=True)
    who = (
        "It wants keys to begin a session."
        if settings.keyed
        else "Without keys, for development: it answers this machine alone."
    )
    out.print(f"{who} Ctrl-C stops.\n", style="dim", soft_wrap=True)


def _providers() -> "list[Provider]":
    """The phone providers that there is an account of."""
    from ..transports.telephony.providers import account, available, missing

    return [one for one in available() if one.environment and not missing(one, account(one))]
