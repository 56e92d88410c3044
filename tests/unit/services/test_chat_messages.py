"""Messages for endpoints whose user and assistant take turns."""

from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, UserSaid
from antiphon.services.chat_messages import BEGINNING, messages, with_strict_turns

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
