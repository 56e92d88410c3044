"""The ears of a model that hears and speaks.

If the session's turn taking decides, they give the model the sound of the user's turns, from a little before
each begins, and nothing of the silence between them. A model that detects turns gets everything.
"""

from collections import deque
from collections.abc import Callable

from ..frames import (
    FalseInterruption,
    Frame,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnHinted,
    UserAudio,
    UserKey,
    UserTurn,
    UserTurnStarted,
)
from ..processor import Processor, on
from .realtime_vocabulary import (
    Discard,
    RealtimeInput,
    SpeechBegan,
    SpeechOver,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWentOn,
    UserWords,
)
from .resampling import ResampledInput, seconds
from .streams import AudioChunker

__all__ = ["RealtimeEars"]

CHUNK = 0.04  # seconds of the user's sound that are given to the model at once
LEAD = 0.3  # seconds before the start of speech that the model hears too
NOISE_AFTER = 8.0  # seconds of quiet after which speech that became no turn is discarded
WORDS_WITHIN = 2.0  # seconds in which the words of a turn usually come
SEARCHED = 4.0  # seconds of the newest sound in which the end of a turn is sought that the model detects
LONGEST_TURN = 60.0  # seconds after which a turn without an end is none
NEAR = 0.5  # seconds by which the end of late words may differ from that of their turn
SPANS = 64  # turns of the user whose words may still come


