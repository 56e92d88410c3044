"""The history: entries in the order of the talk, replies as they were heard, results where they belong."""

import pytest

from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, UserSaid
from antiphon.conversation.history import History
from antiphon.conversation.replies import Generation
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError
from antiphon.frames import ReplyEnded
from antiphon.reply import Reply

CALL = ToolCall("1", "look", "{}")


@tool
async def look() -> str:
    """Looks."""
    return ""


def reply(number: int, text: str) -> Reply:
    made = Reply(print, print)
    made.number, made.text = number, text
    return made


def ended(number: int, text: str, heard: str, *, speculative: bool = False) -> ReplyEnded:
    return ReplyEnded(number, text, heard, heard != text, speculative=speculative)


def test_a_reply_stands_where_it_began_and_as_far_as_it_was_heard() -> None:
    history = History("Be brief.")
    history.record_user("hi")
    history.begin_reply(reply(1, "One two."))
    history.record_user("a note")
    assert history.entries == [UserSaid("hi"), UserSaid("a note")], "it joins them when it ends"
    assert history.prompt().entries == (UserSaid("hi"), UserSaid("a note"), AgentSaid("One two."))
    assert history.end_reply(ended(1, "One two.", "One")) is not None
    assert history.entries == [UserSaid("hi"), AgentSaid("One", interrupted=True), UserSaid("a note")]
    assert history.context == Context("Be brief.", tuple(history.entries))


def test_a_speculative_reply_reads_the_guess_and_leaves_no_trace() -> None:
    history = History("Be brief.")
    history.begin_reply(reply(1, ""))
    assert history.prompt("perhaps").entries == (UserSaid("perhaps"),)
    assert history.end_reply(ended(1, "Yes.", "", speculative=True)) is None
    assert history.entries == [] and history.in_progress is None


def test_a_result_that_comes_after_its_reply_is_settled() -> None:
    history = History("Be brief.", [look])
    history.begin_reply(reply(1, ""))
    current = history.reply_in_progress(1)
    assert current is not None and history.reply_in_progress(2) is None
    current.generations.append(Generation(0, (CALL,)))
    history.end_reply(ended(1, "", ""))
    assert history.entries == [AgentSaid("", (CALL,)), ToolAnswered(CALL, "still running")]
    history.settle(CALL, "found")
    assert history.entries[-1] == ToolAnswered(CALL, "found")
    assert history.context_after("and?").entries[-1] == UserSaid("and?")


def test_two_tools_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two tools have the same name"):
        History("x", [look, look])


def test_an_earlier_conversation_is_mended() -> None:
    history = History("Be \ud83d.", entries=[UserSaid("hi \ud83d")])
    assert history.context == Context("Be \ufffd.", (UserSaid("hi \ufffd"),))
