"""How audio is written on a line: PCM to its bytes and back, as streams."""

from collections.abc import Callable

from ...errors import BadResponseError
from .port import AudioFormat

__all__ = ["decoder", "encoder"]

Coder = Callable[[bytes], bytes]


def encoder(line: AudioFormat) -> Coder:
    """PCM at the line's rate to what the line carries; Opus gives one packet for each 20 ms."""
    from ...audio import g711  # numpy, once there is a call

    match line.encoding:
        case "mulaw":
            return g711.encode_mulaw
        case "alaw":
            return g711.encode_alaw
        case "l16":
            return bytes
        case "l16be":
            return _swapped
        case "g722":
            from ...audio.g722 import G722Encoder

            return G722Encoder()
        case "opus":
            from ...audio.opus import OpusEncoder as Opus

            opus = Opus(line.sample_rate)
            return lambda pcm: b"".join(opus(pcm))


def decoder(line: AudioFormat) -> Coder:
    """What the line carries to PCM at its rate. Raises BadResponseError for what is not of its encoding."""
    from ...audio import g711

    match line.encoding:
        case "mulaw":
            return g711.decode_mulaw
        case "alaw":
            return g711.decode_alaw
        case "l16":
            return _whole
        case "l16be":
            return lambda data: _swapped(_whole(data))
        case "g722":
            from ...audio.g722 import G722Decoder

            return G722Decoder()
        case "opus":
            from ...audio.opus import OpusDecoder as Opus

            return Opus(line.sample_rate)


def _whole(data: bytes) -> bytes:
    if len(data) % 2:
        raise BadResponseError(f"{len(data)} bytes of 16-bit audio end in half a sample")
    return data


def _swapped(data: bytes) -> bytes:
    """The two bytes of each sample the other way round."""
    swapped = bytearray(len(data))
    swapped[0::2], swapped[1::2] = data[1::2], data[0::2]
    return bytes(swapped)
