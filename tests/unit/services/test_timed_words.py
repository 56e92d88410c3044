"""Words out of lists of words, and of characters."""

from antiphon.services.timed_words import TimedCharacters, spoken_words
from antiphon.services.voice_codec import SpokenWord


def test_characters_become_words_across_messages() -> None:
    characters = TimedCharacters("one")
    first = characters.graph(
        {"graph_chars": list("Hi th"), "graph_times": [[0.1 * at, 0.1] for at in range(5)]}
    )
    assert list(first) == [SpokenWord("Hi", 0.0, 0.1, "one")]
    assert list(characters.graph({"graph_chars": ["e", "n"], "graph_times": [[0.5, 0.6], [0.6, 0.7]]})) == []
    assert [word.text for word in characters.end()] == ["then"]
    assert list(characters.end()) == []


def test_what_is_no_list_of_times_is_no_word() -> None:
    assert list(TimedCharacters().graph({"graph_chars": "abc", "graph_times": None})) == []
    odd = {"graph_chars": [None, "a"], "graph_times": [[], ["x", 2]]}
    characters = TimedCharacters()
    assert [*characters.graph(odd), *characters.end()] == [SpokenWord("a", 0.0, 2.0)]
    assert list(spoken_words(None, 5, "x")) == []
    assert list(spoken_words([1], ["x"], [None])) == [SpokenWord("", 0.0, None)]
