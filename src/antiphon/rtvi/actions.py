"""The client's actions: its messages become inputs, which the journal records."""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar

from ..errors import UnavailableError
from ..frames import ClientMessage, ContextNote, ServerMessage, UserKey, UserText
from ..processor import SessionPort
from .messages import (
    AppendToContext,
    Body,
    CallResult,
    ClientRequest,
    DisconnectBot,
    Dtmf,
    RawAudio,
    RawAudioBatch,
    SendFile,
    SendText,
    UICancel,
    UIEvent,
    UISnapshot,
)

__all__ = ["AudioSink", "ClientActions"]

AudioSink = Callable[[bytes, int, int], None]
"""A consumer of 16-bit samples, given their sample rate and the number of channels."""

UNANSWERED = 256  # unanswered requests that are remembered, at most; the oldest are forgotten first


class ClientActions:
    """The actions of one session's client.

    They use what any program may use, `Session.send`, `interrupt` and `end`, and the transport's `audio`.
    `legacy`: the client speaks protocol 1.
    """

    def __init__(self, session: SessionPort) -> None:
        self.audio: AudioSink | None = None
        self.legacy = False
        self._session = session
        self._requests: OrderedDict[str, str] = OrderedDict()  # types of unanswered requests, by id
        self._results: dict[str, asyncio.Future[Any]] = {}  # that tools wait for, by the id of the call
        self._ending: asyncio.Task[None] | None = None
        self._closed = False

    def perform(self, number: str, body: Body) -> str | None:
        """Perform a message, whose id is `number`; returns why it is refused, or None."""
        if self._ending is not None:
            return "the agent is leaving"
        return self._actions[type(body)](self, number, body)

    async def result(self, call: str) -> Any:
        """Wait for the client's result of this tool call.

        Raises UnavailableError if the client has left.
        """
        if self._closed:
            raise UnavailableError("the client has left")
        future = self._results[call] = asyncio.get_running_loop().create_future()
        try:
            return await future
        finally:
            self._results.pop(call, None)

    def pop_request(self, answer: ServerMessage) -> str:
        """Forget the request that this answers; returns its type, "" if unknown."""
        return self._requests.pop(answer.answers, "")

    def close(self) -> None:
        """Fail all pending results with an UnavailableError: the session is over."""
        self._closed = True
        for future in self._results.values():
            if not future.done():
                future.set_exception(UnavailableError("the client has left"))

    # Each returns why it refuses, or None ------------------------------------------------------------

    def _request(self, number: str, body: ClientRequest) -> None:
        self._send_to_program(number, body.t, body.d)

    def _send_to_program(self, number: str, kind: str, data: Any) -> None:
        if number:
            self._requests[number] = kind
            if len(self._requests) > UNANSWERED:
                self._requests.popitem(last=False)
        self._session.send(ClientMessage(kind, data, number))

    def _send_text(self, number: str, body: SendText) -> str | None:
        options = body.options
        now = options is None or options.run_immediately is not False
        aloud = options is None or options.audio_response is not False
        return self._typed(body.content, now=now, aloud=aloud)

    def _append(self, number: str, body: AppendToContext) -> str | None:
        if not self.legacy:
            return "Unsupported type append-to-context: use send-text"
        if body.role != "user" or not isinstance(body.content, str) or len(body.content) > 20_000:
            return "append-to-context takes a text of the user"
        return self._typed(body.content, now=bool(body.run_immediately), aloud=True)

    def _typed(self, text: str, *, now: bool, aloud: bool) -> str | None:
        session = self._session
        if not text.strip():
            return "the text has no words"
        if now:
            session.interrupt("the user typed")
            session.send(UserText(text, aloud))
            return None
        if not any(ContextNote in part.handlers for part in session.parts):
            return "this agent keeps no conversation"
        session.send(ContextNote(text))
        return None

    def _dtmf(self, number: str, body: Dtmf) -> str | None:
        keys = body.buttons or ([body.button] if body.button else [])
        for key in keys:
            self._session.send(UserKey(key))
        return None if keys else "the message has no buttons"

    def _call_result(self, number: str, body: CallResult) -> str | None:
        """Pass the result to the waiting tool, whose ToolEnded is the session's input."""
        future = self._results.get(body.tool_call_id)
        if future is None:
            return f"no call of a client function is waiting with the id {body.tool_call_id}"
        if not future.done():
            future.set_result(body.result)
        return None

    def _disconnect(self, number: str, body: DisconnectBot) -> None:
        session = self._session
        session.interrupt("the client is leaving", force=True)
        end = session.end("the client disconnected the agent")
        self._ending = asyncio.create_task(end, name="antiphon disconnect")

    def _raw_audio(self, number: str, body: RawAudio | RawAudioBatch) -> str | None:
        if self.audio is None:
            return "this transport carries audio itself: do not send it as messages"
        pieces = [body.audio] if isinstance(body, RawAudio) else body.audio
        try:
            pcm = b"".join([base64.b64decode(piece, validate=True) for piece in pieces])
        except (binascii.Error, ValueError):
            return "the audio is not base64"
        self.audio(pcm, body.sample_rate, body.channels)
        return None

    def _file(self, number: str, body: SendFile) -> None:
        data = {"content": body.content or "", "file": body.file, "options": body.options or {}}
        self._send_to_program(number, "send-file", data)

    def _ui_event(self, number: str, body: UIEvent) -> None:
        self._send_to_program(number, "ui-event", {"event": body.event, "payload": body.payload})

    def _ui_snapshot(self, number: str, body: UISnapshot) -> None:
        self._send_to_program(number, "ui-snapshot", {"tree": body.tree})

    def _ui_cancel(self, number: str, body: UICancel) -> None:
        data = {"job_id": body.job_id, "reason": body.reason}
        self._send_to_program(number, "ui-cancel-job-group", data)

    _actions: ClassVar[dict[type[Body], Callable[..., str | None]]] = {
        ClientRequest: _request,
        SendText: _send_text,
        SendFile: _file,
        RawAudio: _raw_audio,
        RawAudioBatch: _raw_audio,
        Dtmf: _dtmf,
        CallResult: _call_result,
        DisconnectBot: _disconnect,
        UIEvent: _ui_event,
        UISnapshot: _ui_snapshot,
        UICancel: _ui_cancel,
        AppendToContext: _append,
    }
