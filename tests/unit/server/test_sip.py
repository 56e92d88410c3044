"""SIP calls: admitted, sent to the agent that was called, or declined."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, cast

import pytest

from antiphon.errors import ConfigurationError
from antiphon.server.admission import Admission
from antiphon.server.port import OnReport, Refused
from antiphon.server.settings import ServerSettings
from antiphon.server.sip import admit, answering, listen
from antiphon.testing.host import ScriptedHost


@dataclass
class Call:
    """A call that rings."""

    called: str = "agent"
    caller: str = "sip:ada@example.com"
    id: str = "1"
    declined: int = 0
    over: bool = False

    async def decline(self) -> None:
        self.declined += 1


def admission(room: int = 9, **settings: Any) -> tuple[Admission, ScriptedHost]:
    hosts: list[ScriptedHost] = []

    def make_host(on_report: OnReport) -> ScriptedHost:
        hosts.append(ScriptedHost(on_report, room=room, names=("agent", "sales")))
        return hosts[0]

    return Admission(make_host, ServerSettings(**settings)), hosts[0]


def let(where: Admission, call: Call) -> None:
    async def main() -> None:
        await admit(where, cast(Any, call))
        await where.close()

    asyncio.run(main())


@pytest.mark.parametrize(("called", "agent"), [("sales", "sales"), ("+4930123", "agent"), ("", "agent")])
def test_the_agent_is_the_one_that_was_called_or_the_first(called: str, agent: str) -> None:
    where, host = admission()
    call = Call(called)
    let(where, call)
    (opened,) = host.opened
    assert (opened.opening.kind, opened.opening.agent) == ("sip", agent)
    assert opened.ringing is cast(Any, call)
    assert not call.declined


def test_where_there_is_no_room_it_is_busy() -> None:
    where, host = admission(room=0)
    call = Call()
    let(where, call)
    assert call.declined == 1 and not host.opened
    assert where.metrics.refused[(("status", "429"),)] == 1


def test_a_caller_who_left_was_not_refused() -> None:
    where, host = admission(room=0)
    call = Call(over=True)
    let(where, call)
    assert not call.declined and not host.opened
    assert not where.metrics.refused


def test_the_server_is_not_ready_when_the_stack_has_stopped(caplog: pytest.LogCaptureFixture) -> None:
    class Endpoint:
        async def calls(self) -> AsyncGenerator[Any]:
            for each in rung:
                yield each

    async def main() -> None:
        await listen(where, cast(Any, Endpoint()))
        assert where.draining
        await where.close()

    rung = [Call()]
    where, host = admission()
    asyncio.run(main())
    assert len(host.opened) == 1
    assert "a new process is needed" in caplog.text


def test_while_the_server_drains_it_is_busy() -> None:
    where, host = admission()
    where.draining = True
    call = Call()
    let(where, call)
    assert call.declined == 1 and not host.opened
    assert where.metrics.refused[(("status", "503"),)] == 1


@pytest.mark.parametrize("error", [Refused(500, "the agent could not be made"), ValueError("a bug")])
def test_what_cannot_be_opened_holds_nobody(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    where, host = admission()

    async def failing(*_: object) -> None:
        raise error

    monkeypatch.setattr(host, "open", failing)
    call = Call()
    let(where, call)
    assert call.declined == 1 and not where.sessions


def test_without_the_setting_nothing_listens() -> None:
    async def main() -> None:
        async with answering(admission()[0]):
            assert [task.get_name() for task in asyncio.all_tasks()].count("antiphon sip") == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sip": "5060"}, "its port, as 127.0.0.1:5060"),
        ({"sip": "127.0.0.1:5060", "isolation": "process"}, "SIP calls run in the server's own process"),
        ({"sip_domain": "sip.example.com"}, "say where to listen as well"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServerSettings(**wrong)


def test_a_password_is_not_shown() -> None:
    settings = ServerSettings.from_environment(
        {"ANTIPHON_SIP": "127.0.0.1:5060", "ANTIPHON_SIP_PASSWORD": "hush"}
    )
    assert settings.sip_password == "hush" and "hush" not in repr(settings)
