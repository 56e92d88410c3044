"""Voice activity detection by Silero VAD 6, with all sessions in one batch.

The model's input is a window with the end of the window before it, and the state that it returned for that;
rows of a batch are independent. https://github.com/snakers4/silero-vad
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...errors import ConfigurationError, UsageError
from ...services.ports import VoiceActivity
from .mel import FloatArray
from .resident import OnnxSession, Resident, onnx_session

WINDOWS = {16000: 512, 8000: 256}
"""Sample rate to the samples of a window of 32 ms; an eighth of that precedes each window as context."""
GATHER = 0.008  # seconds between two runs, unless all sessions have a window waiting
TOGETHER = 32  # windows in a run, which takes 1 ms; a thread would cost a fifth more and be later


def _load() -> OnnxSession:
    from ...models import path

    return onnx_session(path("silero-vad") / "silero_vad.onnx")


MODEL = Resident("vad", _load)


class Silero(VoiceActivity):
    """Silero for windows of 32 ms, at 16 or 8 kHz."""

    def __init__(self, *, sample_rate: int = 16000) -> None:
        if sample_rate not in WINDOWS:
            raise ConfigurationError(
                f"Silero's audio is at 16000 or 8000 Hz, not at {sample_rate}: resample it"
            )
        self.sample_rate = sample_rate
        self.window = WINDOWS[sample_rate]

    def at(self, sample_rate: int) -> "Silero | None":
        """Return the same service for audio of another rate.

        Returns None if the model does not support that rate.
        """
        return Silero(sample_rate=sample_rate) if sample_rate in WINDOWS else None

    async def load(self) -> None:
        """Load the model, so that the first window does not wait for it."""
        await MODEL.get()

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield one probability for each window.

        Each item of `audio` is exactly one window.
        """
        batcher = _batcher(await MODEL.get(), self.sample_rate)
        stream = _Stream(self.window)
        batcher.join()
        try:
            async for window in audio:
                yield await batcher.probability(stream, window)
        finally:
            batcher.leave()


class _Stream:
    """The model's state for one stream, and the input row of the window that waits."""

    __slots__ = ("answer", "row", "state", "window_bytes")

    answer: asyncio.Future[float]

    def __init__(self, window: int) -> None:
        self.window_bytes = 2 * window
        self.row = bytes(self.window_bytes // 8)  # context and window; silence before the first
        self.state: FloatArray = np.zeros((2, 1, 128), np.float32)

    def advance(self, window: bytes) -> None:
        if len(window) != self.window_bytes:
            raise UsageError(f"a window is {self.window_bytes} bytes here, not {len(window)}")
        self.row = self.row[-(self.window_bytes // 8) :] + window


class _Batcher:
    """A batcher of the waiting windows of one event loop's sessions.

    It runs the model as soon as every session has a window waiting, or else every GATHER seconds at most: a
    lone session never waits for others, and a hundred sessions share their runs.
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
        """Return a future of the probability of a stream's next window."""
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
            self._schedule(loop, self._ran)  # after other callbacks of the loop

    def _answer(self, streams: list[_Stream]) -> None:
        pcm = np.frombuffer(b"".join([stream.row for stream in streams]), "<i2")
        inputs: dict[str, Any] = {
            "input": pcm.reshape(len(streams), -1).astype(np.float32) * np.float32(1 / 32768),
            "state": np.concatenate([stream.state for stream in streams], axis=1),
            "sr": self._sample_rate,
        }
        try:
            probabilities, states = self._model.run(None, inputs)
        except Exception as error:  # noqa: BLE001  every waiting stream gets it
            for stream in streams:
                stream.answer.set_exception(error)
            return
        for i, (stream, probability) in enumerate(zip(streams, probabilities[:, 0].tolist(), strict=True)):
            stream.state = states[:, i : i + 1]
            stream.answer.set_result(probability)


_BATCHERS: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, _Batcher]] = WeakKeyDictionary()


def _batcher(model: OnnxSession, sample_rate: int) -> _Batcher:
    batchers = _BATCHERS.setdefault(asyncio.get_running_loop(), {})
    return batchers.setdefault(sample_rate, _Batcher(model, sample_rate))
