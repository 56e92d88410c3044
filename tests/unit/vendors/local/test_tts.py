"""How text becomes what hibari reads, and how its sound is handed on."""

import re
from collections.abc import AsyncIterator, Sequence
from itertools import chain
from typing import Any, cast

import pytest

from antiphon.errors import ConfigurationError
from antiphon.services.ports import Speech, Word
from antiphon.testing import run_virtual
from antiphon.vendors.local import tts
from antiphon.vendors.local.resident import Resident
from antiphon.vendors.local.tts import LONGEST, Hibari, Reading, as_output, portions, readable, word_ends


class Syllables:
    """Speaks every letter for 0.05 s, sentence by sentence, and times each word."""

    def sentences(self, text: str, before: str = "") -> list[str]:
        return [sentence for sentence in re.findall(r"[^.]+\.?", text) if re.search(r"\w", sentence)]

    def say(self, sentence: str, speed: float) -> tuple[bytes, list[tuple[int, int]]]:
        samples = round(1200 / speed)
        ends = [match.end() for match in re.finditer(r"\w+", sentence)]
        return bytes(2 * len(sentence) * samples), [(end, end * samples) for end in ends]


@pytest.fixture
def voice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tts.VOICES, "heart", cast(Any, Resident("test", Syllables)))


def speak(*pieces: str, speed: float = 1.0) -> Sequence[Speech | Word]:
    async def given() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    async def main() -> list[Speech | Word]:
        return [item async for item in Hibari(speed=speed).speak(given())]

    return run_virtual(main())


@pytest.mark.usefixtures("voice")
def test_speech_comes_a_tenth_of_a_second_at_a_time() -> None:
    spoken = [item for item in speak("One, two and three.") if isinstance(item, Speech)]
    assert [len(item.pcm) for item in spoken] == [4800] * 9 + [2400]


@pytest.mark.usefixtures("voice")
def test_pieces_are_counted_even_if_they_have_no_sound() -> None:
    pieces = [item.piece for item in speak("One.", "…", "😀", "Two.") if isinstance(item, Speech)]
    assert sorted(set(pieces)) == [0, 3]
    assert pieces == sorted(pieces)


@pytest.mark.usefixtures("voice")
def test_a_word_comes_behind_the_audio_that_speaks_it() -> None:
    heard = 0.0
    words: list[Word] = []
    for item in speak("One, two. And three."):
        if isinstance(item, Speech):
            heard += len(item.pcm) / 48000
        else:
            assert heard - 0.1 - 1e-6 <= item.seconds <= heard + 1e-6
            words.append(item)
    assert [word.seconds for word in words] == pytest.approx([0.15, 0.4, 0.45 + 0.2, 0.45 + 0.5])


@pytest.mark.usefixtures("voice")
def test_speed_is_the_voices() -> None:
    def seconds(speed: float) -> int:
        return sum(len(item.pcm) for item in speak("One, two.", speed=speed) if isinstance(item, Speech))

    assert seconds(2.0) * 2 == seconds(1.0)


@pytest.mark.parametrize(
    ("text", "words", "ends"),
    [
        ("We open now.", ["We", "open", "now."], [2, 7, 12]),
        ("at 9:30 am, Dr. Smith", ["at", "nine", "thirty", "A.M.", "Dr", "Smith"], [2, None, 7, 11, 15, 21]),
        ("**Bold** — yes", ["Bold", "yes"], [8, 14]),
        ("It's $5.", ["It's", "$5."], [4, 8]),
        ("😀 hi 😀", ["hi"], [4]),
        ("hi", [], []),
        ("", ["hi"], [None]),
        ("go " * 9999, ["go"] * 9999, [None] * 9999),
    ],
)
def test_words_are_found_in_the_text_that_they_are_read_from(
    text: str, words: list[str], ends: list[int | None]
) -> None:
    assert word_ends(text, words) == ends


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("We're open 24/7, Mon-Fri 9-5.", "We're open 24 7, Monday to Friday 9-5 ."),
        ("Tues. – Sat", "Tuesday to Saturday"),
        ("Sun-dried, Monk-Frite", "Sun-dried, Monk-Frite"),
        ("5 € or $5 or 5,", "€5 or $5 or 5,"),
        ("code 0612345678", "code 0 6 1 2 3 4 5 6 7 8"),
        ("Call (555) 123-4567.", "Call 5 5 5, 1 2 3, 4 5 6 7 ."),
        ("Order number 100 234 567", "Order number 1 0 0, 2 3 4, 5 6 7"),
        ("10 000 euros and 1 250 000 bikes, #1", "10,000 euros and 1,250,000 bikes, number 1"),
        ("# Hours\n- **9** to `5` 👍", "Hours\n9 to 5"),
        ("Go to https://www.example.com/help.", "Go to example.com/help."),
        ("1,000,000 and 10:05 and 0.005 and 2024", "1,000,000 and 10:05 and 0.005 and 2024"),
        ("$12345678.90", "$12345678.90"),
        ("9" * 40, " ".join("9" * 40)),
        ("➊ 20 m² İzmir é", "1 20 m² Izmir é"),
        ("ab" * 100, " ".join(["ab" * 30] * 3 + ["ab" * 10])),
        ("1" + ",000" * 20, " ".join("1" + "000" * 20)),
    ],
)
def test_what_hibari_would_read_wrong_is_written_out(text: str, read: str) -> None:
    assert readable(text) == read


def test_a_long_sentence_is_parted_behind_its_marks() -> None:
    words = [Reading(f"word{',' if n % 10 == 0 else ''}", [7] * 9, 9) for n in range(1, 61)]
    parted = list(portions(words))
    assert list(chain(*parted)) == words
    assert all(sum(len(word.phonemes) + 1 for word in part) <= LONGEST for part in parted)
    assert all(part[-1].mark == "," for part in parted)


def test_a_word_that_is_too_long_is_spoken_whole() -> None:
    words = [Reading("a", [7], 1), Reading("b", [7] * 900, 900), Reading("c", [7], 1)]
    assert [[word.text for word in part] for part in portions(words)] == [["a"], ["b"], ["c"]]


def test_an_inner_value_is_made_an_output() -> None:
    """As https://protobuf.dev/programming-guides/encoding writes a message in a message in a message."""
    assert as_output("ab") == bytes([0x3A, 6, 0x62, 4, 0x0A, 2]) + b"ab"


def test_what_it_cannot_do_is_said_at_once() -> None:
    with pytest.raises(ConfigurationError, match="choose from heart"):
        Hibari("samantha")
    with pytest.raises(ConfigurationError, match=r"between 0\.5 and 2"):
        Hibari(speed=3)
