"""Is somebody speaking? Silero VAD 6, the windows of all sessions judged together.

The model wants each window with the end of the one before it, and a state that it returns; rows of a batch
are independent. https://github.com/snakers4/silero-vad
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...errors import ConfigurationError, UsageError
from .mel import Floats
from .resident import OnnxSession, Resident, onnx_session

WINDOWS = {16000: 512, 8000: 256}
"""Sample rate to the samples of a window, 32 ms; an eighth of it precedes each as context."""
GATHER = 0.008  # seconds between two runs, as long as not all sessions have a window to judge
TOGETHER = 32  # windows in a run: a millisecond. In threads they cost a fifth more, and come later


def _load() -> OnnxSession:
    from ...models import path

    return onnx_session(path("silero-vad") / "silero_vad.onnx")


MODEL = Resident("vad", _load)


class Silero:
    """The probability of speech in every 32 ms of audio at 16 or 8 kHz."""

    def __init__(self, *, sample_rate: int = 16000) -> None:
        if sample_rate not in WINDOWS:
            raise ConfigurationError(
                f"Silero hears at 16000 or 8000 Hz, not at {sample_rate}: resample the audio"
            )
        self.sample_rate = sample_rate
        self.window = WINDOWS[sample_rate]

    def at(self, sample_rate: int) -> "Silero | None":
        """The same for audio of another rate; None where it cannot hear at that."""
        return Silero(sample_rate=sample_rate) if sample_rate in WINDOWS else None

    async def load(self) -> None:
        """Get ready, so that the first window does not wait."""
        await MODEL.get()

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """One probability for each window; each item of `audio` is exactly one window."""
        judge = _judge(await MODEL.get(), self.sample_rate)
        stream = _Stream(self.window)
        judge.join()
        try:
            async for window in audio:
                yield await judge.probability(stream, window)
        finally:
            judge.leave()


class _Stream:
    """What the model must be told of a stream of windows, and the window that waits."""

    __slots__ = ("answer", "row", "state", "window_bytes")

    answer: asyncio.Future[float]

    def __init__(self, window: int) -> None:
        self.window_bytes = 2 * window
        self.row = bytes(self.window_bytes // 8)  # context and window; before the first, silence
        self.state: Floats = np.zeros((2, 1, 128), np.float32)

    def advance(self, window: bytes) -> None:
        if len(window) != self.window_bytes:
            raise UsageError(f"Silero judges windows of {self.window_bytes} bytes here, got {len(window)}")
        self.row = self.row[-(self.window_bytes // 8) :] + window


class _Judge:
    """Judges the waiting windows of one event loop's sessions in one run.

    It runs as soon as all sessions wait, or else at most every GATHER seconds: a lone session never waits
    for others, and a hundred of them share.
    """

    def __init__(self, model: OnnxSession, sample_rate: int) -> None:
        self._model = model
        self._sample_rate = np.array(sample_rate, np.int64)
        self._streams = 0
        self._waiting: list[_Stream] = []
        self._ran = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def join(self) -> None:
        self._streams += 1

    def leave(self) -> None:
        self._streams -= 1
        if not self._streams and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._waiting = []

    def probability(self, stream: _Stream, window: bytes) -> asyncio.Future[float]:
        """What will be the answer for the next window of a stream."""
        loop = asyncio.get_running_loop()
        stream.advance(window)
        stream.answer = loop.create_future()
        self._waiting.append(stream)
        if len(self._waiting) >= self._streams:
            self._schedule(loop, loop.time())
        elif self._timer is None:
            self._schedule(loop, self._ran + GATHER)
        return stream.answer

    def _schedule(self, loop: asyncio.AbstractEventLoop, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(when, self._run, loop)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        self._ran = loop.time()
        streams = [stream for stream in self._waiting[:TOGETHER] if not stream.answer.done()]
        del self._waiting[:TOGETHER]
        if streams:
            self._answer(streams)
        if self._waiting:
            self._schedule(loop, self._ran)  # when others have had their turn of the loop

    def _answer(self, streams: list[_Stream]) -> None:
        pcm = np.frombuffer(b"".join([stream.row for stream in streams]), "<i2")
        inputs: dict[str, Any] = {
            "input": pcm.reshape(len(streams), -1).astype(np.float32) * np.float32(1 / 32768),
            "state": np.concatenate([stream.state for stream in streams], axis=1),
            "sr": self._sample_rate,
        }
        try:
            probabilities, states = self._model.run(None, inputs)
        except Exception as error:  # noqa: BLE001  it belongs to those who wait
            for stream in streams:
                stream.answer.set_exception(error)
            return
        for i, (stream, probability) in enumerate(zip(streams, probabilities[:, 0].tolist(), strict=True)):
            stream.state = states[:, i : i + 1]
            stream.answer.set_result(probability)


_JUDGES: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Judge]] = WeakKeyDictionary()


def _judge(model: OnnxSession, sample_rate: int) -> _Judge:
    judges = _JUDGES.setdefault(asyncio.get_running_loop(), {})
    return judges.setdefault(sample_rate, _Judge(model, sample_rate))
