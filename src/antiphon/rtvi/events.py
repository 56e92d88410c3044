"""Events of a conversation, as messages to the client.

Messages about a speculative reply are held back until it is committed, and dropped if it is dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from time import gmtime, strftime
from typing import Any, ClassVar

from ..context import UserSaid
from ..frames import (
    AudioEnded,
    Failed,
    Generated,
    Interrupted,
    PlayoutStarted,
    Prompt,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    SegmentStarted,
    SpeechStarted,
    SpeechStopped,
    Text,
    Transcript,
    UserTurn,
    UserTurnStarted,
)
from ..processor import SessionPort
from ..turns.floor import State
from ..turns.mute import Mute
from ..turns.turn_taking import TurnTaking
from .output import Output

__all__ = ["ConversationEvents"]

USER_SPEAKS = (State.SPEAKING, State.ENDING)


@dataclass(slots=True)
class _ReplyState:
    """What has been reported of the reply in progress."""

    reply: int
    output: Output
    held: list[tuple[str, Any]] | None
    """Messages to send once the reply is committed; None if it is not speculative."""
    generating: bool = False
    speaks: bool = False
    """True from "bot-tts-started" to "bot-tts-stopped"."""
    talking: bool = False
    """True once "bot-started-speaking" was sent."""


class ConversationEvents:
    """An observer that reports to the client what happens in a session.

    `tell` sends a message, given its type and its data, which for "bot-output" is a BotOutput. `began`: when
    the session began, in seconds since 1970. `vad`: whether to report speech as the VAD detects it.
    """

    def __init__(
        self, session: SessionPort, tell: Callable[[str, Any], None], began: float, *, vad: bool = False
    ) -> None:
        self._session = session
        self._tell = tell
        self._began = began
        self._vad = vad
        self._turns = next((part for part in session.parts if isinstance(part, TurnTaking)), None)
        self._mute = next((part for part in session.parts if isinstance(part, Mute)), None)
        self._speaking = self._muted = False
        self._reply: _ReplyState | None = None
        self._segments = count(1)
        self._asked = (0, "")  # the user's words in the last prompt, and their place among the entries

    def saw(self, now: float, source: str, what: object, is_input: bool) -> None:
        """Report what happened, if the client should know of it."""
        report = self._reports.get(type(what))
        if report is not None:
            report(self, now, source, what, is_input)

    # The user --------------------------------------------------------------------------------------

    def _turn_started(self, now: float, source: str, signal: UserTurnStarted, is_input: bool) -> None:
        self._speaks(True)

    def _transcript(self, now: float, source: str, frame: Transcript, is_input: bool) -> None:
        if is_input and frame.text.strip():
            moment = self._began + now
            stamp = f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(moment))}.{int(moment % 1 * 1000):03d}Z"
            told = {"text": frame.text, "final": frame.final, "timestamp": stamp, "user_id": ""}
            self._tell("user-transcription", told)

    def _user_turn(self, now: float, source: str, frame: UserTurn, is_input: bool) -> None:
        self._speaks(False)

    def _speaks(self, speaks: bool) -> None:
        if speaks != self._speaking:
            self._speaking = speaks
            self._tell("user-started-speaking" if speaks else "user-stopped-speaking", None)

    def _detected(
        self, now: float, source: str, frame: SpeechStarted | SpeechStopped, is_input: bool
    ) -> None:
        if self._vad and is_input:
            begins = isinstance(frame, SpeechStarted)
            self._tell("vad-user-started-speaking" if begins else "vad-user-stopped-speaking", None)

    # A reply ---------------------------------------------------------------------------------------

    def tell_of_reply(self, reply: int, kind: str, data: Any = None) -> None:
        """Send a message about a reply, or hold it back while that is speculative."""
        state = self._reply
        if state is not None and state.reply == reply:
            if state.held is not None:
                state.held.append((kind, data))
            else:
                self._tell(kind, data)

    def _reply_started(self, now: float, source: str, signal: ReplyStarted, is_input: bool) -> None:
        held: list[tuple[str, Any]] | None = [] if signal.speculative else None
        self._reply = _ReplyState(signal.reply, Output(self._segments), held)

    def _reply_committed(self, now: float, source: str, signal: ReplyCommitted, is_input: bool) -> None:
        state = self._reply
        if state is not None and state.reply == signal.reply and state.held is not None:
            held, state.held = state.held, None
            for kind, data in held:
                self._tell(kind, data)

    def _prompt(self, now: float, source: str, frame: Prompt, is_input: bool) -> None:
        state, entries = self._reply, frame.context.entries
        if state is None or state.reply != frame.reply or state.generating:
            return
        last = entries[-1] if entries else None
        if isinstance(last, UserSaid) and self._asked != (asked := (len(entries), last.text)):
            if state.held is None:
                self._asked = asked
            self.tell_of_reply(frame.reply, "user-llm-text", {"text": last.text})
        state.generating = True
        self.tell_of_reply(frame.reply, "bot-llm-started")

    def _text(self, now: float, source: str, frame: Text, is_input: bool) -> None:
        state = self._reply
        if state is None or state.reply != frame.reply or not (is_input and state.generating):
            return
        self.tell_of_reply(frame.reply, "bot-llm-text", {"text": frame.text})

    def _generated(self, now: float, source: str, signal: Generated, is_input: bool) -> None:
        state = self._reply
        if state is not None and state.reply == signal.reply and state.generating:
            state.generating = False
            self.tell_of_reply(signal.reply, "bot-llm-stopped")

    def _segment(self, now: float, source: str, frame: SegmentStarted, is_input: bool) -> None:
        state, reply = self._reply, self._session.reply
        if state is None or reply is None or not state.reply == reply.number == frame.reply:
            return
        if not state.speaks:
            state.speaks = True
            self.tell_of_reply(frame.reply, "bot-tts-started")
        for told in state.output.announce(reply.text, frame.start, frame.end):
            self.tell_of_reply(frame.reply, "bot-output", told)

    def _audio_ended(self, now: float, source: str, frame: AudioEnded, is_input: bool) -> None:
        state = self._reply
        if state is not None and state.reply == frame.reply and state.speaks:
            state.speaks = False
            self.tell_of_reply(frame.reply, "bot-tts-stopped")

    def _playout_started(self, now: float, source: str, signal: PlayoutStarted, is_input: bool) -> None:
        if (state := self._reply) is not None and state.reply == signal.reply:
            state.talking = True
            self.tell_of_reply(signal.reply, "bot-started-speaking")

    def _interrupted(self, now: float, source: str, signal: Interrupted, is_input: bool) -> None:
        self._heard(signal.reply, signal.heard, exactly=True)
        self.tell_of_reply(signal.reply, "bot-interrupted")

    def _reply_ended(self, now: float, source: str, signal: ReplyEnded, is_input: bool) -> None:
        state = self._reply
        if state is None or state.reply != signal.reply:
            return
        if not signal.speculative:
            self._end(state, signal)
        self._reply = None

    def _end(self, state: _ReplyState, signal: ReplyEnded) -> None:
        if state.output.announced:
            self._heard(signal.reply, len(signal.heard), exactly=True)
        else:
            for told in state.output.unspoken(signal.heard):
                self._tell("bot-output", told)
        if state.generating:
            self._tell("bot-llm-stopped", None)
        if state.speaks:
            self._tell("bot-tts-stopped", None)
        if state.talking:
            self._tell("bot-stopped-speaking", None)

    def _heard(self, reply: int, offset: int, *, exactly: bool = False) -> None:
        if (state := self._reply) is not None and state.reply == reply and state.held is None:
            for told in state.output.heard(offset, exactly=exactly):
                self._tell("bot-output", told)

    def _failed(self, now: float, source: str, signal: Failed, is_input: bool) -> None:
        if not signal.recovered:  # the full message is only for the log and for observing clients
            self._tell("error", {"error": f"{signal.part} failed: {signal.error}", "fatal": False})

    # What changes without a frame ------------------------------------------------------------------

    @property
    def floor(self) -> State | None:
        """The state of the floor; None in a pipeline without turn taking."""
        return None if self._turns is None else self._turns.engine.state

    @property
    def needs_polling(self) -> bool:
        """True while `poll` may find something."""
        talking = self._reply is not None and self._reply.talking
        return talking or self._speaking or self._mute is not None

    def poll(self, now: float) -> None:
        """Report how far the reply was heard, and if the user lost the floor or is muted."""
        session, state = self._session, self._reply
        reply, playout = session.reply, session.playout
        if state is not None and state.talking and reply is not None and playout is not None:
            self._heard(reply.number, playout.heard(reply))
        if self._speaking and self.floor not in (None, *USER_SPEAKS):
            self._speaks(False)  # it was noise: no turn comes of it
        rules = self._mute.rules if self._mute is not None else ()
        if (muted := any(rule.mutes(now) for rule in rules)) != self._muted:
            self._muted = muted
            self._tell("user-mute-started" if muted else "user-mute-stopped", None)

    _reports: ClassVar[dict[type, Callable[..., None]]] = {
        UserTurnStarted: _turn_started,
        Transcript: _transcript,
        UserTurn: _user_turn,
        SpeechStarted: _detected,
        SpeechStopped: _detected,
        ReplyStarted: _reply_started,
        ReplyCommitted: _reply_committed,
        Prompt: _prompt,
        Text: _text,
        Generated: _generated,
        SegmentStarted: _segment,
        AudioEnded: _audio_ended,
        PlayoutStarted: _playout_started,
        Interrupted: _interrupted,
        ReplyEnded: _reply_ended,
        Failed: _failed,
    }
