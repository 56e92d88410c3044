"""Streaming encoders and decoders for the audio encodings of telephone lines."""

from collections.abc import Callable

from ...errors import BadResponseError
from .port import AudioFormat

__all__ = ["decoder", "encoder"]

ConvertAudio = Callable[[bytes], bytes]


def encoder(audio_format: AudioFormat) -> ConvertAudio:
    """Return a streaming encoder from PCM at the format's rate.

    The one for Opus makes one packet of each 20 ms.
    """
    from ...audio import g711  # loads numpy

    match audio_format.encoding:
        case "mulaw":
            return g711.encode_mulaw
        case "alaw":
            return g711.encode_alaw
        case "l16":
            return bytes
        case "l16be":
            return _swap_bytes
        case "g722":
            from ...audio.g722 import G722Encoder

            return G722Encoder()
        case "opus":
            from ...audio.opus import OpusEncoder

            opus = OpusEncoder(audio_format.sample_rate)
            return lambda pcm: b"".join(opus(pcm))


def decoder(audio_format: AudioFormat) -> ConvertAudio:
    """Return a streaming decoder to PCM at the format's rate.

    The decoder raises BadResponseError for data that is not in this encoding.
    """
    from ...audio import g711

    match audio_format.encoding:
        case "mulaw":
            return g711.decode_mulaw
        case "alaw":
            return g711.decode_alaw
        case "l16":
            return _whole_samples
        case "l16be":
            return lambda data: _swap_bytes(_whole_samples(data))
        case "g722":
            from ...audio.g722 import G722Decoder

            return G722Decoder()
        case "opus":
            from ...audio.opus import OpusDecoder

            return OpusDecoder(audio_format.sample_rate)


def _whole_samples(data: bytes) -> bytes:
    if len(data) % 2:
        raise BadResponseError(f"{len(data)} bytes of 16-bit audio end in half a sample")
    return data


def _swap_bytes(data: bytes) -> bytes:
    """Convert 16-bit samples between little-endian and big-endian."""
    swapped = bytearray(len(data))
    swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
    return bytes(swapped)
