"""`antiphon serve` and `antiphon dial`, as far as they get without a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from antiphon import Agent
from antiphon.agent_file import served
from antiphon.cli import app
from antiphon.cli.serve import open_server
from antiphon.errors import ConfigurationError
from antiphon.server.settings import ServerSettings
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

WriteAgent = Callable[..., Path]


def antiphon(*line: str) -> Result:
    return CliRunner().invoke(app, list(line))


def test_new_keys_are_good_and_different() -> None:
    keys = dict(line.split("=") for line in antiphon("serve", "--new-key").stdout.split())
    assert keys.keys() == {"ANTIPHON_PUBLIC_KEYS", "ANTIPHON_PRIVATE_KEYS"}
    more = antiphon("serve", "--new-key").stdout
    assert all(len(key) >= 32 and key not in more for key in keys.values())


def test_without_keys_it_does_not_listen_to_the_world() -> None:
    done = antiphon("serve", "--host", "0.0.0.0")
    assert done.exit_code == 2
    assert "--new-key" in done.stderr


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from antiphon import Agent\nagent = Agent('a')\n", ["mine"]),
        ("from antiphon import Agent\nshop = Agent('a')\n", ["mine"]),
        ("from antiphon import Agent\ndef agent(opening): return Agent('a')\n", ["mine"]),
        ("from antiphon import Agent\nagents = {'a': Agent('a'), 'b': lambda o: Agent('b')}\n", ["a", "b"]),
    ],
)
def test_a_file_gives_its_agents(write_agent: WriteAgent, text: str, names: list[str]) -> None:
    assert list(served(write_agent(text, "mine.py"))) == names


@pytest.mark.parametrize(
    ("text", "said"), [("agents = {}\n", "empty"), ("agents = {'a': 7}\n", "agents"), ("x = 1\n", "no agent")]
)
def test_what_is_no_agent_is_named(write_agent: WriteAgent, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        served(write_agent(text))


def test_the_demos_agent_is_served_where_no_file_is_named() -> None:
    assert list(served(None)) == ["bicycle_shop"]


# Dialling --------------------------------------------------------------------------------------------


class Server:
    """What `httpx.post` reaches; answers with `answer`."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, object]]] = []

    def post(self, url: str, **how: object) -> httpx.Response:
        self.asked.append((url, how))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def dialled(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, *line: str
) -> tuple[Result, Server]:
    server = Server(answer)
    monkeypatch.setattr(httpx, "post", server.post)
    return antiphon("dial", "+4930123456", *line), server


def test_a_running_server_is_asked_to_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PRIVATE_KEY", "sk_secret")
    answer = httpx.Response(200, json={"provider": "twilio", "call": "CA1"})
    done, server = dialled(
        monkeypatch, answer, "--agent", "shop", "--body", '{"order": 7}', "--from", "+4930999"
    )
    assert done.stdout == "Calling +4930123456 by twilio: CA1\n"
    url, how = server.asked[0]
    assert url == "http://localhost:7860/dial"
    assert how["json"] == {"to": "+4930123456", "from": "+4930999", "agent": "shop", "body": {"order": 7}}
    assert how["headers"] == {"authorization": "Bearer sk_secret"}


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (httpx.Response(401, json={"detail": "a key is needed"}), 1, "ANTIPHON_PRIVATE_KEY"),
        (httpx.Response(400, json={"detail": "say which provider"}), 2, "say which provider"),
        (httpx.Response(502, json={"detail": "no such number"}), 1, "no such number"),
        (httpx.Response(200, text="<html>"), 1, "is it `antiphon serve`?"),
        (httpx.Response(200, text="[]"), 1, "is it `antiphon serve`?"),
        (httpx.ConnectError("refused"), 1, "is `antiphon serve` running there?"),
    ],
)
def test_what_goes_wrong_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception, code: int, said: str
) -> None:
    done, _ = dialled(monkeypatch, answer)
    assert (done.exit_code, said in done.stderr) == (code, True)


def test_the_body_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    done, server = dialled(monkeypatch, httpx.Response(200, json={}), "--body", "{")
    assert done.exit_code == 2
    assert not server.asked


def test_it_says_what_loads_before_it_serves(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(app: object, settings: object, *, starting: Any, began: Any) -> None:
        with starting():
            assert capsys.readouterr().out == "Loading silero-vad ...\n"
        assert capsys.readouterr().out.startswith("Models loaded: ")

    monkeypatch.setattr("antiphon.server.run.serve", serve)

    def fetch(agent: Agent) -> None:
        """Download nothing."""

    monkeypatch.setattr("antiphon.cli.ready.fetch", fetch)
    agent = Agent(
        "Be brief.", vad="local", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), eot=None
    )
    open_server({"shop": agent, "other": agent, "made": lambda _: agent}, ServerSettings())
