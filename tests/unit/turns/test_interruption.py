"""What a sound of the user over the agent's voice is taken for."""

from math import inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.turns.interruption import InterruptionRules, InterruptionSettings, Overlap, OverlapVerdict
from antiphon.turns.phrases import PHRASES, Lexicon, words_of

RULES = InterruptionRules()

LISTENS = {
    "en": "mhm; Mm-hmm.; Uh-huh.; yeah; Yeah, yeah, yeah.; yeahhhh; Okay.; Right.; I see.; sure; Got it; "
    "Oh really?; Makes sense.; No problem.; Hahaha; Thank you.",
    "de": "mhm, ja, genau; Okay.; stimmt; Ach so.; Alles klar!; Jaja; Verstehe.",
    "fr": "oui oui; D'accord.; Ah bon?; d’accord, je vois",
    "es": "sí, sí; Vale.; ¡Claro!; ya veo; ajá",
    "it": "sì sì; Va bene.; Ho capito.",
    "pt": "tá bom; pois é; sim, sim, entendi",
    "nl": "ja ja ja; snap ik; precies",
    "ru": "ага; да, да; понятно",
    "hi": "हाँ, जी; अच्छा; ठीक है।",
    "zh": "嗯; 对对对; 好的。",
    "ja": "はい; うんうん; なるほど。",
}

BARGES = {
    "en": "yeah, but; Wait.; stop; STOP!; no; No no no.; hold on; okay, stop; um, wait; "
    "what about Tuesday?; Huh?; Actually I meant the blue one; right now; no problem, but cancel it; mm-mm; "
    "Yeah so I need",
    "de": "ja, aber; Stopp!; Moment mal.; nein; ähm, warten Sie; Ich hätte gern zwei; Hä?",
    "fr": "oui mais; Non.; attendez; euh, j'ai une question",
    "es": "sí, pero; Espera.; no; ¿Y el precio?",
    "it": "sì, ma; Un attimo.; no",
    "pt": "sim, mas; não; espera",
    "nl": "ja maar; wacht even; nee",
    "ru": "да, но; нет; подождите",
    "hi": "नहीं; रुकिए; हाँ लेकिन",
    "zh": "等一下; 不是; 对,但是",
    "ja": "ちょっと待って; いいえ; はい、でも",
}

NOISES = (
    "[cough]; (coughs); *cough*; [BLANK_AUDIO]; [BLANK_AU; (sighs) [music]; ♪ la la ♪; ...; <noise>; "
    "you; Ahem.; Thanks for watching!; Untertitel der Amara.org-Community; "
    "Sous-titres réalisés par la communauté d'Amara.org"
)

SHOP = "Welcome to the bicycle shop, we are open from nine to five. You can stop by at any time."


def each(tables: dict[str, str]) -> list[str]:
    return [phrase.strip() for text in tables.values() for phrase in text.split(";")]


def verdict(overlap: Overlap, rules: InterruptionRules = RULES) -> OverlapVerdict:
    return rules.judge(overlap).verdict


def test_every_language_has_examples() -> None:
    assert set(LISTENS) == set(BARGES) == set(PHRASES)


@pytest.mark.parametrize("words", each(LISTENS))
def test_who_only_listens_does_not_want_the_floor(words: str) -> None:
    assert verdict(Overlap(0.5, words, final=True, over=True)) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.5, words, final=True)) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.5, words)) is OverlapVerdict.UNDECIDED, "a barge-in can begin like that"


@pytest.mark.parametrize("words", each(BARGES))
@pytest.mark.parametrize("final", [True, False])
def test_other_words_take_the_floor_at_once(words: str, final: bool) -> None:
    assert verdict(Overlap(0.3, words, final=final)) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(0.3, words, final=final, over=True)) is OverlapVerdict.BARGE_IN


@pytest.mark.parametrize("words", ["", *each({"": NOISES})])
def test_what_recognisers_write_for_noise(words: str) -> None:
    assert verdict(Overlap(0.5, words, final=True, over=True)) is OverlapVerdict.NOISE
    assert verdict(Overlap(0.5, words)) is OverlapVerdict.UNDECIDED


