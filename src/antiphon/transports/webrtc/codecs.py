"""The audio codecs that the aiortc engine speaks: Opus, and those of telephones.

Browsers prefer Opus. A client that offers others only, such as a gateway to a telephone network, is answered
with one of those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ...audio import g711, g722, opus
from ...audio.resample import Resampler
from ...errors import UsageError
from .engine import HEARD_HZ, PIECE
from .uplink import Decode

__all__ = ["CODECS", "OPUS", "AudioCodec", "offered"]

Encode: TypeAlias = Callable[[bytes], list[bytes]]
"""A streaming encoder of mono 16-bit PCM; returns the packets that are complete, of PIECE seconds each."""

PACKET = 160  # bytes of PIECE seconds in each of the telephones' codecs: 64 kbit/s
STATIC = {"0": "pcmu", "8": "pcma", "9": "g722"}  # payload types that need no a=rtpmap (RFC 3551)


@dataclass(frozen=True, slots=True)
class AudioCodec:
    """A codec, as SDP names it."""

    name: str
    rtp_hz: int
    """The clock rate of its RTP timestamps, which need not be its sample rate."""
    channels: int
    encoder: Callable[[int, int], Encode]
    """Makes an encoder from the sample rate of its input and the bitrate, if that can be chosen."""
    decoder: Callable[[], Decode]
    """Makes a decoder to mono 16-bit samples at HEARD_HZ."""
    silence: bytes | None = None
    """A packet of silence; None if silence has to be encoded."""


class _TelephoneEncoder:
    """An encoder from any sample rate to packets of a telephone's codec."""

    def __init__(self, sample_rate: int, codec_hz: int, encode: Callable[[bytes], bytes]) -> None:
        self._resample = Resampler(sample_rate, codec_hz)
        self._encode = encode
        self._encoded = b""

    def __call__(self, pcm: bytes) -> list[bytes]:
        encoded = self._encoded + self._encode(self._resample(pcm))
        whole = len(encoded) // PACKET * PACKET
        self._encoded = encoded[whole:]
        return [encoded[begin : begin + PACKET] for begin in range(0, whole, PACKET)]


def _g711(name: str, encode: Callable[[bytes], bytes], decode: Callable[[bytes], bytes]) -> AudioCodec:
    def decoder() -> Decode:
        resample = Resampler(8000, HEARD_HZ)
        return lambda packet: resample(decode(packet))

    return AudioCodec(name, 8000, 1, lambda hz, bitrate: _TelephoneEncoder(hz, 8000, encode), decoder)


OPUS = AudioCodec(
    "opus",
    48000,  # whatever rate it carries (RFC 7587)
    2,
    lambda hz, bitrate: opus.OpusEncoder(hz, bitrate=bitrate, frame=PIECE),
    lambda: opus.OpusDecoder(HEARD_HZ),
    b"\xf8\xff\xfe",
)
G722 = AudioCodec(
    "G722",
    8000,  # by a historic mistake (RFC 3551 section 4.5.2)
    1,
    lambda hz, bitrate: _TelephoneEncoder(hz, g722.SAMPLE_RATE, g722.G722Encoder()),
    g722.G722Decoder,
)
CODECS = (
    OPUS,
    G722,
    _g711("PCMU", g711.encode_mulaw, g711.decode_mulaw),
    _g711("PCMA", g711.encode_alaw, g711.decode_alaw),
)
"""In order of preference, best first."""


def offered(sdp: str) -> list[AudioCodec]:
    """Return the codecs of an offer's first audio section, best first.

    Returns none if it has no audio. Raises UsageError if it has audio, but none of these codecs.
    """
    _, audio, rest = sdp.replace("\r\n", "\n").partition("\nm=audio ")
    if not audio:
        return []
    lines = rest.partition("\nm=")[0].split("\n")
    mapped = [line[len("a=rtpmap:") :].partition(" ") for line in lines if line.startswith("a=rtpmap:")]
    known = STATIC | {payload: name.partition("/")[0].lower() for payload, _, name in mapped}
    names = [known.get(payload, payload) for payload in lines[0].split()[2:]]
    if found := [codec for codec in CODECS if codec.name.lower() in names]:
        return found
    raise UsageError(
        f"the offer's audio codecs are {', '.join(names)[:100] or 'none'}; accepted are "
        f"{', '.join(codec.name for codec in CODECS)}"
    )
