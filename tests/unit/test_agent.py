"""An agent refuses what cannot work and says what to write; it opens and closes its services."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from antiphon import Agent, Listening, Speaking
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import ConfigurationError
from antiphon.services.ports import Speech, TextToSpeech, Word
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, run_virtual


def test_class_in_place_of_an_object() -> None:
    with pytest.raises(ConfigurationError, match=r"write ScriptedLLM\(\)"):
        Agent("x", llm=ScriptedLLM)  # type: ignore[arg-type]


def test_what_is_no_service() -> None:
    with pytest.raises(ConfigurationError, match=r"object with a speak\(\) of its own"):
        Agent("x", tts=5)  # type: ignore[arg-type]


def test_a_plain_object_is_told_what_it_lacks() -> None:
    class Plain:
        sample_rate = 16000

        def speak(self, text: object) -> None: ...

    members = "billed, close, load, model, open, resident, slow_after, vendor"
    lacks = rf"lacks {members}: derive its class from antiphon\.services\.ports\.TextToSpeech"
    with pytest.raises(ConfigurationError, match=lacks):
        Agent("x", tts=Plain())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "group"), [("mute", "listening=Listening"), ("timing", "speaking=Speaking")]
)
def test_a_setting_that_is_in_a_group_now_says_so(name: str, group: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} is in {group}\({name}=\.\.\.\) now"):
        Agent("x", **{name: ()})  # type: ignore[call-arg]


def test_groups_have_settings() -> None:
    agent = Agent("x", listening=Listening(mute=["greeting"]), speaking=Speaking(apology=None))
    assert agent.conversation().apology is None


def test_no_instructions() -> None:
    with pytest.raises(ConfigurationError, match="needs instructions"):
        Agent(" ")


def test_model_that_cannot_be_warmed_is_used_all_the_same() -> None:
    class Cold(ScriptedLLM):
        async def warm(self, context: Context) -> None:
            raise RuntimeError("cold")

    agent = Agent("x", stt=ScriptedSTT([]), llm=Cold([]), tts=ScriptedTTS(), vad=None, eot=None)
    asyncio.run(agent.open())


class Counted(ScriptedLLM):
    """Counts how often it was loaded, opened and closed."""

    def __init__(self) -> None:
        super().__init__([])
        self.life: list[str] = []

    async def load(self) -> None:
        self.life.append("load")

    async def open(self) -> None:
        self.life.append("open")

    async def close(self) -> None:
        self.life.append("close")


def counted(llm: Any) -> Agent:
    return Agent("x", stt=ScriptedSTT([]), llm=llm, tts=ScriptedTTS(), vad=None, eot=None)


def test_an_agent_opens_and_closes_its_services() -> None:
    llm = Counted()

    async def main() -> None:
        async with counted(llm):
            assert llm.life == ["load", "open"]

    asyncio.run(main())
    assert llm.life == ["load", "open", "close"]


def test_a_service_that_does_not_close_is_left(caplog: pytest.LogCaptureFixture) -> None:
    class Stuck(Counted):
        async def close(self) -> None:
            await asyncio.get_running_loop().create_future()

    run_virtual(counted(Stuck()).close())
    assert "did not close within 2 s" in caplog.text


def test_services_are_shared_by_a_copy_with_others() -> None:
    agent = counted("openai")
    copy = agent.with_services(stt=ScriptedSTT(["hello"]))
    assert agent.service("llm") is not None
    assert agent.with_services(stt=ScriptedSTT([])).service("llm") is agent.service("llm")
    assert copy.service("stt") is not agent.service("stt")


def test_what_is_still_opening_when_another_fails_is_closed() -> None:
    class Keyless(ScriptedLLM):
        async def open(self) -> None:
            raise ConfigurationError("no key")

    class Slow(ScriptedTTS):
        is_open = False

        async def open(self) -> None:
            await LoopClock().sleep(0.3)
            self.is_open = True

        async def close(self) -> None:
            self.is_open = False

    tts = Slow()

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="no key"):
            async with Agent("x", stt=ScriptedSTT([]), llm=Keyless([]), tts=tts, vad=None, eot=None):
                pass
        await LoopClock().sleep(1)

    run_virtual(main())
    assert not tts.is_open


def test_a_derived_service_without_its_main_method_is_none() -> None:
    class Mute(TextToSpeech):
        sample_rate = 16000

    with pytest.raises(ConfigurationError, match=r"nor an object with a speak\(\) of its own"):
        Agent("x", tts=Mute())  # type: ignore[abstract]


def test_a_derived_service_is_told_what_has_no_default() -> None:
    class Rateless(TextToSpeech):
        async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
            yield Speech(b"", 0)

    with pytest.raises(ConfigurationError, match="does not set sample_rate"):
        Agent("x", tts=Rateless())  # type: ignore[abstract]


def test_settings_that_have_moved_say_where_however_they_are_used() -> None:
    agent = counted("openai")
    with pytest.raises(ConfigurationError, match="timing is in speaking=Speaking"):
        agent.timing = None  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="mute is in listening=Listening"):
        _ = agent.mute  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = agent.nonsense  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=r"pass Speaking\(...\)"):
        Agent("x", speaking=Listening())  # type: ignore[arg-type]
