"""The codec of Kyutai's Unmute: OpenAI's beta in part, with sound as Opus in Ogg.

https://github.com/kyutai-labs/unmute/blob/main/unmute/openai_realtime_api_events.py
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any, Literal

from ...audio.ogg_opus import OggOpusDecoder, OggOpusEncoder
from ...context import AgentSaid, Context, UserSaid
from ...encodable import encodable
from ...errors import BadResponseError, RateLimitError, UnavailableError
from ...services.realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
from ...services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    Voice,
)
from ...services.vendor_values import base64_bytes, fields, json_object, json_text, string
from ...services.websocket_client import Message

__all__ = ["UnmuteCodec"]

SO_FAR = "The conversation so far, with which you go on, without another greeting:"
NOT_SAID = ResponseOver("failed", "Unmute says nothing on demand")


class UnmuteCodec(RealtimeCodec):
    """A connection. Its sound is one stream each way."""

    def __init__(self, voice: str | None, language: str | None) -> None:
        self._voice, self._language = voice, language
        self._encode, self._decode = OggOpusEncoder(24000), OggOpusDecoder(24000)
        self._instructions = ""
        self._before = ""  # the conversation so far, as of the beginning
        self._asked = 0  # responses that were asked for, and will not come
        self._turn = 0
        self._heard: str | None = None  # words of the user's turn; None if there is none
        self._responding = self._muted = self._spoke = False

    # Towards the vendor

    def begin(self, context: Context) -> Iterable[Message]:
        said = [
            f"{'You' if isinstance(entry, AgentSaid) else 'User'}: {entry.text}"
            for entry in context.entries
            if isinstance(entry, UserSaid | AgentSaid) and entry.text.strip()
        ]
        self._before = "\n".join(["", "", SO_FAR, *said]) if said else ""
        return self._instruct(context.instructions)

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                audio = b64encode(self._encode(pcm)).decode()
                return (json_text(type="input_audio_buffer.append", audio=audio),)
            case Respond() | Say():
                self._asked += 1
            case CutShort():
                self._muted = self._responding
            case Remember(context) if context.instructions != self._instructions:
                return self._instruct(context.instructions)
            case _:
                pass
        return ()

    def _instruct(self, instructions: str) -> Iterable[Message]:
        self._instructions = instructions
        text = encodable(instructions + self._before)
        told = {"type": "constant", "text": text} | ({"language": self._language} if self._language else {})
        session: dict[str, Any] = {"instructions": told, "allow_recording": False}
        if self._voice:
            session["voice"] = self._voice
        return (json_text(type="session.update", session=session),)

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        told = json_object(message)
        yield from self._told(string(told.get("type")), told)
        while self._asked and not self._responding:
            self._asked -= 1
            yield ResponseBegan()
            yield NOT_SAID

    def _told(self, kind: str, told: dict[str, Any]) -> Iterable[CodecEvent]:
        delta = string(told.get("delta"))
        match kind:
            case "session.updated":
                yield RealtimeReady()
            case "input_audio_buffer.speech_started":
                yield from self._hear("")
            case "conversation.item.input_audio_transcription.delta" if delta.strip():
                yield from self._hear(delta.strip())
            case "input_audio_buffer.speech_stopped":
                yield from self._end_turn()
            case "response.created":
                yield from self._over("cancelled")
                yield from self._end_turn()
                self._responding, self._muted, self._spoke = True, False, False
                yield ResponseBegan()
            case "response.text.delta" if self._responding and not self._muted:
                yield AgentWords(f" {delta.strip()}" if self._spoke else delta.strip())
                self._spoke = True
            case "response.audio.delta":
                pcm = self._decode(base64_bytes(delta))
                if pcm and self._responding and not self._muted:
                    yield Voice(pcm)
            case "response.audio.done":
                yield from self._over("completed")
            case "unmute.interrupted_by_vad":
                yield UserCutIn()
                yield from self._over("cancelled")
            case "error":
                yield from self._error(fields(told.get("error")))
            case _:
                pass

    def _hear(self, words: str) -> Iterable[CodecEvent]:
        """Add words to the user's turn, which begins with the first ones."""
        if self._heard is None:
            self._heard = ""
            yield UserSpeaks(True)
        if words:
            self._heard = f"{self._heard} {words}".strip()
            yield UserHeard(self._turn, self._heard, False)

    def _end_turn(self) -> Iterable[CodecEvent]:
        if self._heard is not None:
            yield UserHeard(self._turn, self._heard, True)
            yield UserSpeaks(False)
            self._turn, self._heard = self._turn + 1, None

    def _over(self, status: Literal["completed", "cancelled"]) -> Iterable[CodecEvent]:
        if self._responding:
            self._responding = False
            yield ResponseOver("cancelled" if self._muted else status)

    def _error(self, error: dict[str, Any]) -> Iterable[CodecEvent]:
        said = f"kyutai: {string(error.get('message'))[:200]}"
        if error.get("type") == "fatal":
            raise RateLimitError(said) if "Too many" in said else UnavailableError(said)
        if error.get("type") != "warning":
            yield Faulted(BadResponseError(said))