class RealtimeEars(Processor):
    """Where a `Realtime` stage hears the user: the place of the speech to text.

    `give` takes inputs for the model; `detects` and `transcripts` are the stage's.
    """

    def __init__(
        self, give: Callable[[RealtimeInput], object], rate: int, *, detects: bool, transcripts: bool
    ) -> None:
        self._give = give
        self._detects = detects
        self._transcripts = transcripts
        self.fit(rate)
        self.hearing = detects
        """Whether the model gets the user's sound."""
        self._speaking = self._paused = False
        self._ended = 0.0
        self._turn: float | None = None  # when the turn began that the user has, by our turn taking
        self._awaited: float | None = None  # the end of the last turn, if its words are still to come
        self._keys: list[str] = []  # that the user pressed since the last turn
        self._spans = deque[tuple[float, float]](maxlen=SPANS)  # of the turns that the model heard
        self._first = 0  # the number of the oldest of those

    def fit(self, rate: int) -> None:
        """Give sound at this sample rate from now on."""
        self._rate = rate
        self._matched = ResampledInput(rate)
        self._chunks = AudioChunker(int(CHUNK * rate) * 2)
        self._recent = deque[tuple[float, bytes]]()  # the newest sound, and when each piece ends

    @property
    def is_busy(self) -> bool:
        """Whether a turn of the user has begun, or its words may still come."""
        speaks = self._speaking or self._in_turn
        return speaks or (self.hearing and not self._detects) or self._awaits_words

    @property
    def _in_turn(self) -> bool:
        """Whether the user has a turn; one that was a noise has no end that is told."""
        return self._turn is not None and self.session.elapsed() < self._turn + LONGEST_TURN

    @property
    def _awaits_words(self) -> bool:
        ended = self._awaited
        return self._transcripts and ended is not None and self.session.elapsed() < ended + WORDS_WITHIN

    def take_words(self, words: Transcript) -> None:
        """Note that the words of a turn have come."""
        if words.final and self._awaited is not None and words.ended > self._awaited - NEAR:
            self._awaited = None

    def begin(self) -> None:
        """Begin with a new conversation of the model."""
        self._spans.clear()
        self._first = 0

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        pcm, ended = self._matched(frame), frame.at / frame.sample_rate + seconds(frame)
        if self.hearing:
            if chunk := self._chunks.add(pcm):
                self._give(UserSound(chunk))
            if self._detects:
                self._keep(ended, pcm, SEARCHED)
            elif not self._speaking and ended > self._ended + NOISE_AFTER:
                self._discard()
            return
        self._keep(ended, pcm, LEAD)

    def _keep(self, ended: float, pcm: bytes, longest: float) -> None:
        self._recent.append((ended, pcm))
        while self._recent[0][0] < ended - longest:
            self._recent.popleft()

    @on(UserTurnStarted)
    def turn_started(self, signal: UserTurnStarted) -> None:
        self._turn = signal.at

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        if not self.hearing:
            self._open_now()
        elif not (self._detects or self._speaking):
            self._rest()
            self._give(UserWentOn(max(0.0, frame.at - self._ended)))
        self._speaking, self._paused = True, False
        self.push(frame)

    @on(SpeechPaused)
    def speech_paused(self, frame: SpeechPaused) -> None:
        self._paused = True
        self.push(frame)

    @on(SpeechResumed)
    def speech_resumed(self, frame: SpeechResumed) -> None:
        self._paused = False
        if not self.hearing and self._speaking:  # the turn was ended in the pause
            self._open_now()
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self._speaking, self._ended = False, frame.at
        self.push(frame)

    def _open_now(self) -> None:
        """Let the model hear the user, with the newest sound."""
        self.hearing = True
        self._give(SpeechBegan())
        for _, pcm in self._recent:
            if chunk := self._chunks.add(pcm):
                self._give(UserSound(chunk))
        self._recent.clear()

    @on(UserKey)
    def key(self, frame: UserKey) -> None:
        self._keys.append(frame.key)
        self.push(frame)

    def end_turn(self, turn: UserTurn) -> bool:
        """Let the model take the user's turn into its context, now that it is over.

        Returns whether the model was told of keys that were pressed, which it cannot hear.
        """
        self._turn, self._awaited = None, turn.ended if turn.words_late else None
        if self.hearing and not self._detects:
            self._rest()
            self._give(SpeechOver())
            self._add_span(turn.started, turn.ended)
            self.hearing = False
            if self._speaking and not self._paused:  # the turn was ended before its speech was
                self._open_now()
        keys, self._keys = " ".join(self._keys), []
        if keys:
            self._give(UserWords(f"[The user pressed {keys} on the keypad.]"))
        return bool(keys)

    @on(FalseInterruption)
    def false_interruption(self, signal: FalseInterruption) -> None:
        """Forget a sound that was not meant for the agent."""
        self._turn = None
        if self.hearing and not self._detects and not self._speaking:
            self._discard()

    def lose_turn(self) -> None:
        """Note that a turn of the user came to nothing."""
        self._turn = None

    def _discard(self) -> None:
        self.hearing = False
        self._chunks.rest()
        self._give(Discard())

    def _rest(self) -> None:
        if chunk := self._chunks.rest():
            self._give(UserSound(chunk))

    def _add_span(self, started: float, ended: float) -> None:
        self._first += len(self._spans) == SPANS
        self._spans.append((started, ended))

    def _sounded(self) -> float | None:
        """Return when the user's last sound ended; None if the audio does not show it."""
        from ..audio.levels import find_speech_end  # imports numpy, so only for a model that detects turns

        pcm = b"".join(piece for _, piece in self._recent)
        end = find_speech_end(pcm, self._rate)
        if end is None:
            return None
        sounded = self._recent[-1][0] - (len(pcm) // 2 - end) / self._rate
        return sounded if sounded > self._ended else None  # else it is of the turn before

    # What the model says of the user -----------------------------------------------------------------

    def facts(self, event: UserSpeaks | UserHeard) -> list[Frame]:
        """Return frames for what the model has heard."""
        now = self.session.elapsed()
        match event:
            case UserSpeaks(True):
                self._add_span(now, now)
                return [SpeechStarted(now)]
            case UserSpeaks(False):
                if self._spans:
                    self._spans[-1] = (self._spans[-1][0], now)
                return [SpeechStopped(now, self._sounded()), TurnHinted(1.0, now, final=True)]
            case UserHeard(turn, text, final) if self._transcripts:
                started, ended = self._span(turn, now)
                return [Transcript(text, final, started, ended)] if text or final else []
            case _:
                return []

    def _span(self, turn: int, now: float) -> tuple[float, float]:
        place = turn - self._first
        return self._spans[place] if 0 <= place < len(self._spans) else (now, now)
