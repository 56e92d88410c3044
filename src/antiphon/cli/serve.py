"""`antiphon serve`: serve agents to browsers, programs and phones."""

import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError
from ..server.settings import ServerSettings, is_loopback
from .show import console, reports_errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..agent_file import Agents
    from ..server.port import Host, OnReport
    from ..transports.telephony.port import Provider

__all__ = ["Address", "Port", "check_phone_settings", "open_server", "serve"]

ServedFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE.py", help="The file that defines `agent` or `agents`. By default, the demo's agent."
    ),
]
Address = Annotated[
    str | None, typer.Option(help="The address to listen on; 0.0.0.0 listens on all (default: 127.0.0.1).")
]
Port = Annotated[int | None, typer.Option(help="The port to listen on (default: 7860).")]


@reports_errors
def serve(
    agent: ServedFile = None,
    host: Address = None,
    port: Port = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The URL of the server for clients, such as https://voice.example.com"
        ),
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(metavar="FILE", help="The certificate, to serve TLS.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(metavar="FILE", help="The certificate's key.")] = None,
    sip: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Also listen for SIP calls, such as on 127.0.0.1:5060"),
    ] = None,
    capacity: Annotated[int | None, typer.Option(help="The most concurrent sessions (default: 100).")] = None,
    isolation: Annotated[
        str | None,
        typer.Option(help="loop (all sessions in one process) or process (one per session) (default: loop)"),
    ] = None,
    drain: Annotated[
        float | None,
        typer.Option(help="Seconds that running calls may continue after SIGTERM (default: 600)."),
    ] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a new pair of keys and exit.")] = False,
) -> None:
    """Serve agents: the page, WebRTC, websockets, phone calls and SIP.

    Further settings, such as keys, are environment variables: see docs/guides/serve.md.
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
    """Download the agents' models, print the server's URLs, and serve until stopped.

    If `agents` is the path of the file that defines them (None for the demo's agent), each session gets its
    own process; if it is the agents themselves, all sessions run in this process.
    """
    from ..agent import AgentDefinition
    from ..agent_file import served
    from .ready import fetch, loading

    try:
        from ..server.app import app
        from ..server.run import serve as serve_app
    except ModuleNotFoundError as error:
        raise ConfigurationError(f'a server needs {error.name}: pip install "antiphon[server]"') from error

    found = agents if isinstance(agents, Mapping) else served(agents)
    definitions = [agent for agent in found.values() if isinstance(agent, AgentDefinition)]
    for agent in definitions:
        fetch(agent)
    served_by = found if isinstance(agents, Mapping) else _worker_host(agents, settings)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("antiphon").setLevel(logging.WARNING)
    logging.getLogger("antiphon.server").setLevel(logging.INFO)
    serve_app(
        app(served_by, settings),
        settings,
        starting=lambda: loading(definitions, console()),
        began=lambda: announce(settings),
    )


def _worker_host(file: Path | None, settings: ServerSettings) -> "Callable[[OnReport], Host]":
    from ..server.workers.limits import WorkerLimits
    from ..server.workers.pool import WorkerHost

    limits = WorkerLimits(settings.memory_mb, settings.cpu, settings.stuck_after)
    return lambda on_report: WorkerHost(file, settings, on_report, limits=limits)


def check_phone_settings(settings: ServerSettings) -> None:
    """Raise ConfigurationError if no phone provider could reach this server."""
    if not settings.public_url:
        raise ConfigurationError(
            "phone providers need a URL to reach this machine: set ANTIPHON_PUBLIC_URL=https://..."
        )
    if not _providers():
        raise ConfigurationError(
            "no phone provider is configured: set the environment variables of one, such as "
            "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN; docs/guides/telephone.md lists them all"
        )


def announce(settings: ServerSettings) -> None:
    """Print the URLs of the server, and whether it needs keys."""
    out = console()
    here = "localhost" if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else settings.host
    where = (settings.public_url or f"{settings.scheme}://{here}:{settings.port}").rstrip("/")
    out.print(f"\n{where}", style="bold", soft_wrap=True)
    for provider in _providers() if settings.public_url else []:
        out.print(f"{provider.title}: {where}/phone/{provider.name}", soft_wrap=True)
    if settings.sip:
        out.print(f"SIP: sip:{settings.sip_user}@{settings.sip_domain or settings.sip}", soft_wrap=True)
    who = (
        "Sessions need a key."
        if settings.keyed
        else "Without keys, for development: only this machine can connect."
    )
    out.print(f"{who} Press Ctrl-C to stop.\n", style="dim", soft_wrap=True)


def _providers() -> "list[Provider]":
    """Return the phone providers whose environment variables are set."""
    from ..transports.telephony.providers import account, available, missing

    return [one for one in available() if one.environment and not missing(one, account(one))]
