"""The audio of a SIP call: its rates stay what they were."""

import struct
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from antiphon.transports.sip.sound import CallAudio


class RestartedError(Exception):
    pass


class NotActiveError(Exception):
    pass


SIP = SimpleNamespace(AudioRestarted=RestartedError, AudioNotActive=NotActiveError)


@dataclass
class Info:
    rx_sample_rate: int = 8000
    tx_sample_rate: int = 8000
    rx_channels: int = 1
    tx_channels: int = 1
    tx_buffered: int = 0
    tx_ready: bool = True
    rx_ready: bool = True


@dataclass
class Audio:
    """The stack's audio: after a new agreement the next operation fails once."""

    agreed: Info | None = field(default_factory=Info)
    waiting: bytes = b""
    written: bytes = b""
    flushed: int = 0
    restarted: bool = False

    def agree(self, agreed: Info | None) -> None:
        self.agreed, self.restarted = agreed, True

    def info(self) -> Info:
        if self.agreed is None:
            raise NotActiveError
        self.restarted = False
        return self.agreed

    def _bound(self) -> None:
        if self.agreed is None:
            raise NotActiveError
        if self.restarted:
            self.restarted = False
            raise RestartedError

    def read(self, most: int) -> bytes:
        self._bound()
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    def write(self, pcm: bytes) -> int:
        self._bound()
        self.written += pcm
        return len(pcm)

    def flush_tx(self) -> None:
        self._bound()
        self.flushed += 1

    def stats(self) -> SimpleNamespace:
        if self.agreed is None:
            raise NotActiveError
        return SimpleNamespace(rx_dropped_bytes=640)


@dataclass
class Call:
    audio: Audio = field(default_factory=Audio)
    is_on_hold: bool = False
    remote_on_hold: bool = False


def pcm(seconds: float, rate: int) -> bytes:
    return struct.pack("<h", 1000) * round(seconds * rate)


def test_the_same_rates_change_nothing() -> None:
    call = Call()
    sound = CallAudio(SIP, call, call.audio.info())
    call.audio.waiting = pcm(0.1, 8000)
    assert sound.read() == pcm(0.1, 8000)
    sound.write(pcm(0.02, 8000))
    assert call.audio.written == pcm(0.02, 8000)


@pytest.mark.parametrize("first", ["read", "write", "waiting", "clear"])
def test_another_rate_is_converted_whoever_meets_it_first(first: str) -> None:
    call = Call()
    sound = CallAudio(SIP, call, call.audio.info())
    call.audio.agree(Info(16000, 16000))
    actions = {
        "read": sound.read,
        "write": lambda: sound.write(pcm(0.02, 8000)),
        "waiting": lambda: sound.waiting,
        "clear": sound.clear,
    }
    actions[first]()
    call.audio.written, call.audio.waiting = b"", pcm(0.5, 16000)
    assert len(sound.read()) / 2 == pytest.approx(0.5 * 8000, abs=40)
    for _ in range(25):
        sound.write(pcm(0.02, 8000))
    assert len(call.audio.written) / 2 == pytest.approx(0.5 * 16000, abs=80)


def test_two_channels_become_one_and_one_becomes_two() -> None:
    call = Call()
    call.audio.agreed = Info(48000, 48000, 2, 2)
    sound = CallAudio(SIP, call, call.audio.info())
    call.audio.waiting = struct.pack("<4h", 100, 300, -8, 8)
    assert sound.read() == struct.pack("<2h", 200, 0)
    sound.write(struct.pack("<2h", 5, -6))
    assert call.audio.written == struct.pack("<4h", 5, 5, -6, -6)


@pytest.mark.parametrize("who", ["is_on_hold", "remote_on_hold"])
def test_on_hold_nothing_goes_either_way(who: str) -> None:
    call = Call()
    sound = CallAudio(SIP, call, call.audio.info())
    setattr(call, who, True)
    call.audio.waiting, call.audio.agreed = pcm(0.1, 8000), Info(tx_buffered=320)
    assert sound.read() == b"" and call.audio.waiting == b"", "and nothing of it comes later"
    sound.write(pcm(0.02, 8000))
    assert call.audio.written == b""
    assert sound.waiting == 0.0
    setattr(call, who, False)
    assert sound.waiting == pytest.approx(0.02)


def test_without_a_line_nothing_fails() -> None:
    call = Call()
    sound = CallAudio(SIP, call, call.audio.info())
    call.audio.agree(None)
    assert sound.read() == b""
    sound.write(pcm(0.02, 8000))
    sound.clear()
    assert sound.waiting == 0.0 and not sound.connected
    assert sound.dropped == 0


def test_what_the_stack_has_dropped_is_counted() -> None:
    call = Call()
    assert CallAudio(SIP, call, call.audio.info()).dropped == 640
