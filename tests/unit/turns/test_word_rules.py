"""What words tell: a table of rules over the last words of either side."""

import timeit

import pytest

from antiphon.errors import ConfigurationError
from antiphon.turns.word_rules import RULES, Hint, WordRule, WordRules, last_sentence, last_words

TABLE = WordRules(RULES)


def told(words: str = "", asked: str = "") -> Hint | None:
    """The one thing that was told."""
    found = TABLE.told(words, asked)
    assert len(found) <= 1
    return found[0] if found else None


GOES_ON = (
    "I'd like to book a table and",
    "I'd like to book a table and.",
    "It broke because...",
    "Can you send it to the",
    "So I was thinking, um,",
    "Uh.",
    "Well, you know...",
    "My number is zero four one",
    "My number is 041.",
    "zero four one, five five",
    "it's j o h n",
    "It's J-O-H-N.",
    "I would like to",
    "When I came home,",
    "I was going to –",
    "So, well.",
    "Well...",
    "The one that we ordered on Friday",
    "Ich hätte gern einen Tisch und",
    "Das geht nicht, weil",
    "Ähm",
    "Je voudrais une table et",
    "euh",
    "C'est parce que",
    "Quiero una mesa para",
    "No puedo porque",
    "Este...",
)

FINISHED = (
    "Yeah.",
    "No.",
    "Two.",
    "no",
    "Yes, please.",
    "Okay, thanks.",
    "No, no.",
    "Nein.",
    "Ja, genau.",
    "Oui, merci.",
    "Sí, claro.",
    "What does it cost?",
    "I think so.",
    "I don't feel well.",
    "That's all I need.",
    "A table for two, please.",
    "That's all.",
    "We want to come at seven.",
)

NO_WORD_OF_IT = ("", "   ", "hello there how are things", "i want a table for two people")


@pytest.mark.parametrize("words", GOES_ON)
def test_more_must_come_behind(words: str) -> None:
    hint = told(words)
    assert hint is not None and hint.effect < 0


@pytest.mark.parametrize("words", FINISHED)
def test_nothing_need_come_behind(words: str) -> None:
    hint = told(words)
    assert hint is not None and hint.effect > 0


@pytest.mark.parametrize("words", NO_WORD_OF_IT)
def test_words_that_tell_nothing(words: str) -> None:
    assert told(words) is None


def test_a_whole_telephone_number_is_not_waited_on() -> None:
    hint = told("my number is zero four one five five five zero one nine nine")
    assert hint is None or hint.effect > -1


def test_a_short_answer_is_all_that_was_said_and_not_the_end_of_it() -> None:
    hint = told("I asked her twice on the telephone and each time that we spoke she said no")
    assert hint is None or "short" not in hint.reason


@pytest.mark.parametrize(
    ("asked", "sign"),
    [
        ("Thank you. Could you spell your last name?", -1),
        ("What is your phone number?", -1),
        ("And your e-mail address, please?", -1),
        ("How can I help you?", -1),
        ("Wie ist Ihre Telefonnummer?", -1),
        ("Is this your address?", 1),
        ("Do you have an account with us?", 1),
        ("Great. Would you like a receipt?", 1),
        ("How many people will you be?", 1),
        ("Möchten Sie noch etwas?", 1),
        ("I see.", 0),
        ("Could you spell that? Take your time.", 0),
        ("", 0),
    ],
)
def test_what_was_asked_tells_how_long_the_answer_is(asked: str, sign: int) -> None:
    hint = told(asked=asked)
    assert (0 if hint is None else hint.effect / abs(hint.effect)) == sign


@pytest.mark.parametrize(
    ("asked", "words", "sign"),
    [
        ("What is your phone number?", "041.", -1),
        ("What is your phone number?", "It's 041 552 9831.", 1),
        ("What is your phone number?", "Two.", -1),
        ("How many people?", "Two.", 1),
        ("Could I have your card number?", "4266 8100 3392", -1),
        ("What is your email address?", "It's anna", -1),
        ("And what is your email?", "anna dot miller at", -1),
        ("Did you receive the email?", "I don't think so.", 1),
        ("What is your email address?", "anna dot miller at gmail dot com.", 1),
        ("Could you spell your name?", "K", -1),
        ("How can I help you?", "Hi.", -1),
        ("How can I help you?", "Well, the door.", 1),
        ("How many people?", "Large", 0),
    ],
)
def test_an_answer_is_held_against_its_question(asked: str, words: str, sign: int) -> None:
    user = [hint.effect for hint in TABLE.told(words, asked) if hint.side == "user"]
    assert [effect / abs(effect) for effect in user] == [sign] * bool(sign)


def test_what_was_asked_before_is_forgotten() -> None:
    assert TABLE.told("041.", "What is your phone number?") != TABLE.told("041.", "")
    assert TABLE.told("041.", "") == TABLE.told("041.", "I see.")


def test_the_first_rule_that_holds_counts_for_its_side() -> None:
    table = WordRules(
        (
            WordRule("over$", "user", 9.0, "says over"),
            WordRule("over", "user", 1.0, "x"),
            WordRule("over", "agent", 2.0, "y"),
        )
    )
    assert table.told("Roger, OVER", "over") == [("user", 9.0, "says over"), ("agent", 2.0, "y")]
    assert table.told("Roger, OVER", "") == [("user", 9.0, "says over")]
    assert table.told("roger", "") == []


def test_a_reason_quotes_the_words() -> None:
    hint = told("I would come but")
    assert hint is not None and hint.reason == 'ends with "but"'


def test_a_pattern_that_is_none_is_refused_by_its_name() -> None:
    for rule in (WordRule("(", "user", 1.0, "my rule"), WordRule("a", "user", 1.0, "my rule", asked="(")):
        with pytest.raises(ConfigurationError, match="my rule"):
            WordRules((rule,))


def test_only_the_last_words_are_looked_at() -> None:
    assert last_words("  yes ") == "yes"
    text = "word " * 200 + "end"
    assert last_words(text).startswith("… word") and last_words(text).endswith("word end")
    assert len(last_words("x" * 1000)) < 100


@pytest.mark.parametrize(
    "bit", ["1 ", "a ", "one two a ", "and, ", "a.b-", "zero\n", "x", "…", "? ", "dot at "]
)
@pytest.mark.parametrize(
    "asked", ["", "What is your phone number?", "What is your email?", "Spell it, please."]
)
def test_no_text_takes_long(bit: str, asked: str) -> None:
    for text in (bit * 100, bit * 100 + "!", bit * 10 + "q"):
        assert min(timeit.repeat(lambda text=text: TABLE.told(text, asked), number=3, repeat=3)) / 3 < 0.002


def test_only_the_last_sentence_of_the_agent_is_looked_at() -> None:
    assert last_sentence("Fine. And now? Spell it.") == "Spell it."
    assert last_sentence("Spell it") == "Spell it"
    assert last_sentence("") == ""
