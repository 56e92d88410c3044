import builtins
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from antiphon.errors import ConfigurationError
from antiphon.testing import check_filter, run_virtual
from antiphon.vendors import create
from antiphon.vendors.webrtc_audio import PARTS, Cleaner

RATE = 16000
Sound = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def voice(seconds: float, seed: int) -> Sound:
    """Something like speech: a pitch with overtones that changes five times a second, and pauses."""
    random, count = np.random.default_rng(seed), round(seconds * 5)
    pitch = np.cumsum(np.repeat(random.uniform(90, 220, count), RATE // 5)) / RATE
    words = np.repeat(random.uniform(0.3, 1, count) * (random.uniform(0, 1, count) > 0.3), RATE // 5)
    breath = random.normal(0, 0.02, len(pitch))
    overtones = np.sum([np.sin(2 * np.pi * n * pitch) / n for n in range(1, 25)], axis=0)
    return 2500 * words * (overtones + breath)


def pcm(sound: Sound) -> bytes:
    return sound.clip(-32768, 32767).astype("<i2").tobytes()


def clean(cleaner: Cleaner, near: Sound, far: Sound | None = None) -> Sound:
    """In pieces of 20 ms, moved back by the cleaner's delay."""
    out = b""
    for at in range(0, len(near) // 320 * 320, 320):
        out += cleaner.process(pcm(near[at : at + 320]), None if far is None else pcm(far[at : at + 320]))
    return np.frombuffer(out, "<i2").astype(float)[cleaner.delay :]


def level(sound: Sound) -> float:
    return 10 * float(np.log10(np.mean(sound**2) + 1e-9))


def test_noise_falls_and_voice_stays() -> None:
    noise = np.random.default_rng(1).normal(0, 300, 6 * RATE)
    sound = voice(6, 2)
    sound[: 3 * RATE] = 0
    out = clean(Cleaner("noise"), sound + noise)
    assert level(noise[RATE : 2 * RATE]) - level(out[RATE : 2 * RATE]) > 10
    assert abs(level(sound[4 * RATE :]) - level(out[4 * RATE :])) < 3


def test_an_echo_falls_by_30_db() -> None:
    far = voice(8, 3)
    room = np.exp(-np.arange(800) / 160) * np.random.default_rng(4).normal(0, 0.1, 800)
    echo = np.concatenate((np.zeros(1600), np.convolve(far, room)))[: len(far)]
    out = clean(Cleaner("echo"), echo, far)
    assert level(echo[5 * RATE :]) - level(out[5 * RATE :]) > 30


def test_a_voice_without_echo_passes_the_echo_canceller() -> None:
    sound = voice(4, 5)
    out = clean(Cleaner("echo"), sound, np.zeros(len(sound)))
    assert abs(level(sound[RATE : 3 * RATE]) - level(out[RATE : 3 * RATE])) < 2


def test_a_quiet_voice_is_raised() -> None:
    sound = voice(8, 6) / 30
    out = clean(Cleaner("gain"), sound)
    assert level(out[6 * RATE :]) > level(sound[6 * RATE :]) + 6


@pytest.mark.parametrize("what", [*PARTS, "noise+echo", "noise+echo+gain"])
def test_the_delay_is_what_it_says(what: str) -> None:
    cleaner, sound = create("cleaning", f"webrtc_audio/{what}"), voice(4, 7)
    out = clean(cleaner, sound, np.zeros(len(sound)) if cleaner.echo else None)
    part = slice(2 * RATE, 3 * RATE)
    here = np.fft.rfft(sound[part]).conj() * np.fft.rfft(out[part])
    here[:500] = 0  # below, the high-pass filter turns the phase
    moved = int(np.argmax(np.fft.irfft(here / (abs(here) + 1e-9))))
    assert min(moved, RATE - moved) <= 8


def test_after_a_reset_it_begins_anew() -> None:
    cleaner, sound = Cleaner("noise"), voice(1, 8)
    first = clean(cleaner, sound)
    cleaner.reset()
    assert np.array_equal(clean(cleaner, sound), first)


def test_what_it_has_not_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no 'reverb': join some of noise, echo, gain"):
        create("cleaning", "webrtc_audio/noise+reverb")


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  the names of the builtin
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> object:
        if name == "pywebrtc_audio":
            raise ImportError(name)
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigurationError, match=r"antiphon\[cleaning\]"):
        Cleaner()


def test_it_conforms() -> None:
    run_virtual(check_filter(lambda: Cleaner("noise+echo+gain")))
