"""Frames are final: they cannot be changed, and a copy with other values is a new one."""

import pytest

from antiphon.frames import AgentAudio, Frame, Text, frame, replace


@frame
class Note(Frame):
    """A frame of a program's own."""

    words: str
    loud: bool = False

    @property
    def first(self) -> str:
        return self.words.split()[0]


def test_a_frame_has_the_fields_that_it_annotates() -> None:
    note = Note("good day")
    assert (note.words, note.loud, note.first, note.media) == ("good day", False, "good", False)
    assert note == Note(words="good day") != Note("good day", True)
    assert hash(note) == hash(Note("good day"))
    assert Note.__doc__ == "A frame of a program's own."
    match note:
        case Note(words, loud):
            assert (words, loud) == ("good day", False)


def test_a_frame_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Text(1, "hello", 0).text = "good day"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        Text(1, "hello", 0).other = "good day"  # type: ignore[attr-defined]


def test_a_copy_has_the_other_values() -> None:
    audio = AgentAudio(1, bytes(960), 24000)
    assert replace(audio, at=480) == AgentAudio(1, bytes(960), 24000, 480)
    assert audio.at == 0
    assert audio.duration == 0.02
