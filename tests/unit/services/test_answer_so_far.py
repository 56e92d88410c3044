from antiphon.context import AgentSaid, Context, UserSaid
from antiphon.services.answer_so_far import AnswerSoFar
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Remember,
    ResponseBegan,
    ResponseOver,
    UserHeard,
    UserSpeaks,
    Voice,
)

RATE = 1000  # bytes in a second
ASKED = Context("", (UserSaid("Where is it?"),))


def answer(*, seconds: float = 1.0, over: bool = False) -> AnswerSoFar:
    made = AnswerSoFar(RATE, lambda: 0.0)
    said = AgentWords("It is behind the station, on the left.")
    for event in (UserSpeaks(True), UserHeard(0, "Where is it?", True), ResponseBegan(), said):
        made.see(event)
    if seconds:
        made.see(Voice(bytes(int(seconds * RATE))))
    if over:
        made.see(ResponseOver())
    return made


def test_rest_is_asked_for_from_where_the_voice_was() -> None:
    note = answer().note(with_user=True)
    assert 'had said: "Where is it?"' in note
    assert 'so far: "It is behind"' in note, "the words are ahead of the voice"
    assert "Where" not in answer().note(with_user=False)


def test_rest_of_given_words() -> None:
    text = "Hello, this is the shop."
    assert answer(seconds=1.0).rest_of(text) == "the shop."
    assert answer(seconds=9.0).rest_of(text) == "shop."


def test_times_count_from_the_beginning() -> None:
    made = answer()
    assert made.cut(CutShort(0.4)) == CutShort(0.4)
    assert len(made.rest(None, detects=True)) == 2
    assert made.see(AgentWords("the", 0.25)) == [AgentWords(" the", 1.25)], "the rest follows a space"
    assert made.cut(CutShort(1.5)) == CutShort(0.5)
    assert made.cut(CutShort(0.5)) == CutShort(0.0), "cut off before the new connection began to speak"


def test_context_gets_an_answer_that_it_does_not_have_yet() -> None:
    assert answer().after(ASKED) == ASKED
    made = answer(over=True)
    assert made.after(ASKED).entries[-1] == AgentSaid("It is behind the station, on the left.")
    made.remember(Remember(ASKED))
    assert not made.is_known, "late words of the user say nothing of the answer"
    heard = Context("", (*ASKED.entries, AgentSaid("It is behind")))
    made.remember(Remember(heard))
    assert made.is_known
    assert made.after(heard) == heard


def test_context_after_an_answer_that_nobody_heard() -> None:
    made = answer(over=True)
    made.cut(CutShort(0.0))
    made.remember(Remember(ASKED))
    assert made.is_known


def test_words_wait_for_the_first_sound() -> None:
    words, voice = AgentWords("Hello."), Voice(b"00")
    made = AnswerSoFar(RATE, lambda: 0.0)
    made.see(ResponseBegan())
    assert made.see(words) == []
    assert made.rest(None, detects=False) == (), "nothing was said: all of it is made anew"
    assert made.see(words) == []
    assert made.see(voice) == [words, voice]
    assert made.see(words) == [words]


def test_words_do_not_wait_for_a_model_that_only_writes() -> None:
    made = AnswerSoFar(RATE, lambda: 0.0, speaks=False)
    assert made.see(AgentWords("Hello.")) == [AgentWords("Hello.")]
