"""OpenAI's protocol for transcription in real time, which others speak too.

https://platform.openai.com/docs/guides/realtime-transcription

The client commits the audio of an utterance, which becomes an item. Items are transcribed side by side, so
that a later one may be ready first: they are told in the order in which they were committed.
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from ..errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from .recognition_codec import Flushed, Ready, RecognitionCodec, RecognitionEvent, Settled
from .vendor_values import fields, json_object, json_text, said_text, string
from .websocket_client import Message

__all__ = ["RealtimeTranscriptionCodec"]

TRANSCRIPTION = "conversation.item.input_audio_transcription."
NOTHING_COMMITTED = "input_audio_buffer_commit_empty"
REFUSED = {"invalid_api_key", "authentication_error", "permission_error", "insufficient_permissions"}
TOO_MUCH = {"rate_limit_exceeded", "rate_limit_error", "insufficient_quota"}


class RealtimeTranscriptionCodec(RecognitionCodec):
    """A connection: characters as they come, and each committed item as a whole.

    `session` is what is set up, if anything. `ready` is the type of the message after which audio is taken.
    """

    waits_for_ready = True
    flush_answered_within = 1.5
    tells_interim = False

    def __init__(self, vendor: str, session: dict[str, Any] | None, *, ready: str) -> None:
        self._vendor = vendor
        self._session = session
        self._ready = ready
        self._items: dict[str, _Item] = {}

    def begin(self) -> Iterable[Message]:
        return (json_text(type="session.update", session=self._session),) if self._session else ()

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (json_text(type="input_audio_buffer.append", audio=b64encode(pcm).decode()),)

    def flush(self) -> Iterable[Message]:
        return (json_text(type="input_audio_buffer.commit"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        item = string(told.get("item_id")) or next(iter(self._items), "")  # some leave it out
        match string(told.get("type")).removeprefix(TRANSCRIPTION):
            case kind if kind == self._ready:
                yield Ready()
            case "input_audio_buffer.committed":
                self._items.setdefault(item, _Item())
            case "delta":
                yield from self._add(item, said_text(told.get("delta")))
            case "completed":
                yield from self._complete(item, said_text(told.get("transcript")))
            case "failed":
                yield from self._complete(item, None)
            case "error":
                yield from self._error(fields(told.get("error")))
            case _:
                pass

    def _add(self, name: str, delta: str) -> Iterable[RecognitionEvent]:
        item = self._items.setdefault(name, _Item())
        if next(iter(self._items)) == name:
            yield Settled(delta, joint="")
        else:
            item.waiting += delta

    def _complete(self, name: str, text: str | None) -> Iterable[RecognitionEvent]:
        item = self._items.setdefault(name, _Item())
        item.done, item.text = True, text
        while self._items and (first := next(iter(self._items.values()))).done:
            yield Flushed(first.text)
            del self._items[next(iter(self._items))]
            if self._items and (waiting := next(iter(self._items.values())).waiting):
                yield Settled(waiting, joint="")

    def _error(self, error: dict[str, Any]) -> Iterable[RecognitionEvent]:
        code = string(error.get("code")) or string(error.get("type"))
        if code == NOTHING_COMMITTED:
            yield Flushed()
            return
        raise _kind(code)(f"{self._vendor}: {code}: {string(error.get('message'))[:200]}")


class _Item:
    """The words of an item that is not told completely."""

    def __init__(self) -> None:
        self.waiting = ""
        self.text: str | None = None
        self.done = False


def _kind(code: str) -> type[TheyErred]:
    if code in REFUSED:
        return AuthenticationError
    if code in TOO_MUCH:
        return RateLimitError
    return BadResponseError if code.startswith("invalid") else UnavailableError
