import numpy as np
import pytest

from antiphon.audio import dtmf, g722
from antiphon.errors import UsageError


def sweep(seconds: float = 1.0) -> bytes:
    time = np.arange(round(seconds * g722.SAMPLE_RATE)) / g722.SAMPLE_RATE
    return (8000 * np.sin(2 * np.pi * (200 * time + 1500 * time * time))).astype("<i2").tobytes()


def test_a_byte_carries_two_samples_and_the_sound_survives() -> None:
    pcm = sweep()
    coded = g722.G722Encoder()(pcm)
    assert len(coded) == len(pcm) // 4
    sound = np.frombuffer(g722.G722Decoder()(coded), "<i2").astype(float)
    delay, meant = 22, np.frombuffer(pcm, "<i2").astype(float)
    error = sound[delay:] - meant[:-delay]
    assert 10 * np.log10(np.mean(meant**2) / np.mean(error**2)) > 15


def test_the_cut_of_the_stream_does_not_matter() -> None:
    pcm = sweep(0.3)
    coded = g722.G722Encoder()(pcm)
    for size in (2, 318, 642, 2000):
        encoder, decoder = g722.G722Encoder(), g722.G722Decoder()
        pieces = [encoder(pcm[at : at + size]) for at in range(0, len(pcm), size)]
        assert b"".join(pieces) == coded
        assert b"".join(map(decoder, pieces)) == g722.G722Decoder()(coded)


def test_what_waits_comes_with_the_flush() -> None:
    encoder = g722.G722Encoder()
    assert encoder(sweep(0.003)) == b""
    assert len(encoder.flush()) == 40
    assert encoder.flush() == b""


def test_keys_are_heard_through_it() -> None:
    sound = g722.G722Decoder()(g722.G722Encoder()(dtmf.tones("159#", 16000)))
    assert dtmf.DtmfDetector(16000)(sound) == "159#"


def test_half_a_sample_is_refused() -> None:
    encoder = g722.G722Encoder()
    with pytest.raises(UsageError, match="half a sample"):
        encoder(b"abc")
    assert encoder(bytes(320)) != b""
