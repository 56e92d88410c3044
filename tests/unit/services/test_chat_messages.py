"""Messages for endpoints whose user and assistant take turns."""

import pytest

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, UserSaid
from antiphon.services.chat_messages import BEGINNING, messages, with_strict_turns, without_system
from antiphon.services.openai_compatible import NO_SYSTEM

CALL = ToolCall("c", "hours", "{}")


def turns(*entries: UserSaid | AgentSaid | ToolAnswered) -> list[tuple[str, object]]:
    chat = with_strict_turns(messages(Context("Be brief.", entries)))
    assert chat[0] == {"role": "system", "content": "Be brief."}
    return [(message["role"], message["content"]) for message in chat[1:]]


def test_greeting_follows_a_turn_of_the_user() -> None:
    assert turns(AgentSaid("Welcome."), UserSaid("Hello.")) == [
        ("user", BEGINNING),
        ("assistant", "Welcome."),
        ("user", "Hello."),
    ]


def test_two_turns_of_one_side_become_one() -> None:
    said = (
        UserSaid("Hello."),
        UserSaid("Hello?"),
        AgentSaid("Yes?"),
        AgentSaid("I am here."),
        UserSaid("Good."),
    )
    assert turns(*said) == [
        ("user", "Hello.\nHello?"),
        ("assistant", "Yes?\nI am here."),
        ("user", "Good."),
    ]


def test_calls_and_results_stay_as_they_are() -> None:
    said = (
        UserSaid("When?"),
        AgentSaid("Well."),
        AgentSaid("", (CALL,)),
        ToolAnswered(CALL, "nine"),
        AgentSaid("Nine."),
    )
    assert turns(*said) == [
        ("user", "When?"),
        ("assistant", "Well."),
        ("tool", "nine"),
        ("assistant", "Nine."),
    ]
    chat = with_strict_turns(messages(Context("Be brief.", said)))
    assert [message.get("tool_calls", [{}])[0].get("id") for message in chat] == [None, None, "c", None, None]


def test_pictures_of_joined_turns_are_kept() -> None:
    joined = turns(UserSaid("This?", (Image(b"a"),)), UserSaid("Or not?"))
    assert [part["type"] for part in joined[0][1]] == ["text", "image_url", "text"]  # type: ignore[attr-defined]


def test_context_is_not_changed() -> None:
    chat = messages(Context("Be brief.", (UserSaid("Hello."), UserSaid("Hello?"))))
    with_strict_turns(chat)
    assert [message["content"] for message in chat] == ["Be brief.", "Hello.", "Hello?"]


def test_text_of_the_system_begins_the_first_message_of_the_user() -> None:
    context = Context("Be brief.", (UserSaid("Hello."), AgentSaid("Yes?"), UserSaid("When?")))
    assert [tuple(message.values()) for message in without_system(messages(context))] == [
        ("user", "Be brief.\nHello."),
        ("assistant", "Yes?"),
        ("user", "When?"),
    ]


def test_text_of_the_system_is_a_message_of_the_user_before_a_greeting() -> None:
    context = Context("Be brief.", (AgentSaid("Welcome."), UserSaid("Hello.")))
    told = [("user", "Be brief."), ("assistant", "Welcome."), ("user", "Hello.")]
    chat = without_system(messages(context))
    assert [tuple(message.values()) for message in chat] == told
    assert with_strict_turns(chat) == chat


def test_a_picture_stays_with_the_words_it_came_with() -> None:
    (only,) = without_system(messages(Context("Be brief.", (UserSaid("This?", (Image(b"a"),)),))))
    assert [part["type"] for part in only["content"]] == ["text", "text", "image_url"]


@pytest.mark.parametrize(
    "said",
    [
        "System role not supported",
        "Developer instruction is not enabled for models/gemma-3-27b-it",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "This model does not support system messages.",
        "'system' role is not supported",
        "Only user and assistant roles are supported!",
        'Unexpected role "system". The Messages API accepts a top-level `system` parameter',
    ],
)
def test_endpoints_say_in_many_ways_that_they_know_no_system(said: str) -> None:
    assert NO_SYSTEM.search(said)


@pytest.mark.parametrize(
    "said",
    [
        "The system is overloaded",
        "Your plan does not support this model",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Only user, system and assistant roles are supported",
        "This model does not support image input",
    ],
)
def test_other_refusals_are_none_of_them(said: str) -> None:
    assert not NO_SYSTEM.search(said)