@pytest.mark.parametrize("language", PHRASES)
def test_every_phrase_is_of_its_kind_in_its_own_language(language: str) -> None:
    lexicon = Lexicon([language])
    phrases = PHRASES[language]
    for kind, text in (("filler", phrases.fillers), ("command", phrases.commands)):
        for phrase in text.split(","):
            assert set(lexicon.kinds(words_of(phrase))) == {kind}, phrase
    for phrase in phrases.backchannels.split(","):
        assert lexicon.kinds(words_of(phrase))[0] == "backchannel", phrase


def test_a_filler_may_be_the_beginning_of_more() -> None:
    assert verdict(Overlap(0.3, "um", final=True)) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(0.3, "um", final=True, over=True, quiet=0.2)) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(0.3, "um", final=True, over=True, quiet=0.6)) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.8, "um yeah but")) is OverlapVerdict.BARGE_IN


def test_sounds_without_words_are_judged_by_their_length() -> None:
    assert verdict(Overlap(1.4)) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(1.5)) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(0.5, over=True, quiet=0.5)) is OverlapVerdict.UNDECIDED, (
        "the words may be on their way"
    )
    assert verdict(Overlap(0.5, over=True, quiet=0.6)) is OverlapVerdict.NOISE
    assert verdict(Overlap(2.0, final=True, over=True)) is OverlapVerdict.NOISE, (
        "the recogniser has heard all of it"
    )


def test_speech_that_is_too_long_for_its_words_takes_the_floor() -> None:
    assert verdict(Overlap(1.8, "yeah")) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(2.0, "yeah")) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(2.0, "yeah yeah yeah", final=True)) is OverlapVerdict.BACKCHANNEL


def test_min_words_counts_neither_fillers_nor_commands() -> None:
    rules = InterruptionRules(InterruptionSettings(min_words=3))
    assert verdict(Overlap(0.8, "um what about"), rules) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(0.8, "what about", final=True, over=True), rules) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.8, "what about Tuesday"), rules) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(0.2, "stop"), rules) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(2.5, "what about"), rules) is OverlapVerdict.BARGE_IN


@pytest.mark.parametrize("asked", ["Okay?", "Shall I book it?", "He asked: “shall I?”", "Soll ich? "])
def test_a_yeah_at_the_end_of_a_question_answers_it(asked: str) -> None:
    assert verdict(Overlap(0.4, "yeah", left=0.3, saying=asked)) is OverlapVerdict.BARGE_IN
    assert (
        verdict(Overlap(0.4, "yeah", left=0.3, saying="Shall I", says_next=asked)) is OverlapVerdict.BARGE_IN
    )
    for later in (
        Overlap(0.4, "yeah", True, True, left=3.0, saying=asked),
        Overlap(0.4, "yeah", True, True, left=None, saying=asked),
        Overlap(0.4, "yeah", True, True, left=0.3, saying=asked + " I will see."),
    ):
        assert verdict(later) is OverlapVerdict.BACKCHANNEL


