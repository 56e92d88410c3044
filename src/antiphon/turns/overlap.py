"""What the engine does while both are heard: hold the voice, then decide who has the floor."""

from ..frames import (
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnHinted,
)
from . import ending
from .decisions import (
    Deadline,
    Decision,
    ReplyBegan,
    ReplyOver,
    ResumeVoice,
    SpeculationDropped,
    StartTurn,
    VoiceAt,
)
from .floor import SAYING, Floor, State
from .interruption import Judgement, OverlapVerdict

COLLISION = 1.0  # seconds of the agent's voice: a user who interrupts earlier may have begun at the same time
AGAIN = 0.5  # seconds after which speech that is still undecided is judged again


def suspect(floor: Floor, fact: SoundHeard, now: float) -> list[Decision]:
    """A sound, too short to be called speech."""
    if fact.gone or not floor.yields:
        floor.state, floor.deadline = State.REPLYING, None
        return floor.resume()
    floor.deadline = now + floor.settings.interruption.words_within
    return floor.pause("a sound", now)


def unfounded(floor: Floor, fact: Deadline, now: float) -> list[Decision]:
    """Nothing came of the sound."""
    floor.deadline = None
    return floor.resume()


def speaks(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """The user speaks over the agent."""
    if not floor.yields:
        floor.state = State.SPEAKING
        begun = [*floor.resume(), *ending.begin(floor, fact, now)]
        floor.turn.beside, floor.voiced = True, floor.voice.voiced
        return begun
    _take(floor, fact.at)
    return speaks_on(floor, fact, now)


def speaks_on(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """There is more speech over the agent."""
    floor.turn.go_on()
    return floor.pause("the user speaks", now) + _judge(floor, now)


def quiet(floor: Floor, fact: SpeechPaused | SpeechStopped, now: float) -> list[Decision]:
    """The user is quiet again."""
    floor.turn.ended = fact.at
    return _judge(floor, now)


def words(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """There are words."""
    if floor.knows(fact, spoken_since=not floor.turn.silent):
        return []
    floor.turn.hear(fact)
    return _judge(floor, now)


def hint(floor: Floor, fact: TurnHinted, now: float) -> list[Decision]:
    """The vendor has its own opinion on the end of what may not even be a turn."""
    floor.turn.hint = fact.probability
    floor.certain = "the vendor heard its end" if fact.final else floor.certain
    return []


def due(floor: Floor, fact: Deadline, now: float) -> list[Decision]:
    """It has to be decided with what is known."""
    return _judge(floor, now, last=True)


def unasked(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """Words over the agent, without speech that a VAD heard."""
    if not floor.yields:
        return ending.unasked(floor, fact, now)
    if floor.knows(fact, spoken_since=False) or not fact.text:
        return []
    _take(floor, fact.started or now)
    floor.turn.silent = True
    floor.turn.ended = fact.ended or now
    floor.turn.hear(fact)
    floor.state = State.JUDGING
    return _judge(floor, now)


def alone(floor: Floor, fact: ReplyOver, now: float) -> list[Decision]:
    """The agent has finished meanwhile: the user has the floor."""
    return [StartTurn(floor.turn.started), *over(floor, fact, now)]


def _take(floor: Floor, at: float) -> None:
    """Listen to what began then, and know how much of the voice had been heard by then."""
    floor.take(at)
    floor.voiced = floor.voice.voiced


def _judge(floor: Floor, now: float, *, last: bool = False) -> list[Decision]:
    """Decide whether the user wants the floor; with `last`, now."""
    turn, rules = floor.turn, floor.settings.interruption
    silent = floor.state is State.JUDGING
    judgement = floor.judge(now, over=silent, last=last)
    if turn.text and judgement.verdict is OverlapVerdict.BARGE_IN and not floor.heeds(turn.text, now):
        judgement = Judgement(OverlapVerdict.NOISE, "not meant for the agent")
    if judgement.verdict is OverlapVerdict.BARGE_IN:
        return _barge_in(floor, judgement.reason, now)
    settled = judgement.verdict is not OverlapVerdict.UNDECIDED
    if silent and (settled or last or not turn.words_due):
        if now < (resumes := turn.ended + rules.resume_after) - 1e-6:
            floor.deadline = resumes
            return []
        return _false(floor, judgement.verdict.value if settled else OverlapVerdict.NOISE.value)
    if silent:
        floor.deadline = max(turn.ended + rules.words_within, now)
    else:
        certain = turn.started + rules.certain_after
        floor.deadline = certain if certain > now + 1e-6 else now + AGAIN
    return []


def _barge_in(floor: Floor, reason: str, now: float) -> list[Decision]:
    silent = floor.state is State.JUDGING
    floor.state = State.ENDING if silent else State.SPEAKING
    floor.deadline = floor.limit
    floor.cut = not floor.turn.text
    if floor.voiced < COLLISION:
        floor.back_off = floor.settings.interruption.back_off
    start: list[Decision] = [StartTurn(floor.turn.started), floor.interrupt(reason)]
    return start + (ending.weigh(floor, None, now) if silent else [])


def _false(floor: Floor, kind: str) -> list[Decision]:
    """Whatever the user said, it was not for the floor: the agent goes on."""
    floor.state, floor.deadline = State.REPLYING, None
    floor.settle()
    floor.paused = False
    return [ResumeVoice(kind, floor.turn.text)]


# The agent -------------------------------------------------------------------------------------------


def begins(floor: Floor, fact: ReplyBegan, now: float) -> list[Decision]:
    """The agent has the floor."""
    floor.replying, floor.interruptible = True, fact.interruptible
    floor.voice = VoiceAt()
    return []


def begins_too(floor: Floor, fact: ReplyBegan, now: float) -> list[Decision]:
    """Agent and user begin at once: the user goes first, unless the agent must be heard."""
    begins(floor, fact, now)
    paused = floor.pause("the user speaks", now) if fact.interruptible else []
    if floor.state is State.SPEAKING:
        floor.deadline = floor.limit
    return paused


def over(floor: Floor, fact: ReplyOver, now: float) -> list[Decision]:
    """The agent has finished."""
    floor.replying = floor.paused = False
    if floor.awake_until:
        floor.awake_until = max(floor.awake_until, now + floor.settings.awake_for)
    floor.asked = fact.said[-SAYING:] or floor.asked
    if floor.state is State.ENDING:
        return ending.weigh(floor, fact, now)
    floor.deadline = floor.limit if floor.state is State.SPEAKING else None
    return []


def wasted(floor: Floor, fact: SpeculationDropped, now: float) -> list[Decision]:
    """What was written in vain."""
    floor.wasted += fact.characters
    return []


def voice_at(floor: Floor, fact: VoiceAt, now: float) -> list[Decision]:
    """Keep it: what follows is judged by it."""
    floor.voice = fact
    return []
