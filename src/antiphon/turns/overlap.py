"""The acts of the engine while both user and agent are heard.

Together with `user_turn` these are all acts of `table.TABLE`; see there for what an act is.
"""

from ..frames import (
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnHinted,
)
from . import user_turn
from .decisions import (
    Deadline,
    ReplyBegan,
    ReplyOver,
    ResumeVoice,
    SpeculationDropped,
    StartTurn,
    VoiceAt,
)
from .floor import SAYING, Floor, State
from .interruption import Judgement, OverlapVerdict
from .user_turn import Next

COLLISION = 1.0  # seconds of the agent's voice: who interrupts earlier may have begun at the same time
AGAIN = 0.5  # seconds until speech that is still undecided is judged again


def suspect(floor: Floor, fact: SoundHeard, now: float) -> Next:
    """A sound, perhaps speech: hold the voice until that is clear."""
    if fact.gone or not floor.yields:
        floor.deadline = None
        return State.REPLYING, floor.resume()
    floor.deadline = now + floor.settings.interruption.words_within
    return State.SUSPECTING, floor.pause("a sound", now)


def unfounded(floor: Floor, fact: Deadline, now: float) -> Next:
    """Nothing came of the sound: the voice goes on."""
    floor.deadline = None
    return State.REPLYING, floor.resume()


