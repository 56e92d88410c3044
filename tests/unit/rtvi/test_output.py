"""The words of a reply: announced, spoken word by word, cut off."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from antiphon.rtvi.output import BotOutput, Output

TEXT = "Hello there, how are you? Good. "


def told(outputs: Iterator[BotOutput], legacy: bool = False) -> list[tuple[str, Any]]:
    return [message for output in outputs for message in output.messages(legacy)]


def announced() -> Output:
    output = Output(count(1))
    list(output.announce(TEXT, 0, 13))
    list(output.announce(TEXT, 13, 26))
    return output


def test_a_segment_is_announced_without_the_spaces_around_it() -> None:
    assert told(Output(count(7)).announce(TEXT, 12, 26)) == [
        (
            "bot-output",
            {
                "text": "how are you?",
                "aggregated_by": "sentence",
                "segment_id": 7,
                "will_be_spoken": True,
                "spoken_status": "new",
                "spoken_progress": {"accumulated_text": "", "remaining_text": "how are you?"},
            },
        )
    ]


def test_progress_is_told_word_by_word() -> None:
    messages = told(announced().heard(17))
    assert [(kind, data.get("segment_id"), data.get("spoken_status")) for kind, data in messages] == [
        ("bot-output", 1, "completed"),
        ("bot-tts-text", None, None),
        ("bot-output", 2, "in-progress"),
        ("bot-tts-text", None, None),
    ]
    assert messages[2][1]["spoken_progress"] == {"accumulated_text": "how ", "remaining_text": "are you?"}
    assert [data["text"] for kind, data in messages if kind == "bot-tts-text"] == ["Hello there,", "how"]


def test_nothing_is_told_twice_and_an_estimate_never_goes_back() -> None:
    output = announced()
    assert told(output.heard(5))
    assert told(output.heard(5)) == []
    assert told(output.heard(2)) == []


def test_the_truth_may_be_less_than_was_estimated() -> None:
    output = announced()
    list(output.heard(17))
    (kind, data), *rest = told(output.heard(5, exactly=True))
    assert kind == "bot-output" and data["spoken_status"] == "in-progress"
    assert data["spoken_progress"] == {"accumulated_text": "Hello", "remaining_text": " there,"}
    assert [(kind, data.get("spoken_status")) for kind, data in rest] == [("bot-output", "new")]


def test_protocol_1_has_it_spoken_or_not() -> None:
    output = Output(count(1))
    assert told(output.announce(TEXT, 0, 13), legacy=True) == [
        ("bot-output", {"text": "Hello there,", "aggregated_by": "sentence", "spoken": False}),
        ("bot-transcription", {"text": "Hello there,"}),
    ]
    assert told(output.heard(5), legacy=True) == [
        ("bot-output", {"text": "Hello", "aggregated_by": "word", "spoken": True}),
        ("bot-tts-text", {"text": "Hello"}),
    ]
    assert told(output.heard(0, exactly=True), legacy=True) == [], "it cannot be taken back"


def test_what_nobody_speaks() -> None:
    (kind, data), *rest = told(Output(count(1)).unspoken(" Read this. "))
    assert kind == "bot-output" and not rest
    assert data == {
        "text": "Read this.",
        "aggregated_by": "sentence",
        "segment_id": 1,
        "will_be_spoken": False,
    }
    assert told(Output(count(1)).unspoken("  ")) == []
    assert told(Output(count(1)).announce("   ", 0, 3)) == []


@given(st.text(alphabet="ab ,.", max_size=60), st.lists(st.integers(0, 70), max_size=8), st.data())
def test_parts_always_make_the_whole(text: str, heard: list[int], data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=4)))
    output = Output(count(1))
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        list(output.announce(text, start, end))
    reached: dict[int, int] = {}
    for offset in heard:
        for kind, told_ in told(output.heard(offset)):
            if kind == "bot-output":
                progress = told_["spoken_progress"]
                assert progress["accumulated_text"] + progress["remaining_text"] == told_["text"]
                length = len(progress["accumulated_text"])
                assert length > reached.get(told_["segment_id"], 0)
                assert (told_["spoken_status"] == "completed") == (length == len(told_["text"]))
                reached[told_["segment_id"]] = length
