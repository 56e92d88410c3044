"""Reasoning in tags: it is separated from the answer, however the text is cut."""

import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.context import AgentSaid
from antiphon.conversation.conversation import Conversation
from antiphon.frames import Measured, UserText
from antiphon.playout.playout import Playout
from antiphon.services.llm import LLM
from antiphon.services.reasoning import KEPT, ReasoningFilter
from antiphon.services.tts import TTS
from antiphon.testing import ScriptedLLM, ScriptedTTS, virtual
from antiphon.testing.assertions import HeldCall


def filtered(text: str, size: int) -> tuple[str, str]:
    reasoning = ReasoningFilter()
    said = [reasoning.feed(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*said, reasoning.flush()]), reasoning.reasoning


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>\nThey want hours.\n</think>\n\nNine to five.", "Nine to five."),
        ("<thinking>They ask.</thinking>Nine.", "Nine."),
        ("\n<Think>a</THINK> <reasoning>b</reasoning>Yes.", "Yes."),
        ("<think></think>\n\nYes.", "Yes."),
        ("[THINK]so[/THINK]Yes.", "Yes."),
        ("<|channel|>analysis<|message|>so<|end|><|start|>assistant<|channel|>final<|message|>Yes.", "Yes."),
        ("<think>never closed", ""),
        ("<think>a</thin", ""),
        ("I think 3 < 5 and <think> is a tag.", "I think 3 < 5 and <think> is a tag."),
        ("<b>Yes</b>", "<b>Yes</b>"),
        ("<thi", "<thi"),
        ("  Yes.", "  Yes."),
        ("", ""),
    ],
)
def test_only_the_answer_is_said(text: str, said: str, size: int) -> None:
    assert filtered(text, size)[0] == said


@settings(deadline=None)
@given(st.text("<>/think a"), st.integers(1, 9))
def test_how_the_text_is_cut_makes_no_difference(text: str, size: int) -> None:
    assert filtered(text, size) == filtered(text, len(text) + 1)


def test_reasoning_is_kept_up_to_a_limit() -> None:
    reasoning = ReasoningFilter()
    assert reasoning.feed("<think>" + "x" * 3 * KEPT) == ""
    assert KEPT == len(reasoning.reasoning) < reasoning.length


@virtual
async def test_reasoning_is_in_no_reply_but_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """It may take longer than a first word may, and the history holds the answer alone."""
    caplog.set_level(logging.DEBUG, "antiphon.llm")
    thought = ["<think>", *["so "] * 30, "</think>", "\n\n", "Nine \ud83d", "\ude00 to five."]
    model, tts = ScriptedLLM([thought], first=0.2, each=0.2), ScriptedTTS(first=0.1, rate=50.0)
    conversation = Conversation("Be brief.", please_wait=None)
    call = HeldCall([conversation, LLM(model), TTS(tts), Playout()])
    async with call.session as session:
        took = list[Measured]()
        session.on(Measured, took.append)
        session.send(UserText("when?"))
        await session.clock.sleep(20)
    assert conversation.history.entries[-1] == AgentSaid("Nine \U0001f600 to five.")
    assert "".join(map(str, tts.spoken)).replace(" ", "") == "Ninetofive."
    assert [round(one.seconds) for one in took if one.what == "reasoning"] == [13]
    assert "so so so" in caplog.text
