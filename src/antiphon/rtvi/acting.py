"""What the client wants of a session, done: typed words, keys, results of its functions, its own messages."""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, ClassVar

from ..context import UserSaid
from ..conversation.conversation import Conversation
from ..frames import (
    ClientMessage,
    ReplyEnded,
    ReplyStarted,
    ServerMessage,
    Text,
    TextEnded,
    ToolEnded,
    ToolStarted,
    UserKey,
    UserText,
)
from ..processor import SessionPort
from ..reply import Reply
from ..services.tts import TTS
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

__all__ = ["Acts", "Sound"]

Sound = Callable[[bytes, int, int], None]
"""Takes 16-bit samples, their rate and the number of channels."""

UNANSWERED = 256  # requests whose type is remembered for their answer


class Acts:
    """Does what the messages of one session's client say. `legacy`: it speaks protocol 1."""

    def __init__(self, session: SessionPort) -> None:
        self.audio: Sound | None = None
        self.legacy = False
        self.unvoiced: set[int] = set()
        """Replies that are to be read, not heard."""
        self._session = session
        self._silent: list[Reply] = []  # the same, as far as they have no number yet
        self._requests: OrderedDict[str, str] = OrderedDict()
        self._results: dict[str, asyncio.Future[Any]] = {}
        self._ending: asyncio.Task[None] | None = None
        session.on(ReplyStarted, self._hush)

    def do(self, number: str, body: Body) -> str | None:
        """Do it; gives why it was not done."""
        if self._ending is not None:
            return "the agent is leaving"
        return self._acts[type(body)](self, number, body)

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Take note of what is waited for."""
        match what:
            case ToolStarted(call=call):
                self._results[call.id] = asyncio.get_running_loop().create_future()
            case ToolEnded(call=call):
                self._results.pop(call.id, None)
            case ReplyEnded(reply):
                self.unvoiced.discard(reply)
            case Text(reply) if reply in self.unvoiced:
                self._soon(lambda: self._spare_the_voice(reply))
            case TextEnded(reply, more=False) if reply in self.unvoiced:
                self._soon(lambda: self._finish(reply))
            case _:
                pass

    async def result(self, call: str) -> Any:
        """What the client's function has returned for this call."""
        future = self._results.setdefault(call, asyncio.get_running_loop().create_future())
        try:
            return await future
        finally:
            self._results.pop(call, None)

    def asked(self, answer: ServerMessage) -> str:
        """The type of the request that this answers."""
        return self._requests.pop(answer.answers, "")

    def close(self) -> None:
        """Nobody waits any more."""
        for future in self._results.values():
            future.cancel()

    # Each gives why it was not done, or None ---------------------------------------------------------

    def _request(self, number: str, body: ClientRequest) -> None:
        self._program(number, body.t, body.d)

    def _program(self, number: str, kind: str, data: Any) -> None:
        """Hand it to the agent's program."""
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
            return "there are no words in it"
        if not now:
            return self._note(text)
        session.interrupt("the user typed")
        before = set(session.replies.owed)
        session.send(UserText(text))
        if not aloud:
            self._silent = [reply for reply in session.replies.owed if reply not in before]
            if session.reply is not None:
                self._hush(ReplyStarted(session.reply.number))
        return None

    def _note(self, text: str) -> str | None:
        """The model reads it with what the user says next."""
        for part in self._session.parts:
            if isinstance(part, Conversation):
                part.entries.append(UserSaid(text))
                return None
        return "this agent keeps no conversation"

    def _dtmf(self, number: str, body: Dtmf) -> str | None:
        keys = body.buttons or ([body.button] if body.button else [])
        for key in keys:
            self._session.send(UserKey(key))
        return None if keys else "there are no buttons in it"

    def _call_result(self, number: str, body: CallResult) -> str | None:
        future = self._results.get(body.tool_call_id)
        if future is None:
            return f"there is no call {body.tool_call_id}, or it is over"
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
            return "audio comes by the transport itself here"
        pieces = [body.audio] if isinstance(body, RawAudio) else body.audio
        try:
            pcm = b"".join([base64.b64decode(piece, validate=True) for piece in pieces])
        except (binascii.Error, ValueError):
            return "the audio is not base64"
        self.audio(pcm, body.sample_rate, body.channels)
        return None

    def _file(self, number: str, body: SendFile) -> None:
        data = {"content": body.content or "", "file": body.file, "options": body.options or {}}
        self._program(number, "send-file", data)

    def _ui_event(self, number: str, body: UIEvent) -> None:
        self._program(number, "ui-event", {"event": body.event, "payload": body.payload})

    def _ui_snapshot(self, number: str, body: UISnapshot) -> None:
        self._program(number, "ui-snapshot", {"tree": body.tree})

    def _ui_cancel(self, number: str, body: UICancel) -> None:
        self._program(number, "ui-cancel-job-group", {"job_id": body.job_id, "reason": body.reason})

    _acts: ClassVar[dict[type[Body], Callable[..., str | None]]] = {
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

    # Replies that are to be read, not heard ----------------------------------------------------------

    def _hush(self, signal: ReplyStarted) -> None:
        """Nothing of it goes out as sound."""
        reply, playout = self._session.reply, self._session.playout
        if reply is not None and reply in self._silent and playout is not None:
            self._silent.remove(reply)
            self.unvoiced.add(signal.reply)
            playout.pause()

    def _soon(self, call: Callable[[], None]) -> None:
        """Once what happens now is over."""
        clock = self._session.clock
        clock.call_at(clock.now(), call)

    def _spare_the_voice(self, number: int) -> None:
        """It need not speak what nobody will hear."""
        self._session.works.cancel(lambda work: work.reply == number and isinstance(work.stage, TTS))

    def _finish(self, number: int) -> None:
        """All of it has been written, and so read."""
        session, reply, playout = self._session, self._session.reply, self._session.playout
        if session.state == "running" and playout is not None and reply and reply.number == number:
            playout.stop(reply)
            session.replies.finish(number, len(reply.text))
