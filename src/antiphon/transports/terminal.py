"""The microphone and the loudspeaker of this machine, through PortAudio.

PortAudio calls back in its own threads. The microphone's audio goes to the event loop through a
`CaptureBuffer`; the loudspeaker's thread reads from a buffer that holds about 60 ms.
"""

import asyncio
import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, cast

from ..clock import offload
from ..errors import ConfigurationError, UnavailableError
from ..frames import AgentAudio, Interrupted, PlayoutPaused, SessionStarted, UserAudio
from ..observers import Observer
from ..processor import Processor, on
from .capture import CaptureBuffer

__all__ = ["PORTAUDIO", "SoundDevice", "Stream", "Terminal", "sound_device"]

HEARD_HZ, SPOKEN_HZ = 16000, 24000  # the rates of the models, used if a device supports them
PIECE = 0.02  # seconds of audio in one callback
LEAD = 0.06  # seconds of audio in the loudspeaker's buffer while the agent speaks
MOST = 0.5  # seconds that it may hold; if more waits, the device is not playing, and the oldest is dropped
MOST_CAPTURED = 5.0  # seconds of the microphone's audio that may wait for a stalled event loop
ASTRAY = 0.1  # seconds that the microphone's position may drift before it is corrected

PORTAUDIO = "apt-get install libportaudio2"
INSTEAD = "or type instead of speaking: --text"


class Stream(Protocol):
    """The part of a sounddevice stream that is used here."""

    def start(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class SoundDevice(Protocol):
    """The part of the module sounddevice that is used here."""

    @property
    def PortAudioError(self) -> type[Exception]: ...  # noqa: N802
    def RawInputStream(self, **settings: Any) -> Stream: ...  # noqa: N802
    def RawOutputStream(self, **settings: Any) -> Stream: ...  # noqa: N802
    def query_devices(self, device: int | str | None, kind: str) -> dict[str, Any]: ...
    def check_input_settings(self, **settings: Any) -> None: ...
    def check_output_settings(self, **settings: Any) -> None: ...


def sound_device() -> SoundDevice:
    """Import sounddevice. Raises ConfigurationError if it or PortAudio is missing."""
    try:
        return cast(SoundDevice, importlib.import_module("sounddevice"))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'Microphone and loudspeaker need sounddevice: pip install "antiphon[terminal]"; {INSTEAD}'
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"Microphone and loudspeaker need PortAudio: {PORTAUDIO}; {INSTEAD}"
        ) from error


class Terminal:
    """A transport over the machine's audio devices; None is the system's default.

    `rests` mutes the microphone while the agent speaks, so that the agent does not hear itself from a
    loudspeaker in the same room; the user cannot interrupt it then. Raises ConfigurationError if there is no
    device.
    """

    lead = LEAD
    observers: Sequence[Observer] = ()

    def __init__(
        self,
        microphone: int | str | None = None,
        loudspeaker: int | str | None = None,
        *,
        rests: bool = False,
        sounddevice: SoundDevice | None = None,
    ) -> None:
        sound = sounddevice or sound_device()
        heard_hz = _rate(sound, "input", microphone, HEARD_HZ)
        self.sample_rate = _rate(sound, "output", loudspeaker, SPOKEN_HZ)
        self.output = TerminalOutput(sound, loudspeaker, self.sample_rate)
        self.input = TerminalInput(sound, microphone, heard_hz, self.output if rests else None)


def _rate(sound: SoundDevice, kind: str, device: int | str | None, wanted: int) -> int:
    """Return `wanted` if the device supports that rate, else the device's default."""
    what = "microphone" if kind == "input" else "loudspeaker"
    try:
        found = sound.query_devices(device, kind)
    except (sound.PortAudioError, ValueError) as error:
        raise ConfigurationError(
            f"No {what} was found here ({str(error) or 'PortAudio lists none'}): connect one, {INSTEAD}"
        ) from error
    check = sound.check_input_settings if kind == "input" else sound.check_output_settings
    try:
        check(device=device, channels=1, dtype="int16", samplerate=wanted)
    except sound.PortAudioError:
        return int(found["default_samplerate"])
    return wanted