def test_the_moment_after_the_voice_begins() -> None:
    assert verdict(Overlap(0.2, voiced=0.3)) is OverlapVerdict.ECHO
    assert verdict(Overlap(0.2, voiced=0.5)) is OverlapVerdict.UNDECIDED
    assert verdict(Overlap(0.2, "welcome", voiced=0.3, saying=SHOP[:7])) is OverlapVerdict.ECHO
    assert (
        verdict(Overlap(0.2, "welcome", voiced=0.5, saying=SHOP[:7], final=True)) is OverlapVerdict.BARGE_IN
    )
    assert verdict(Overlap(0.2, "wait", voiced=0.3, saying=SHOP[:7])) is OverlapVerdict.BARGE_IN
    assert verdict(Overlap(1.6, voiced=0.3)) is OverlapVerdict.BARGE_IN


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("we are open from nine", OverlapVerdict.ECHO),
        ("We're open from nine to five.", OverlapVerdict.ECHO),
        ("you can stop by at any time", OverlapVerdict.ECHO),
        ("nine to five", OverlapVerdict.BARGE_IN),
        ("are you open on Sunday too", OverlapVerdict.BARGE_IN),
        ("can you stop please", OverlapVerdict.BARGE_IN),
        ("we are open from nine to five but I only come home at seven", OverlapVerdict.BARGE_IN),
    ],
)
def test_echo_repeats_the_agent_and_a_user_does_not(words: str, expected: OverlapVerdict) -> None:
    assert verdict(Overlap(1.0, words, final=True, voiced=5.0, saying=SHOP)) is expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("i", OverlapVerdict.UNDECIDED),  # see
        ("i would", OverlapVerdict.BARGE_IN),
        ("yeah of", OverlapVerdict.UNDECIDED),  # course
        ("of the", OverlapVerdict.BARGE_IN),
        ("thanks for", OverlapVerdict.UNDECIDED),  # watching
        ("no", OverlapVerdict.BARGE_IN),  # not "no problem": a no must not wait
        ("you can", OverlapVerdict.UNDECIDED),  # the agent says so too
        ("you can stop", OverlapVerdict.UNDECIDED),
        ("you can stop by", OverlapVerdict.ECHO),
        ("you can stop now", OverlapVerdict.BARGE_IN),
    ],
)
def test_words_that_grow_may_become_something_else(words: str, expected: OverlapVerdict) -> None:
    assert verdict(Overlap(0.3, words, voiced=5.0, saying=SHOP)) is expected


def test_the_languages_in_use_and_phrases_of_ones_own() -> None:
    assert (
        verdict(Overlap(0.5, "para ella"), InterruptionRules(InterruptionSettings(min_words=3)))
        is OverlapVerdict.BARGE_IN
    )
    german = InterruptionRules(InterruptionSettings(min_words=3, languages=("de",)))
    assert verdict(Overlap(0.5, "para ella"), german) is OverlapVerdict.UNDECIDED
    own = InterruptionRules(
        InterruptionSettings(backchannels=("no way José", "no"), commands=("computer", "okay then"))
    )
    assert verdict(Overlap(0.5, "No way, José!", final=True), own) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.5, "no", final=True), own) is OverlapVerdict.BACKCHANNEL
    assert verdict(Overlap(0.5, "okay then", final=True), own) is OverlapVerdict.BARGE_IN


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"first": "scream"}, "play on"),
        ({"duck_to": 2}, "duck_to"),
        ({"min_words": -1}, "min_words"),
        ({"echo_for": -0.1}, "echo_for"),
        ({"back_off": float("nan")}, "back_off"),
        ({"languages": ("en", "tlh")}, "tlh; known: en, de"),
    ],
)
def test_wrong_settings_say_what_is_wrong(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        InterruptionSettings(**wrong)  # pyright: ignore[reportArgumentType]  wrong on purpose


def test_settings_come_from_a_file() -> None:
    policy = {"first": "play on", "min_words": 2, "languages": ["de"], "certain_after": 1}
    assert msgspec.convert(policy, InterruptionSettings) == InterruptionSettings(
        "play on", min_words=2, languages=("de",), certain_after=1.0
    )


OVERLAPS = st.builds(
    Overlap,
    seconds=st.floats(0, 20),
    words=st.one_of(st.text(), st.sampled_from([*each(LISTENS), *each(BARGES), *each({"": NOISES})])),
    final=st.booleans(),
    over=st.booleans(),
    voiced=st.floats(0, 20),
    left=st.none() | st.floats(0, 20),
    saying=st.text() | st.just(SHOP),
    says_next=st.text(),
    quiet=st.floats(0),
)


@given(OVERLAPS)
def test_any_overlap_gets_a_verdict_and_always_the_same(overlap: Overlap) -> None:
    judgement = RULES.judge(overlap)
    assert judgement == RULES.judge(overlap)
    assert judgement.reason


@given(OVERLAPS)
def test_nothing_stays_undecided_once_all_is_known(overlap: Overlap) -> None:
    known = Overlap(overlap.seconds, overlap.words, final=True, over=True, quiet=inf)
    assert verdict(known) is not OverlapVerdict.UNDECIDED


@given(st.text(), st.text())
def test_case_and_punctuation_change_no_words(text: str, more: str) -> None:
    assert words_of(f"{text} . {more}") == words_of(f"{text}  {more}") or set("([*♪<") & set(text)
