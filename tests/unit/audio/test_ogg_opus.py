"""Opus in Ogg against FFmpeg's own reader and writer."""

import io
from random import Random

import numpy as np
import pytest

from antiphon.audio.ogg_opus import OggOpusDecoder, OggOpusEncoder
from antiphon.audio.pcm import samples
from antiphon.errors import BadResponseError

av = pytest.importorskip("av")


def tone(seconds: float, sample_rate: int = 24000) -> bytes:
    at = np.arange(int(seconds * sample_rate)) / sample_rate
    return (8000 * np.sin(2 * np.pi * 440 * at)).astype("<i2").tobytes()


def is_like(pcm: bytes, wanted: bytes) -> bool:
    """True if two signals are nearly the same, after at most 10 ms of each other."""
    ours, theirs = samples(pcm).astype(float), samples(wanted).astype(float)
    size = min(len(ours), len(theirs)) - 480
    return max(np.corrcoef(ours[late : late + size], theirs[:size])[0, 1] for late in range(0, 240, 4)) > 0.95


def test_what_is_encoded_is_decoded_by_ffmpeg() -> None:
    encode, wanted = OggOpusEncoder(24000), tone(1.0)
    data = b"".join(encode(wanted[at : at + 1000]) for at in range(0, len(wanted), 1000))
    with av.open(io.BytesIO(data)) as file:
        stream = file.streams.audio[0]
        assert (file.format.name, stream.codec_context.name, stream.codec_context.channels) == (
            "ogg",
            "opus",
            1,
        )
        pcm = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(stream)])
    assert len(pcm) == pytest.approx(48000, abs=400)
    assert is_like((pcm[::2] * 32767).astype("<i2").tobytes(), wanted)


def written_by_ffmpeg(wanted: bytes) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=48000, layout="mono")
        for at in range(0, len(wanted), 1920):
            sound = np.frombuffer(wanted[at : at + 1920], "<i2")[None, :]
            frame = av.AudioFrame.from_ndarray(sound, "s16", "mono")
            frame.sample_rate = 48000
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("piece", [7, 333, 1 << 20])
def test_what_ffmpeg_has_written_is_decoded_from_pieces_of_any_size(piece: int) -> None:
    data, decode = written_by_ffmpeg(tone(1.0, 48000)), OggOpusDecoder(24000)
    for _ in range(2):  # a second stream begins anew
        pcm = b"".join(decode(data[at : at + piece]) for at in range(0, len(data), piece))
        assert len(pcm) == pytest.approx(48000, abs=1000)
        assert is_like(pcm, tone(1.0))


def test_nonsense_is_refused_or_ignored() -> None:
    random, data = Random(1), written_by_ffmpeg(tone(0.5, 48000))
    for _ in range(300):
        broken = bytearray(data)
        for _ in range(random.randrange(1, 9)):
            broken[random.randrange(len(broken))] = random.randrange(256)
        decode = OggOpusDecoder(24000)
        try:
            while broken:
                decode(bytes(broken[:500]))
                del broken[:500]
        except BadResponseError:
            pass
    with pytest.raises(BadResponseError, match="not a page of Ogg"):
        OggOpusDecoder()(b"RIFF" + bytes(40))
