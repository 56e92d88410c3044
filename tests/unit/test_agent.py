"""The front door refuses what cannot work, and says what to write."""

import asyncio

import pytest

from antiphon import Agent
from antiphon.context import Context
from antiphon.errors import ConfigurationError
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS


def test_class_in_place_of_an_object() -> None:
    with pytest.raises(ConfigurationError, match=r"write ScriptedLLM\(\)"):
        Agent("x", llm=ScriptedLLM)  # type: ignore[arg-type]


def test_what_is_no_service() -> None:
    with pytest.raises(ConfigurationError, match=r"object with speak\(\)"):
        Agent("x", tts=5)  # type: ignore[arg-type]


def test_no_instructions() -> None:
    with pytest.raises(ConfigurationError, match="needs instructions"):
        Agent(" ")


def test_model_that_cannot_be_warmed_is_used_all_the_same() -> None:
    class Cold(ScriptedLLM):
        async def warm(self, context: Context) -> None:
            raise RuntimeError("cold")

    agent = Agent("x", stt=ScriptedSTT([]), llm=Cold([]), tts=ScriptedTTS(), vad=None, eot=None)
    asyncio.run(agent.load())