def speaks(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> Next:
    """The user speaks over the agent: judge, or listen if it does not yield."""
    if not floor.yields:
        goes_on = floor.resume()
        then, begun = user_turn.begin(floor, fact, now)
        floor.turn.beside, floor.voiced = True, floor.voice.voiced
        return then, [*goes_on, *begun]
    _begin_turn(floor, fact.at)
    return speaks_on(floor, fact, now)


def speaks_on(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> Next:
    """There is more speech over the agent."""
    floor.turn.go_on()
    held = floor.pause("the user speaks", now)
    then, decisions = _judge(floor, now, silent=False)
    return then, held + decisions


def quiet(floor: Floor, fact: SpeechPaused | SpeechStopped, now: float) -> Next:
    """The user is quiet again: judge what that was."""
    floor.turn.stop(fact.at, now)
    return _judge(floor, now, silent=True)


def words(floor: Floor, fact: Transcript, now: float) -> Next:
    """There are words: judge again."""
    if floor.is_known(fact, spoken_since=not floor.turn.silent) or floor.is_late(fact):
        return floor.state, []
    floor.turn.hear(fact)
    return _judge(floor, now, silent=floor.state is State.JUDGING)


def hint(floor: Floor, fact: TurnHinted, now: float) -> Next:
    """The speech-to-text service says whether this is over: keep that."""
    floor.turn.hint = fact.probability
    floor.ends_because = "the vendor heard its end" if fact.final else floor.ends_because
    return floor.state, []


def due(floor: Floor, fact: Deadline, now: float) -> Next:
    """Decide with what is known."""
    return _judge(floor, now, silent=floor.state is State.JUDGING, last=True)


def unasked(floor: Floor, fact: Transcript, now: float) -> Next:
    """Words over the agent, without speech that a VAD heard.

    Judge them as speech that has just ended.
    """
    if not floor.yields:
        return user_turn.unasked(floor, fact, now)
    if floor.is_known(fact, spoken_since=False) or floor.is_late(fact) or not fact.text:
        return floor.state, []
    _begin_turn(floor, fact.started or now)
    floor.turn.silent = True
    floor.turn.ended = fact.ended or now
    floor.turn.hear(fact)
    return _judge(floor, now, silent=True)


def _begin_turn(floor: Floor, at: float) -> None:
    """Begin what may become a turn, noting how much of the reply was heard."""
    floor.begin_turn(at)
    floor.voiced = floor.voice.voiced


def _judge(floor: Floor, now: float, *, silent: bool, last: bool = False) -> Next:
    """Decide whether the user wants the floor.

    `silent`: the user is quiet again; `last`: decide now, with what is known.
    """
    turn, rules = floor.turn, floor.settings.interruption
    judgement = floor.judge(over=silent, last=last)
    barges_in = judgement.verdict is OverlapVerdict.BARGE_IN
    if turn.text and barges_in and not floor.is_addressed(turn.text, now):
        judgement = Judgement(OverlapVerdict.NOISE, "not meant for the agent")
    if judgement.verdict is OverlapVerdict.BARGE_IN:
        return _barge_in(floor, judgement.reason, now, silent=silent)
    if not silent:
        certain = turn.started + rules.certain_after
        floor.deadline = certain if certain > floor.heard + 1e-6 else floor.heard + AGAIN
        return State.OVERLAPPING, []
    settled = judgement.verdict is not OverlapVerdict.UNDECIDED
    if not (settled or last or not turn.words_due):
        floor.deadline = max(turn.ended + rules.words_within, floor.heard)
        return State.JUDGING, []
    if floor.heard < (resumes := turn.ended + rules.resume_after) - 1e-6:
        floor.deadline = resumes
        return State.JUDGING, []
    return _false(floor, judgement.verdict.value if settled else OverlapVerdict.NOISE.value)


def _barge_in(floor: Floor, reason: str, now: float, *, silent: bool) -> Next:
    """Interrupt the agent: the user has the floor, and the turn may already be over."""
    floor.deadline = floor.limit
    floor.interrupted_by_sound = not floor.turn.text
    if floor.voiced < COLLISION:
        floor.back_off = floor.settings.interruption.back_off
    started, interrupted = StartTurn(floor.turn.started), floor.interrupt(reason)
    then, decisions = user_turn.weigh(floor, None, now) if silent else (State.SPEAKING, [])
    return then, [started, interrupted, *decisions]


def _false(floor: Floor, kind: str) -> Next:
    """The user did not want the floor: the agent goes on."""
    floor.deadline = None
    floor.assume_final()
    floor.paused = False
    return State.REPLYING, [ResumeVoice(kind, floor.turn.text)]


# The agent -------------------------------------------------------------------------------------------


def begins(floor: Floor, fact: ReplyBegan, now: float) -> Next:
    """The agent begins a reply."""
    floor.replying, floor.interruptible = True, fact.interruptible
    floor.voice = VoiceAt()
    return State.REPLYING, []


def begins_too(floor: Floor, fact: ReplyBegan, now: float) -> Next:
    """Both begin at once: the user goes first if the agent can be interrupted."""
    begins(floor, fact, now)
    paused = floor.pause("the user speaks", now) if fact.interruptible else []
    if floor.state is State.SPEAKING:
        floor.deadline = floor.limit
    return floor.state, paused


def over(floor: Floor, fact: ReplyOver, now: float) -> Next:
    """The agent has finished."""
    _reply_over(floor, fact, now)
    floor.deadline = None
    return State.LISTENING, []


def over_too(floor: Floor, fact: ReplyOver, now: float) -> Next:
    """The agent has finished while the user has the floor."""
    _reply_over(floor, fact, now)
    if floor.state is State.ENDING:
        return user_turn.weigh(floor, fact, now)
    floor.deadline = floor.limit
    return State.SPEAKING, []


def alone(floor: Floor, fact: ReplyOver, now: float) -> Next:
    """The agent has finished before it was decided: the user has the floor.

    What was spoken over the agent becomes the beginning of the turn.
    """
    _reply_over(floor, fact, now)
    started = StartTurn(floor.turn.started)
    if floor.state is State.JUDGING:
        then, decisions = user_turn.weigh(floor, fact, now)
        return then, [started, *decisions]
    floor.deadline = floor.limit
    return State.SPEAKING, [started]


def _reply_over(floor: Floor, fact: ReplyOver, now: float) -> None:
    floor.replying = floor.paused = False
    if floor.awake_until:
        floor.awake_until = max(floor.awake_until, now + floor.settings.awake_for)
    floor.asked = fact.said[-SAYING:] or floor.asked


def wasted(floor: Floor, fact: SpeculationDropped, now: float) -> Next:
    """Count the characters of a speculative reply that was discarded."""
    floor.wasted += fact.characters
    return floor.state, []


def voice_at(floor: Floor, fact: VoiceAt, now: float) -> Next:
    """Note where the agent's voice stands: the next fact is judged by it."""
    floor.voice = fact
    return floor.state, []
