"""A vendor with an ear: speech to text that hears the keys of a telephone."""

from collections.abc import AsyncIterator

from antiphon.audio.dtmf import DtmfDetector
from antiphon.services.ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint, Vendor

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
WORDS = {str(digit): name for digit, name in enumerate(NAMES)} | {"*": "star", "#": "hash"}


class Keypad(SpeechToText):
    """Hears the tones of a telephone's keys, and says their names."""

    sample_rate = 8000
    segmented = True

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncIterator[Recognized | TurnHint]:
        """Answer each Flush with the keys of this utterance so far."""
        detector, words = DtmfDetector(self.sample_rate), list[str]()
        async for item in audio:
            match item:
                case AudioChunk(pcm):
                    words += [WORDS.get(key, key) for key in detector(pcm)]
                case Flush(final):
                    yield Recognized(" ".join(words), final)
                    if final:
                        detector, words = DtmfDetector(self.sample_rate), []


VENDOR = Vendor(name="keypad", provides={"stt": "Keypad"}, docs="https://en.wikipedia.org/wiki/DTMF")
