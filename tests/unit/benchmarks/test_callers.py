import json
from pathlib import Path

import pytest
from benchmarks.callers import LONGEST, recordings, words_lost

from antiphon.audio.wav import WavAudio, write


@pytest.mark.parametrize(
    ("said", "heard", "lost"),
    [
        ("Where is your shop?", "where is your shop", 0),
        ("ten of clubs", "10 of clubs.", 0),
        ("Mister Dashwood", "Mr. Dashwood", 0),
        ("an ill disposed young man", "an ill-disposed young man", 0),
        ("I need new brakes for my bike.", "I need new breaks for my", 2),
        ("four queen of clubs", "queen of four clubs", 1),
        ("Where is your shop?", "", 4),
        ("hello", "hello hello, who is there", 0),
    ],
)
def test_a_word_is_lost_if_it_is_missing_or_another_one(said: str, heard: str, lost: int) -> None:
    assert words_lost(said, heard) == lost


def test_recorded_callers_say_known_words_in_one_turn(tmp_path: Path) -> None:
    assert recordings(tmp_path / "nothing") == []
    second = bytes(2 * 16000)
    for name, seconds in (("short", 1), ("long", int(LONGEST) + 1), ("unknown", 1)):
        write(tmp_path / f"{name}.wav", WavAudio(seconds * second, 16000))
    texts = {"short": "yes", "long": "so it goes on", "unknown": ""}
    listed = {name: {"file": f"{name}.wav", "text": text} for name, text in texts.items()}
    (tmp_path / "transcripts.json").write_text(json.dumps(listed))
    assert [(one.name, one.text) for one in recordings(tmp_path)] == [("short", "yes")]