class _Device(Processor):
    """A part with a PortAudio stream.

    The stream is opened and closed in a thread, because devices may be slow.
    """

    what = ""

    def __init__(self, sound: SoundDevice, open_stream: Callable[..., Stream], **settings: Any) -> None:
        self._sound = sound
        self._open = lambda: open_stream(
            channels=1, dtype="int16", latency="low", finished_callback=self._ended, **settings
        )
        self._stream: Stream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Start the device. Raises ConfigurationError if it cannot be used."""
        self._loop = asyncio.get_running_loop()
        try:
            self._stream = await offload(None, self._open)
            await offload(None, self._stream.start)
        except self._sound.PortAudioError as error:
            raise ConfigurationError(
                f"The {self.what} cannot be used ({error}): check whether another program uses it, {INSTEAD}"
            ) from error

    async def close(self) -> None:
        """Stop the device at once."""
        stream, self._stream, self._loop = self._stream, None, None
        if stream is not None:
            await offload(None, stream.abort)
            await offload(None, stream.close)

    def _ended(self) -> None:
        """Report the device as lost, unless it was closed by us.

        PortAudio calls this in its own thread whenever the stream stops.
        """
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._lost)

    def _lost(self) -> None:
        if self._loop is not None:
            self.session.failed(
                self, UnavailableError(f"the {self.what} has stopped: is it still connected?")
            )


class _Capture(NamedTuple):
    """The audio of one callback; `ended` is the time of its end on the loop's clock."""

    pcm: bytes
    ended: float
    overflow: bool


class TerminalInput(_Device):
    """The first part: it pushes what the microphone captures."""

    name = "Microphone"
    what = "microphone"

    def __init__(
        self, sound: SoundDevice, device: int | str | None, rate: int, loudspeaker: "TerminalOutput | None"
    ) -> None:
        super().__init__(
            sound,
            sound.RawInputStream,
            device=device,
            samplerate=rate,
            blocksize=int(rate * PIECE),
            callback=self._captured,
        )
        self.rate = rate
        self.lost = 0
        """How often PortAudio reported that the machine was too busy and audio was lost."""
        self.captured: CaptureBuffer[_Capture] | None = None
        """Audio on its way to the event loop; exists while the device is open."""
        self._loudspeaker = loudspeaker
        self._running = False
        self._at = 0

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._running = True

    async def open(self) -> None:
        """Start the microphone. Raises ConfigurationError if it cannot be used."""
        rate = self.rate
        self.captured = CaptureBuffer(
            asyncio.get_running_loop(), self._push, MOST_CAPTURED, lambda item: len(item.pcm) / 2 / rate
        )
        await super().open()

    async def close(self) -> None:
        """Stop the microphone at once."""
        if self.captured is not None:
            self.captured.close()
        await super().close()

    def _captured(self, pcm: Any, count: int, time: Any, status: Any) -> None:
        """Buffer captured audio; PortAudio calls this in its own thread."""
        if (loop := self._loop) is not None and self.captured is not None:
            self.captured.put(_Capture(bytes(pcm), loop.time(), bool(status)))

    def _push(self, capture: _Capture) -> None:
        if not self._running or self._loop is None:
            return
        pcm = capture.pcm
        self.lost += capture.overflow
        ended = self.session.elapsed() - (self._loop.time() - capture.ended)
        position = max(0, round(ended * self.rate) - len(pcm) // 2)
        if abs(position - self._at) > ASTRAY * self.rate:
            self._at = position
        if self._loudspeaker is not None and self._loudspeaker.is_sounding:
            pcm = bytes(len(pcm))
        self.push(UserAudio(pcm, self.rate, self._at))
        self._at += len(pcm) // 2


class TerminalOutput(_Device):
    """The last part: it plays what the agent says."""

    name = "Loudspeaker"
    what = "loudspeaker"

    def __init__(self, sound: SoundDevice, device: int | str | None, rate: int) -> None:
        super().__init__(
            sound,
            sound.RawOutputStream,
            device=device,
            samplerate=rate,
            blocksize=int(rate * PIECE),
            callback=self._play,
        )
        self._most = int(rate * MOST) * 2
        self._fade = int(rate * PIECE) * 2
        self._lock = threading.Lock()
        self._buffer = bytearray()

    @property
    def is_sounding(self) -> bool:
        """True while something is being played."""
        return bool(self._buffer)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        with self._lock:
            self._buffer += frame.pcm
            if (over := len(self._buffer) - self._most) > 0:
                del self._buffer[:over]
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Discard the buffered audio; an interrupted voice fades out within 20 ms."""
        from ..audio.levels import faded  # loads numpy

        with self._lock:
            last = bytes(self._buffer[: self._fade])
            self._buffer.clear()
            if isinstance(signal, Interrupted):
                self._buffer += faded(last)

    def _play(self, pcm: Any, count: int, time: Any, status: Any) -> None:
        """Fill `pcm` with the next samples; PortAudio calls this in its own thread."""
        size = len(pcm)
        with self._lock:
            ready = bytes(self._buffer[:size])
            del self._buffer[:size]
        pcm[:] = ready.ljust(size, b"\0")
