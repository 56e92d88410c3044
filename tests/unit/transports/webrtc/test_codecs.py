"""Which of a client's codecs is spoken, and that its packets can be."""

import numpy as np
import pytest

from antiphon.errors import UsageError
from antiphon.transports.webrtc.codecs import CODECS, AudioCodec, offered

RTPMAP = {"111": "opus/48000/2", "9": "G722/8000", "0": "PCMU/8000", "8": "PCMA/8000", "110": "speex/16000"}


def offer(*payloads: str, mapped: bool = True) -> str:
    lines = [f"a=rtpmap:{payload} {RTPMAP[payload]}" for payload in payloads if mapped]
    audio = [f"m=audio 9 UDP/TLS/RTP/SAVPF {' '.join(payloads)}", *lines]
    return "\r\n".join(["v=0", "m=video 9 UDP/TLS/RTP/SAVPF 96", *audio, "m=application 9 X y", ""])


def test_opus_is_preferred_and_else_what_sounds_best() -> None:
    assert [codec.name for codec in offered(offer("8", "0", "9", "111"))] == ["opus", "G722", "PCMU", "PCMA"]
    assert [codec.name for codec in offered(offer("8"))] == ["PCMA"]


def test_payload_types_of_telephones_need_no_name() -> None:
    assert [codec.name for codec in offered(offer("0", "8", "9", mapped=False))] == ["G722", "PCMU", "PCMA"]


def test_without_audio_there_is_no_codec() -> None:
    assert offered("v=0\r\nm=video 9 X 0\r\nm=application 9 Y z\r\n") == []


def test_who_offers_others_is_told_which_are_accepted() -> None:
    with pytest.raises(UsageError, match=r"are speex; accepted are opus, G722, PCMU, PCMA"):
        offered(offer("110"))
    with pytest.raises(UsageError, match=r"are none; accepted are"):
        offered("v=0\r\nm=audio 9 X")


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_what_is_encoded_can_be_decoded(codec: AudioCodec) -> None:
    encode, decode = codec.encoder(24000, 32000), codec.decoder()
    sound = (np.sin(np.arange(24000) * 2 * np.pi * 440 / 24000) * 9000).astype("<i2").tobytes()
    packets = [packet for begin in range(0, len(sound), 960) for packet in encode(sound[begin : begin + 960])]
    heard = np.frombuffer(b"".join(map(decode, packets)), "<i2").astype(float)
    assert len(packets) in (49, 50)
    assert len(heard) == pytest.approx(16000, abs=700)
    middle = heard[4000:12000]
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 16000 / len(middle) == pytest.approx(440, abs=3)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(9000 / np.sqrt(2), rel=0.1)
