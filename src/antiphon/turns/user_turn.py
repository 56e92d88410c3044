"""The acts of the engine about the user's turn, from beginning to end.

An act is a function of the floor, a fact and the time. It changes what is known on the floor, and returns
the state that follows with the decisions. `table.TABLE` says which act answers which fact. The first line of
an act's docstring stands in docs/concepts/turns.md, as what is done.
"""

from ..frames import (
    ScoreAsked,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    UserKey,
    UtteranceLost,
)
from .decisions import Deadline, Decision, EndTurn, ResumeVoice, Speculate, StartTurn
from .endpointing import Wait, wait
from .floor import Floor, State
from .interruption import OverlapVerdict
from .utterance import same_words

HELD_BY_USER = (State.SPEAKING, State.ENDING)
CURRENT = 0.5  # seconds that final words may lag behind speech that goes on
SCORED_WITHIN = 1.9  # seconds that a turn waits for its score: one that hangs must not stall the call
SHORTEST = 0.2  # seconds of speech that a turn without words must have, unless the vendor heard one
VENDOR_HEARD_IT = "the vendor heard its end"
CERTAIN = 0.15  # seconds that a sound is given to become speech before the turn ends in spite of it

WANTS_THE_FLOOR = (OverlapVerdict.BARGE_IN, OverlapVerdict.UNDECIDED)

Next = tuple[State, list[Decision]]
"""What an act returns: the state that follows, and what must be done."""


