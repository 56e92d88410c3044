from antiphon.context import Context, UserSaid
from antiphon.services.realtime_vocabulary import (
    CutShort,
    Discard,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWords,
)
from antiphon.services.unanswered_inputs import UnansweredInputs

RATE = 1000  # bytes a second
TALKED = Context("Be kind.", (UserSaid("hello"),))


def sound(seconds: float) -> UserSound:
    return UserSound(bytes(round(seconds * RATE)))


def made(*items: object, detects: bool = False) -> UnansweredInputs:
    unanswered = UnansweredInputs(Context("Be kind."), RATE, detects)
    unanswered.lead = 1.0
    for item in items:
        unanswered.add(item)  # type: ignore[arg-type]
    return unanswered


TURN = (SpeechBegan(), sound(0.5), SpeechOver())


def test_turn_is_kept_until_it_is_answered() -> None:
    unanswered = made(*TURN, Respond())
    assert unanswered.items() == [*TURN, Respond()]
    unanswered.see(ResponseBegan())
    assert unanswered.items() == [*TURN], "it is not asked for again"
    unanswered.see(ResponseOver("failed"))
    assert unanswered, "a response that failed is no answer"
    unanswered.see(ResponseBegan())
    unanswered.see(ResponseOver())
    assert not unanswered


def test_what_comes_after_the_question_is_for_the_next_response() -> None:
    unanswered = made(*TURN, Respond(), SpeechBegan(), sound(0.1))
    unanswered.see(ResponseBegan())
    unanswered.see(ResponseOver())
    assert unanswered.items() == [SpeechBegan(), sound(0.1)]


def test_nobody_waits_for_what_was_cut_short() -> None:
    assert made(*TURN, Respond(), CutShort(0.0)).items() == [*TURN]


def test_discarded_sound_is_forgotten() -> None:
    assert not made(SpeechBegan(), sound(0.5), Discard())


def test_context_is_that_of_the_first_unanswered() -> None:
    unanswered = made(*TURN, Respond(), Remember(TALKED))
    assert unanswered.context == Context("Be kind."), "the turn is put in again"
    unanswered.see(ResponseBegan())
    unanswered.see(ResponseOver())
    assert unanswered.context == TALKED


def test_context_with_the_results_of_tools_takes_their_place() -> None:
    unanswered = made(ToolOutput("1", "weather", "sunny"), Remember(TALKED), Respond())
    assert (unanswered.context, unanswered.items()) == (TALKED, [Respond()])


def test_sound_is_bounded() -> None:
    unanswered = made(SpeechBegan(), *(sound(1.0) for _ in range(100)))
    assert sum(len(item.pcm) for item in unanswered.items() if isinstance(item, UserSound)) == 60 * RATE


def test_only_the_newest_silence_is_kept_for_a_model_that_detects() -> None:
    unanswered = made(*(sound(0.5) for _ in range(20)), detects=True)
    assert unanswered.items() == [sound(0.5), sound(0.5)]
    assert not unanswered
    unanswered.see(UserSpeaks(True))
    assert unanswered.items() == [sound(0.5), sound(0.5)]
    assert unanswered
    unanswered.see(UserSpeaks(False))
    assert unanswered.items() == [sound(0.5), sound(0.5), sound(1.0)], "silence ends the turn"


def test_what_is_said_again_of_the_user_is_not_repeated() -> None:
    unanswered = made(detects=True)
    assert unanswered.see(UserSpeaks(True)) == UserSpeaks(True)
    assert unanswered.see(UserSpeaks(False)) == UserSpeaks(False)
    unanswered.items()
    assert unanswered.see(UserSpeaks(True)) is None
    assert unanswered.see(UserSpeaks(False)) is None
    assert unanswered.see(UserSpeaks(True)) == UserSpeaks(True), "this is another turn"


def test_turns_are_counted_on() -> None:
    for detects, turn in ((False, [*TURN]), (True, [SpeechBegan(), sound(0.5), SpeechOver()])):
        unanswered = made(*turn, detects=detects)
        unanswered.see(ResponseBegan())
        unanswered.see(ResponseOver())
        for item in turn:
            unanswered.add(item)
        unanswered.items()  # the second turn is heard again
        assert unanswered.see(UserHeard(0, "hello", True)) == UserHeard(1, "hello", True)
        unanswered.go_on()
        assert unanswered.see(UserHeard(0, "bye", True)) == UserHeard(2, "bye", True)


def test_greeting_that_has_begun_is_not_said_again() -> None:
    unanswered = made(Say("Hello."))
    unanswered.see(ResponseBegan())
    assert unanswered.items() == []


def test_response_that_nobody_heard_is_asked_for_again() -> None:
    unanswered = made(*TURN, Respond(), SpeechBegan())
    unanswered.see(ResponseBegan())
    unanswered.take_back()
    assert unanswered.items() == [*TURN, Respond(), SpeechBegan()]


def test_rest_of_a_response_is_asked_for_once() -> None:
    unanswered = made(*TURN, Respond(), SpeechBegan())
    unanswered.see(ResponseBegan())
    note = UserWords("Go on.")
    unanswered.take_back(note, Respond())
    assert unanswered.items() == [*TURN, note, Respond(), SpeechBegan()]
    unanswered.see(ResponseBegan())
    assert unanswered.items() == [*TURN, note, SpeechBegan()]


def test_sound_tells_that_the_user_speaks() -> None:
    unanswered = UnansweredInputs(Context(""), RATE, detects=True)
    unanswered.lead = 10.0
    assert unanswered.is_quiet()
    for level, quiet in ((100, True), (9000, False), (100, False)):
        unanswered.add(UserSound(level.to_bytes(2, "little") * 500))
        assert unanswered.is_quiet() == quiet
    for _ in range(20):
        unanswered.add(UserSound((1000).to_bytes(2, "little") * 200))
    assert not unanswered.is_quiet(), "louder than it was"
    for _ in range(60):
        unanswered.add(UserSound((1000).to_bytes(2, "little") * 200))
    assert unanswered.is_quiet(), "noise that never ends is no speech"


def test_words_that_are_known_are_not_told_again() -> None:
    unanswered = made(*TURN, Respond())
    assert unanswered.see(UserHeard(0, "hello", True)) is not None
    unanswered.items()
    assert unanswered.see(UserHeard(0, "hello", True)) is None
