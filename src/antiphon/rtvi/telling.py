"""What the client is told of a conversation: what happens in a session, as messages of the protocol.

Nothing of a reply that is only a guess is told before it is the answer.
"""

from collections.abc import Callable, Collection
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

__all__ = ["Teller"]

USERS = (State.SPEAKING, State.ENDING)


@dataclass(slots=True)
class _Making:
    """The reply that is being made, as far as it was told."""

    reply: int
    output: Output
    held: list[tuple[str, Any]] | None
    """What is told once it is the answer; None where it is."""
    generating: bool = False
    voiced: bool = False
    talking: bool = False


class Teller:
    """Watches one session; `tell` takes a type and data, which for "bot-output" is a BotOutput.

    `began`: when the session began, in seconds since 1970. `unvoiced`: replies to be read, not heard.
    """

    def __init__(
        self,
        session: SessionPort,
        tell: Callable[[str, Any], None],
        began: float,
        unvoiced: Collection[int] = (),
        *,
        vad: bool = False,
    ) -> None:
        self._session = session
        self._tell = tell
        self._began = began
        self._unvoiced = unvoiced
        self._vad = vad
        self._turns = next((part for part in session.parts if isinstance(part, TurnTaking)), None)
        self._mute = next((part for part in session.parts if isinstance(part, Mute)), None)
        self._speaking = self._muted = False
        self._making: _Making | None = None
        self._segments = count(1)
        self._asked = (0, "")  # what of the user the model was asked last, and where it stands

    def saw(self, now: float, source: str, what: object, is_input: bool) -> None:
        """Tell of it, if there is something to be told."""
        note = self._notes.get(type(what))
        if note is not None:
            note(self, now, source, what, is_input)

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

    def of(self, reply: int, kind: str, data: Any = None) -> None:
        """Tell it of a reply, or keep it until that is the answer."""
        making = self._making
        if making is not None and making.reply == reply:
            if making.held is not None:
                making.held.append((kind, data))
            else:
                self._tell(kind, data)

    def _reply_started(self, now: float, source: str, signal: ReplyStarted, is_input: bool) -> None:
        held: list[tuple[str, Any]] | None = [] if signal.speculative else None
        self._making = _Making(signal.reply, Output(self._segments), held)

    def _reply_committed(self, now: float, source: str, signal: ReplyCommitted, is_input: bool) -> None:
        making = self._making
        if making is not None and making.reply == signal.reply and making.held is not None:
            held, making.held = making.held, None
            for kind, data in held:
                self._tell(kind, data)

    def _prompt(self, now: float, source: str, frame: Prompt, is_input: bool) -> None:
        making, entries = self._making, frame.context.entries
        if making is None or making.reply != frame.reply or making.generating:
            return
        last = entries[-1] if entries else None
        if isinstance(last, UserSaid) and self._asked != (asked := (len(entries), last.text)):
            if making.held is None:
                self._asked = asked
            self.of(frame.reply, "user-llm-text", {"text": last.text})
        making.generating = True
        self.of(frame.reply, "bot-llm-started")

    def _text(self, now: float, source: str, frame: Text, is_input: bool) -> None:
        making = self._making
        if making is None or making.reply != frame.reply or not (is_input and making.generating):
            return
        self.of(frame.reply, "bot-llm-text", {"text": frame.text})

    def _generated(self, now: float, source: str, signal: Generated, is_input: bool) -> None:
        making = self._making
        if making is not None and making.reply == signal.reply and making.generating:
            making.generating = False
            self.of(signal.reply, "bot-llm-stopped")

    def _segment(self, now: float, source: str, frame: SegmentStarted, is_input: bool) -> None:
        making, reply = self._making, self._session.reply
        if making is None or reply is None or not making.reply == reply.number == frame.reply:
            return
        if reply.number in self._unvoiced:
            return
        if not making.voiced:
            making.voiced = True
            self.of(frame.reply, "bot-tts-started")
        for told in making.output.announce(reply.text, frame.start, frame.end):
            self.of(frame.reply, "bot-output", told)

    def _audio_ended(self, now: float, source: str, frame: AudioEnded, is_input: bool) -> None:
        making = self._making
        if making is not None and making.reply == frame.reply and making.voiced:
            making.voiced = False
            self.of(frame.reply, "bot-tts-stopped")

    def _playout_started(self, now: float, source: str, signal: PlayoutStarted, is_input: bool) -> None:
        if (making := self._making) is not None and making.reply == signal.reply:
            making.talking = True
            self.of(signal.reply, "bot-started-speaking")

    def _interrupted(self, now: float, source: str, signal: Interrupted, is_input: bool) -> None:
        self._heard(signal.reply, signal.heard, exactly=True)
        self.of(signal.reply, "bot-interrupted")

    def _reply_ended(self, now: float, source: str, signal: ReplyEnded, is_input: bool) -> None:
        making = self._making
        if making is None or making.reply != signal.reply:
            return
        if not signal.speculative:
            self._end(making, signal)
        self._making = None

    def _end(self, making: _Making, signal: ReplyEnded) -> None:
        if making.output.announced:
            self._heard(signal.reply, len(signal.heard), exactly=True)
        else:
            for told in making.output.unspoken(signal.heard):
                self._tell("bot-output", told)
        if making.generating:
            self._tell("bot-llm-stopped", None)
        if making.voiced:
            self._tell("bot-tts-stopped", None)
        if making.talking:
            self._tell("bot-stopped-speaking", None)

    def _heard(self, reply: int, offset: int, *, exactly: bool = False) -> None:
        if (making := self._making) is not None and making.reply == reply and making.held is None:
            for told in making.output.heard(offset, exactly=exactly):
                self._tell("bot-output", told)

    def _failed(self, now: float, source: str, signal: Failed, is_input: bool) -> None:
        if not signal.recovered:  # what went wrong in full is for the log, and for those who may observe
            self._tell("error", {"error": f"{signal.part} failed: {signal.error}", "fatal": False})

    # What no frame tells ---------------------------------------------------------------------------

    @property
    def floor(self) -> State | None:
        """Who has the floor; None in a pipeline without turn taking."""
        return None if self._turns is None else self._turns.engine.state

    @property
    def busy(self) -> bool:
        """Whether `look` has something to look for."""
        talking = self._making is not None and self._making.talking
        return talking or self._speaking or self._mute is not None

    def look(self, now: float) -> None:
        """Tell how far the voice has come, and what else has changed meanwhile."""
        session, making = self._session, self._making
        reply, playout = session.reply, session.playout
        if making is not None and making.talking and reply is not None and playout is not None:
            self._heard(reply.number, playout.heard(reply))
        if self._speaking and self.floor not in (None, *USERS):
            self._speaks(False)  # there was nothing in it
        rules = self._mute.rules if self._mute is not None else ()
        if (muted := any(rule.mutes(now) for rule in rules)) != self._muted:
            self._muted = muted
            self._tell("user-mute-started" if muted else "user-mute-stopped", None)

    _notes: ClassVar[dict[type, Callable[..., None]]] = {
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