def begin(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> Next:
    """The user takes the floor, unless only the button can."""
    if floor.settings.starts_by == "button":
        return floor.resting, []
    floor.begin_turn(fact.at)
    floor.turn.words_due = True
    floor.deadline = floor.limit
    return State.SPEAKING, [StartTurn(fact.at)]


def more(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> Next:
    """The user, who has the floor already, speaks."""
    floor.turn.go_on()
    return State.SPEAKING, []


def go_on(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> Next:
    """The quiet was only a pause: drop the reply that was begun in it."""
    floor.sound = None
    floor.pauses.learn(fact.at - floor.turn.ended)
    floor.turn.go_on()
    if floor.settings.starts_by == "button":
        return State.SPEAKING, []
    floor.ends_because = ""
    floor.deadline = floor.limit
    return State.SPEAKING, floor.drop_guess("the user went on")


def stop(floor: Floor, fact: SpeechPaused | SpeechStopped, now: float) -> Next:
    """The user is quiet: the turn may be over, unless only the button ends it."""
    if floor.settings.starts_by == "button" and not floor.ends_because:
        return State.SPEAKING, []
    floor.turn.stop(fact.at, now)
    return weigh(floor, fact, now)


def button(floor: Floor, fact: TalkButton, now: float) -> Next:
    """The button takes the floor when pressed, and ends the turn when let go."""
    if fact.pressed:
        begun = _seize(floor, "the button was pressed", now)
        floor.deadline = floor.limit
        floor.ends_because, floor.turn.words_due, floor.turn.pressed = "", True, True
        return State.SPEAKING, [*floor.drop_guess("the button was pressed"), *begun]
    if floor.state not in HELD_BY_USER:
        return floor.state, []  # the turn has ended meanwhile
    floor.turn.ended, floor.ends_because = now, "the button was let go"
    return weigh(floor, fact, now)


def key(floor: Floor, fact: UserKey, now: float) -> Next:
    """A key takes the floor like a certain word; the last key ends the turn.

    Certain means that it interrupts the agent without being judged.
    """
    if fact.key == floor.settings.last_key and floor.state not in HELD_BY_USER:
        return floor.state, []  # it ends nothing
    begun = _seize(floor, "a key was pressed", now)
    floor.turn.ended = now
    if fact.key == floor.settings.last_key:
        floor.ends_because = f"{fact.key} was pressed"
    else:
        floor.turn.keys += fact.key
    then, more = weigh(floor, fact, now)
    return then, begun + more


def _seize(floor: Floor, reason: str, now: float) -> list[Decision]:
    """Give the user the floor, if it is not theirs already.

    Words spoken over the agent become the beginning of the turn.
    """
    if floor.state in HELD_BY_USER:
        return []
    if floor.state not in (State.OVERLAPPING, State.JUDGING):
        floor.begin_turn(now)
    interrupts = floor.replying and floor.interruptible
    return [StartTurn(floor.turn.started), *([floor.interrupt(reason)] if interrupts else [])]


def sound(floor: Floor, fact: SoundHeard, now: float) -> Next:
    """A sound: the user may be going on."""
    floor.sound = None if fact.gone else fact.at
    return weigh(floor, fact, now)


def asked(floor: Floor, fact: ScoreAsked, now: float) -> Next:
    """The end-of-turn model judges the pause: wait for its score."""
    floor.turn.score_asked = None if fact.failed else now
    return weigh(floor, fact, now) if floor.state is State.ENDING and fact.failed else (floor.state, [])


def score(floor: Floor, fact: TurnScored, now: float) -> Next:
    """The end-of-turn model has scored the pause."""
    floor.turn.score, floor.turn.score_asked = fact.probability, None
    return weigh(floor, fact, now) if floor.state is State.ENDING else (floor.state, [])


def hint(floor: Floor, fact: TurnHinted, now: float) -> Next:
    """The speech-to-text service says whether the turn is over."""
    floor.turn.hint = fact.probability
    dropped = [] if fact.probability else floor.drop_guess("the vendor heard more")
    if fact.final:
        floor.ends_because = VENDOR_HEARD_IT
        floor.turn.ended = fact.at if floor.state is State.SPEAKING else floor.turn.ended
    if fact.final or floor.state is State.ENDING:
        then, decisions = weigh(floor, fact, now)
        return then, [*dropped, *decisions]
    return State.SPEAKING, [*dropped, *_guess(floor, _patience(floor), now)]


def words(floor: Floor, fact: Transcript, now: float) -> Next:
    """There are words.

    Add them to the turn, and end that if it is quiet, complete or too long.
    """
    turn, before = floor.turn, floor.turn.text
    if floor.is_known(fact, spoken_since=not turn.silent) or floor.is_late(fact):
        return floor.state, []
    turn.hear(fact)
    turn.words_asked = now  # a late service answers one utterance after another
    if turn.silent and not same_words(before, turn.text):
        turn.ended = now
    if floor.state is State.ENDING:
        return weigh(floor, fact, now)
    if fact.final and fact.text and fact.ended > now - CURRENT and turn.grows and not turn.pressed:
        turn.settled = now
    return check_limits(floor, fact, now)


def lost(floor: Floor, fact: UtteranceLost, now: float) -> Next:
    """The service failed to hear some speech: go on with the words that are known."""
    floor.turn.lose(fact.ended)
    return weigh(floor, fact, now) if floor.state is State.ENDING else (State.SPEAKING, [])


def check_limits(floor: Floor, fact: Transcript | Deadline, now: float) -> Next:
    """End a turn that is too long, or in which no more words come."""
    turn, rules = floor.turn, floor.settings
    reason = rules.limit.reached(turn.started, floor.heard, turn.text)
    if turn.settled is not None and floor.heard >= turn.settled + rules.endpointing.ceiling - 1e-6:
        floor.ends_because = "no more words came"
        turn.ended, turn.words_due = turn.settled, False
        return weigh(floor, fact, now)
    if reason is None:
        goes_on = floor.resume() if floor.paused and floor.heard >= floor.held_until - 1e-6 else []
        floor.deadline = floor.limit
        return State.SPEAKING, goes_on
    limit = rules.limit.deadline(turn.started)
    turn.ended = turn.words_asked = now if limit is None else min(now, limit)
    floor.ends_because = reason
    return weigh(floor, fact, now)


def weigh(floor: Floor, fact: object, now: float) -> Next:
    """End the turn if it was quiet for long enough and its words are there."""
    turn, rules = floor.turn, floor.settings
    patience = _patience(floor)
    seconds, reason = patience.seconds + floor.back_off, patience.reason
    if floor.ends_because:
        seconds, reason = 0.0, floor.ends_because
    elif turn.keys:
        seconds, reason = rules.keys_within, "no more keys"
    due = turn.ended + seconds
    if turn.score_asked is not None and not (floor.ends_because or turn.keys):
        due = max(due, turn.score_asked + SCORED_WITHIN)
    if (turn.words_due or not turn.fresh) and not rules.wordless:
        whole = bool(turn.text) and turn.fresh
        asked = max(turn.ended, turn.words_asked)
        due = max(due, turn.ended + rules.final_within if whole else asked + rules.words_within)
        reason += ", taken from interim words" if whole else ", words missing"
    if floor.sound is not None:
        due = max(due, floor.sound + CERTAIN)
    if floor.heard >= due - 1e-6:
        return _end(floor, reason, now)
    floor.deadline = due
    return State.ENDING, _guess(floor, patience, now)


def _patience(floor: Floor) -> Wait:
    return wait(floor.turn.evidence(floor.asked, floor.pauses.floor), floor.settings.endpointing)


def unasked(floor: Floor, fact: Transcript, now: float) -> Next:
    """Words without speech, or too late for their turn, are a new turn.

    Words that only repeat those of the previous turn are ignored.
    """
    missed = floor.settings.starts_by == "speech" or floor.assumed_final is not None
    if floor.is_known(fact, spoken_since=False) or floor.is_late(fact) or not (fact.text and missed):
        return floor.state, []
    floor.begin_turn(fact.started or now)
    floor.turn.hear(fact)
    started = StartTurn(floor.turn.started)
    if floor.speaking:  # in speech whose turn was ended before it was over
        floor.deadline, floor.turn.words_due = floor.limit, True
        return State.SPEAKING, [started]
    floor.turn.silent = True
    floor.turn.ended = fact.ended or now
    then, decisions = weigh(floor, fact, now)
    return then, [started, *decisions]


def _guess(floor: Floor, patience: Wait, now: float) -> list[Decision]:
    """Begin a speculative reply if the turn is probably over.

    One that was begun for other words is dropped.
    """
    turn, rules = floor.turn, floor.settings.speculation
    text = turn.text
    if floor.guess is not None and same_words(floor.guess, text):
        return []
    wrong = floor.drop_guess("the words changed")
    spent = floor.guesses >= rules.tries or floor.wasted >= rules.wasted_at_most
    unfit = (
        floor.settings.wordless
        or not text
        or not turn.fresh
        or bool(turn.keys)
        or not floor.is_addressed(text, now)
    )
    if unfit or patience.likely < rules.eager_above or spent or floor.replying:
        return wrong
    floor.guess, floor.guesses = text, floor.guesses + 1
    return [*wrong, Speculate(text, turn.started, turn.ended, patience.reason)]


def _end(floor: Floor, reason: str, now: float) -> Next:
    turn, floor.deadline = floor.turn, None
    text = turn.text
    sure = text or reason == VENDOR_HEARD_IT or turn.ended >= turn.started + SHORTEST
    late = floor.settings.wordless and turn.words_due and bool(sure)
    floor.sound, floor.ends_because = None, ""
    floor.assume_final()
    if not floor.is_addressed(text, now):
        text, late, reason = "", False, "the wake phrase was not said"
    elif (
        turn.beside
        and floor.replying
        and (text or late)
        and (judged := floor.judge(over=True)).verdict not in WANTS_THE_FLOOR
    ):
        text, late, reason = "", False, f"{reason}; {judged.reason}"
    kept = floor.guess is not None and bool(text) and same_words(floor.guess, text)
    wrong = [] if kept else floor.drop_guess("other words")
    floor.guess = None
    if text or late:
        floor.awake_until = now + floor.settings.awake_for
    lost, turn.keys = turn.lost and not turn.text, ""
    goes_on = [] if text or late else floor.resume()
    if floor.interrupted_by_sound and not (text or late):
        goes_on = [ResumeVoice("noise")]
    floor.interrupted_by_sound = False
    floor.deadline = floor.held_until if floor.paused else None  # the reply to the turn clears this
    ended = EndTurn(text, turn.started, turn.ended, reason, lost, late)
    return floor.resting, [*wrong, ended, *goes_on]
