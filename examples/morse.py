"""A vendor with a voice: text to speech that speaks Morse code."""

from collections.abc import AsyncIterator

import numpy as np

from antiphon.errors import ConfigurationError
from antiphon.services.ports import Speech, TextToSpeech, Vendor, Word

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
SIGNS = """
.- -... -.-. -.. . ..-. --. .... .. .--- -.- .-.. -- -. --- .--. --.- .-. ... - ..- ...- .-- -..- -.-- --..
----- .---- ..--- ...-- ....- ..... -.... --... ---.. ----.
"""
CODE = dict(zip(LETTERS, SIGNS.split(), strict=True))


class Morse(TextToSpeech):
    """Speaks Morse code. `model` is its speed in words a minute, from 5 to 60."""

    sample_rate = 16000

    def __init__(self, model: str = "25") -> None:
        if not model.isdecimal() or not 5 <= int(model) <= 60:
            raise ConfigurationError(f"Morse code at {model!r} words a minute: choose from 5 to 60")
        self.dot = round(self.sample_rate * 1.2 / int(model))

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:
        """Yield each character's tones, and the time at which each word is over."""
        number = -1
        async for piece in text:
            number, samples = number + 1, 0
            for end, character in enumerate(piece, 1):
                if pcm := self.tones(character.lower()):
                    samples += len(pcm) // 2
                    yield Speech(pcm, number)
                if end == len(piece) or piece[end].isspace():
                    yield Word(number, end, samples / self.sample_rate)

    def tones(self, character: str) -> bytes:
        """Return the tones of a character and the pause after it; nothing if it has no code."""
        if character == " ":
            return bytes(2 * 4 * self.dot)
        signs = CODE.get(character, "")
        keyed = [np.repeat([1, 0], [self.dot * (3 if sign == "-" else 1), self.dot]) for sign in signs]
        if not keyed:
            return b""
        on = np.concatenate([*keyed, np.zeros(2 * self.dot)])
        wave = 0.2 * np.sin(2 * np.pi * 600 * np.arange(len(on)) / self.sample_rate)
        return (on * wave * 32767).astype("<i2").tobytes()


VENDOR = Vendor(
    name="morse",
    provides={"tts": "Morse"},
    docs="https://en.wikipedia.org/wiki/Morse_code",
    default={"tts": "25"},
)
