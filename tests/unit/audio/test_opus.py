import builtins
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import pytest

from antiphon.audio import dtmf, opus
from antiphon.errors import BadResponseError, ConfigurationError, UsageError


def tone(seconds: float, sample_rate: int) -> bytes:
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (8000 * np.sin(2 * np.pi * 440 * time)).astype("<i2").tobytes()


@pytest.mark.parametrize("source", opus.RATES)
@pytest.mark.parametrize("target", [8000, 24000, 48000])
def test_sound_survives_at_any_rate(source: int, target: int) -> None:
    packets = opus.OpusEncoder(source)(dtmf.tones("159D", source))
    decoder = opus.OpusDecoder(target)
    assert dtmf.DtmfDetector(target)(b"".join(map(decoder, packets))) == "159D"


@pytest.mark.parametrize("frame", opus.FRAMES)
def test_a_packet_has_the_length_that_was_asked_for(frame: float) -> None:
    encoder, decoder = opus.OpusEncoder(48000, frame=frame), opus.OpusDecoder(48000)
    packets = encoder(tone(0.12, 48000))
    assert len(packets) == round(0.12 / frame)
    assert all(len(decoder(packet)) == 2 * round(48000 * frame) for packet in packets)


def test_what_is_no_whole_packet_waits() -> None:
    encoder = opus.OpusEncoder(16000)
    assert encoder(tone(0.015, 16000)) == []
    assert len(encoder(tone(0.03, 16000))) == 2
    assert len(encoder.flush()) == 1
    assert encoder.flush() == []


def test_the_bit_rate_is_kept() -> None:
    sizes = [sum(map(len, opus.OpusEncoder(bitrate=rate)(tone(1.0, 48000)))) * 8 for rate in (16000, 64000)]
    assert sizes[0] < 24000 < 40000 < sizes[1] < 96000


@pytest.mark.parametrize("packet", [b"\x03", b"\xff" * 3, b"x" * 5000, b"\xff" * 1300])
def test_a_broken_packet_is_refused_and_the_next_is_heard(packet: bytes) -> None:
    decoder = opus.OpusDecoder(48000)
    with pytest.raises(BadResponseError, match="not libopus"):
        decoder(packet)
    assert decoder(b"") == b""
    assert len(decoder(opus.OpusEncoder()(tone(0.02, 48000))[0])) == 1920


def test_two_channels_become_one() -> None:
    import av

    encoder = av.AudioCodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48000, "stereo", "s16"
    sound = np.frombuffer(tone(0.02, 48000), "<i2").repeat(2)[np.newaxis]
    frame = av.AudioFrame.from_ndarray(sound, "s16", "stereo")
    frame.sample_rate = 48000
    (packet,) = cast("list[av.Packet[Any]]", encoder.encode(frame))  # pyright: ignore[reportUnknownMemberType]
    assert len(opus.OpusDecoder(48000)(bytes(packet))) == 1920


def test_what_opus_has_not_is_refused() -> None:
    with pytest.raises(UsageError, match="44100"):
        opus.OpusEncoder(44100)
    with pytest.raises(UsageError, match=r"0\.03"):
        opus.OpusEncoder(frame=0.03)
    with pytest.raises(UsageError, match="1000000"):
        opus.OpusEncoder(bitrate=1000000)


def test_without_pyav_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(
        name: str,
        globals: Mapping[str, object] | None = None,  # noqa: A002  the names of the builtin
        locals: Mapping[str, object] | None = None,  # noqa: A002
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> object:
        if name == "av":
            raise ImportError(name)
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigurationError, match=r"antiphon\[webrtc\]"):
        opus.OpusEncoder()
