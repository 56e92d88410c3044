"""The microphone and the loudspeaker of this machine, through PortAudio.

PortAudio calls from threads of its own. What the microphone heard is handed to the event loop; what the
loudspeaker is to play waits in a buffer, some 60 ms of it, that its thread empties.
"""

import asyncio
import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from ..clock import offload
from ..errors import ConfigurationError, UnavailableError
from ..frames import AgentAudio, Interrupted, PlayoutPaused, SessionStarted, UserAudio
from ..observers import Observer
from ..processor import Processor, on

__all__ = ["PORTAUDIO", "SoundDevice", "Stream", "Terminal", "sound_device"]

HEARD_HZ, SPOKEN_HZ = 16000, 24000  # what the models hear and speak at: chosen where a device can
PIECE = 0.02  # seconds that PortAudio hands over or asks for at once
LEAD = 0.06  # seconds that the loudspeaker's buffer holds while the agent speaks
MOST = 0.5  # seconds that it may hold; with more the device is not playing, and the oldest is dropped
ASTRAY = 0.1  # seconds that the microphone's samples may be off the session's time before they are set right

PORTAUDIO = "apt-get install libportaudio2"
INSTEAD = "or type instead of speaking: --text"


class Stream(Protocol):
    """What is used of its streams."""

    def start(self) -> None: ...
    def abort(self) -> None: ...
    def close(self) -> None: ...


class SoundDevice(Protocol):
    """What is used of the module sounddevice."""

    @property
    def PortAudioError(self) -> type[Exception]: ...  # noqa: N802
    def RawInputStream(self, **settings: Any) -> Stream: ...  # noqa: N802
    def RawOutputStream(self, **settings: Any) -> Stream: ...  # noqa: N802
    def query_devices(self, device: int | str | None, kind: str) -> dict[str, Any]: ...
    def check_input_settings(self, **settings: Any) -> None: ...
    def check_output_settings(self, **settings: Any) -> None: ...


def sound_device() -> SoundDevice:
    """The module sounddevice. Raises ConfigurationError where it or PortAudio is missing."""
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
    """A transport over the machine's own devices; None is the system's choice of one.

    `rests`: the microphone hears nothing while the agent speaks, so that the agent does not hear itself from
    a loudspeaker in the same room; then nobody can interrupt it. Raises ConfigurationError without devices.
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
        self.output = Loudspeaker(sound, loudspeaker, self.sample_rate)
        self.input = Microphone(sound, microphone, heard_hz, self.output if rests else None)


def _rate(sound: SoundDevice, kind: str, device: int | str | None, wanted: int) -> int:
    """The rate at which to use a device: the wanted one, or its own."""
    what = "microphone" if kind == "input" else "loudspeaker"
    try:
        found = sound.query_devices(device, kind)
    except (sound.PortAudioError, ValueError) as error:
        raise ConfigurationError(
            f"No {what} was found here ({str(error) or 'PortAudio knows none'}): connect one, {INSTEAD}"
        ) from error
    check = sound.check_input_settings if kind == "input" else sound.check_output_settings
    try:
        check(device=device, channels=1, dtype="int16", samplerate=wanted)
    except sound.PortAudioError:
        return int(found["default_samplerate"])
    return wanted


class _Device(Processor):
    """A part whose stream is opened and closed in a thread, since devices may take their time."""

    what = ""

    def __init__(self, sound: SoundDevice, open_stream: Callable[..., Stream], **settings: Any) -> None:
        self._sound = sound
        self._open = lambda: open_stream(
            channels=1, dtype="int16", latency="low", finished_callback=self._ended, **settings
        )
        self._stream: Stream | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Start the device. Raises ConfigurationError where it cannot be used."""
        self._loop = asyncio.get_running_loop()
        try:
            self._stream = await offload(None, self._open)
            await offload(None, self._stream.start)
        except self._sound.PortAudioError as error:
            raise ConfigurationError(
                f"The {self.what} cannot be used ({error}): look whether another program has it, {INSTEAD}"
            ) from error

    async def close(self) -> None:
        """Stop it at once."""
        stream, self._stream, self._loop = self._stream, None, None
        if stream is not None:
            await offload(None, stream.abort)
            await offload(None, stream.close)

    def _ended(self) -> None:
        """Called by PortAudio when the stream has stopped, by itself or in `close`."""
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._lost)

    def _lost(self) -> None:
        if self._loop is not None:
            self.session.failed(
                self, UnavailableError(f"the {self.what} has stopped: is it still connected?")
            )


class Microphone(_Device):
    """The first part: what is said into the microphone."""

    what = "microphone"

    def __init__(
        self, sound: SoundDevice, device: int | str | None, rate: int, beside: "Loudspeaker | None"
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
        """How often the machine was too busy to take what was heard."""
        self._beside = beside
        self._running = False
        self._at = 0

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._running = True

    def _captured(self, pcm: Any, count: int, time: Any, status: Any) -> None:
        if (loop := self._loop) is not None:
            loop.call_soon_threadsafe(self._heard, bytes(pcm), loop.time(), bool(status))

    def _heard(self, pcm: bytes, captured: float, lost: bool) -> None:
        """In the loop: 20 ms that ended at `captured`."""
        if not self._running or self._loop is None:
            return
        self.lost += lost
        captured_at = self.session.elapsed() - (self._loop.time() - captured)
        true = max(0, round(captured_at * self.rate) - len(pcm) // 2)
        if abs(true - self._at) > ASTRAY * self.rate:
            self._at = true
        if self._beside is not None and self._beside.is_sounding:
            pcm = bytes(len(pcm))
        self.push(UserAudio(pcm, self.rate, self._at))
        self._at += len(pcm) // 2


class Loudspeaker(_Device):
    """The last part: plays what the agent says."""

    what = "loudspeaker"

    def __init__(self, sound: SoundDevice, device: int | str | None, rate: int) -> None:
        super().__init__(
            sound,
            sound.RawOutputStream,
            device=device,
            samplerate=rate,
            blocksize=int(rate * PIECE),
            callback=self._wanted,
        )
        self._most = int(rate * MOST) * 2
        self._fade = int(rate * PIECE) * 2
        self._lock = threading.Lock()
        self._buffer = bytearray()

    @property
    def is_sounding(self) -> bool:
        """Whether something is being played."""
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
        """Fall silent in 20 ms, without a click."""
        from ..audio.levels import faded  # numpy, once there is sound

        with self._lock:
            last = bytes(self._buffer[: self._fade])
            self._buffer.clear()
            if isinstance(signal, Interrupted):
                self._buffer += faded(last)

    def _wanted(self, pcm: Any, count: int, time: Any, status: Any) -> None:
        size = len(pcm)
        with self._lock:
            ready = bytes(self._buffer[:size])
            del self._buffer[:size]
        pcm[:] = ready.ljust(size, b"\0")
