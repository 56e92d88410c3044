"""FreeSWITCH with mod_audio_stream: audio in binary messages, ours in JSON.

https://github.com/amigniter/mod_audio_stream

There is no handshake. The first message is the metadata of `uuid_audio_stream`, if it was given any: an
object such as {"call": "...", "from": "...", "to": "...", "sample_rate": 16000}. Without it the rate is
8 kHz. Audio that was sent cannot be discarded, so little is sent ahead of its time.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any

import msgspec

from ....errors import BadResponseError
from ..messages import LONGEST, audio_format, decode_message, text_at, text_values
from ..port import CallDetails, CallerAudio, CallEvent, CallStarted, Provider, WireMessage
from ..signatures import basic_auth

__all__ = ["PROVIDER"]

MEDIA = '{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":RATE,"audioData":"'


class FreeSwitch:
    """The codec of the media stream."""

    packet = 0.02

    def __init__(self) -> None:
        self._started = False
        self._before = MEDIA.replace("RATE", "8000")

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse audio, or the call's metadata, which is the first text message."""
        if len(message) > LONGEST:
            raise BadResponseError(f"a message of {len(message)} bytes; the limit is {LONGEST}")
        if isinstance(message, bytes):
            begun = () if self._started else (self._start({}),)
            return (*begun, CallerAudio(message)) if message else begun
        said: dict[str, Any] = decode_message(_said, message)
        return () if self._started else (self._start(said),)

    def media(self, data: bytes) -> str:
        """Return the message that plays audio."""
        return self._before + b2a_base64(data, newline=False).decode("ascii") + '"}}'

    def clear(self) -> None:
        """Return None: the protocol cannot discard audio."""

    def mark(self, name: str) -> None:
        """Return None: the protocol has no marks."""

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> None:
        """Return None: closing the websocket ends the call."""

    def transfer(self, to: str) -> None:
        """Return None: the dialplan would have to transfer the call."""

    def _start(self, said: dict[str, Any]) -> CallStarted:
        spoken = audio_format("l16", text_at(said, "sample_rate") or 8000)
        self._started = True
        self._before = MEDIA.replace("RATE", str(spoken.sample_rate))
        return CallStarted(
            CallDetails(
                provider="freeswitch",
                call=text_at(said, "call") or text_at(said, "uuid"),
                caller=text_at(said, "from"),
                called=text_at(said, "to"),
                heard=spoken,
                spoken=spoken,
                parameters=text_values(said),
            )
        )


_said = msgspec.json.Decoder(dict[str, Any])

PROVIDER = Provider(
    name="freeswitch",
    title="FreeSWITCH mod_audio_stream",
    docs="https://github.com/amigniter/mod_audio_stream",
    audio="L16 8 to 48 kHz",
    codec=FreeSwitch,
    environment={"user": "FREESWITCH_WEBSOCKET_USER", "password": "FREESWITCH_WEBSOCKET_PASSWORD"},
    signature="HTTP basic authentication of the handshake",
    signed=basic_auth(("user", "FREESWITCH_WEBSOCKET_USER"), ("password", "FREESWITCH_WEBSOCKET_PASSWORD")),
    lead=0.06,
)
