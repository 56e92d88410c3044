"""End-of-turn detection by the sound of the turn: Smart Turn 3.2.

The model reads Whisper's features of exactly 8 s of audio; shorter audio gets silence in front.
https://github.com/pipecat-ai/smart-turn
"""

from ...services.ports import EndOfTurn
from .mel import SAMPLE_RATE, samples, standardised_features
from .resident import OnnxSession, Resident, onnx_session

SECONDS = 8.0
FRAMES = 800


def _load() -> OnnxSession:
    from ...models import path

    return onnx_session(path("smart-turn") / "smart-turn-v3.2-cpu.onnx")


MODEL = Resident("eot", _load)


class SmartTurn(EndOfTurn):
    """Smart Turn, one model for all conversations."""

    sample_rate = SAMPLE_RATE
    seconds = SECONDS

    async def load(self) -> None:
        """Load the model, so that the first turn does not wait for it."""
        await MODEL.get()

    async def score(self, pcm: bytes) -> float:
        """Return the probability (0 to 1) that the turn is over.

        `pcm` ends with the newest sample.
        """
        model = await MODEL.get()
        return await MODEL.run(_score, model, pcm[-int(SECONDS * SAMPLE_RATE) * 2 :])


def _score(model: OnnxSession, pcm: bytes) -> float:
    features = standardised_features(samples(pcm), FRAMES)
    return float(model.run(None, {"input_features": features[None]})[0][0, 0])
