"""What the engine does about the user's turn: from the first sound of it to its end."""

from ..frames import (
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
)
from .decisions import Deadline, Decision, EndTurn, ResumeVoice, Speculate, StartTurn
from .endpointing import Wait, wait
from .floor import Floor, State
from .interruption import OverlapVerdict
from .utterance import same_words

HELD_BY_USER = (State.SPEAKING, State.ENDING)
CURRENT = 0.5  # seconds that final words may be behind the speech that goes on
CERTAIN = 0.15  # seconds that a sound is given to become speech, before a turn ends in spite of it

WANTS_THE_FLOOR = (OverlapVerdict.BARGE_IN, OverlapVerdict.UNDECIDED)


def begin(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """The user has the floor."""
    if floor.settings.starts_by == "button":
        floor.state = floor.resting
        return []
    floor.take(fact.at)
    floor.turn.words_due = True
    floor.deadline = floor.limit
    return [StartTurn(fact.at)]


def more(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """The user had the floor before there was speech."""
    floor.turn.go_on()
    return []


def go_on(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """It was a pause: what was begun in it is of no use."""
    floor.sound = None
    floor.pauses.learn(fact.at - floor.turn.ended)
    floor.turn.go_on()
    if floor.settings.starts_by == "button":
        return []
    floor.certain = ""
    floor.deadline = floor.limit
    return floor.drop("the user went on")


def stop(floor: Floor, fact: SpeechPaused | SpeechStopped, now: float) -> list[Decision]:
    """The user is quiet."""
    if floor.settings.starts_by == "button" and not floor.certain:
        floor.state = State.SPEAKING
        return []
    floor.turn.ended = fact.at
    return weigh(floor, fact, now)


def button(floor: Floor, fact: TalkButton, now: float) -> list[Decision]:
    """The button takes the floor at once, and gives it back."""
    if fact.pressed:
        begun = _seize(floor, "the button was pressed", now)
        floor.state, floor.deadline = State.SPEAKING, floor.limit
        floor.certain, floor.turn.words_due, floor.turn.pressed = "", True, True
        return [*floor.drop("the button was pressed"), *begun]
    if floor.state not in HELD_BY_USER:
        return []  # the turn was ended meanwhile
    floor.turn.ended, floor.certain, floor.state = now, "the button was let go", State.ENDING
    return weigh(floor, fact, now)


def key(floor: Floor, fact: UserKey, now: float) -> list[Decision]:
    """Keys are words that are certain: they take the floor, and it ends with the last of them."""
    if fact.key == floor.settings.last_key and floor.state not in HELD_BY_USER:
        return []  # the end of nothing
    begun = _seize(floor, "a key was pressed", now)
    floor.turn.ended, floor.state = now, State.ENDING
    if fact.key == floor.settings.last_key:
        floor.certain = f"{fact.key} was pressed"
    else:
        floor.turn.keys += fact.key
    return begun + weigh(floor, fact, now)


def _seize(floor: Floor, reason: str, now: float) -> list[Decision]:
    """The user takes the floor with certainty, or goes on with it; words over the agent are its beginning."""
    if floor.state in HELD_BY_USER:
        return []
    if floor.state not in (State.OVERLAPPING, State.JUDGING):
        floor.take(now)
    interrupts = floor.replying and floor.interruptible
    return [StartTurn(floor.turn.started), *([floor.interrupt(reason)] if interrupts else [])]


def sound(floor: Floor, fact: SoundHeard, now: float) -> list[Decision]:
    """The user may be going on."""
    floor.sound = None if fact.gone else fact.at
    return weigh(floor, fact, now)


def score(floor: Floor, fact: TurnScored, now: float) -> list[Decision]:
    """The end-of-turn model has listened."""
    floor.turn.score = fact.probability
    return weigh(floor, fact, now) if floor.state is State.ENDING else []


def hint(floor: Floor, fact: TurnHinted, now: float) -> list[Decision]:
    """The vendor has its own opinion."""
    floor.turn.hint = fact.probability
    if fact.final:
        floor.certain = "the vendor heard its end"
        floor.turn.ended = fact.at if floor.state is State.SPEAKING else floor.turn.ended
        floor.state = State.ENDING
    dropped = [] if fact.probability else floor.drop("the vendor heard more")
    if floor.state is State.ENDING:
        return [*dropped, *weigh(floor, fact, now)]
    return [*dropped, *_guess(floor, _patience(floor), now)]


def words(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """There are words."""
    turn, before = floor.turn, floor.turn.text
    if floor.knows(fact, spoken_since=not turn.silent):
        return []
    turn.hear(fact)
    if turn.silent and not same_words(before, turn.text):
        turn.ended = now
    if floor.state is State.ENDING:
        return weigh(floor, fact, now)
    if fact.final and fact.text and fact.ended > now - CURRENT and turn.grows and not turn.pressed:
        turn.settled = now
    return too_long(floor, fact, now)


def too_long(floor: Floor, fact: Transcript | Deadline, now: float) -> list[Decision]:
    """A turn that never ends is ended."""
    turn, rules = floor.turn, floor.settings
    reason = rules.limit.reached(turn.started, now, turn.text)
    if turn.settled is not None and now >= turn.settled + rules.endpointing.ceiling - 1e-6:
        floor.certain, floor.state = "no more words came", State.ENDING
        turn.ended, turn.words_due = turn.settled, False
        return weigh(floor, fact, now)
    if reason is None:
        goes_on = floor.resume() if floor.paused and now >= floor.held_until - 1e-6 else []
        floor.deadline = floor.limit
        return goes_on
    limit = rules.limit.deadline(turn.started)
    turn.ended = now if limit is None else min(now, limit)  # its words are waited for from then
    floor.certain, floor.state = reason, State.ENDING
    return weigh(floor, fact, now)


def weigh(floor: Floor, fact: object, now: float) -> list[Decision]:
    """End the turn if it has been quiet for long enough and the words are there."""
    turn, rules = floor.turn, floor.settings
    patience = _patience(floor)
    seconds, reason = patience.seconds + floor.back_off, patience.reason
    if floor.certain:
        seconds, reason = 0.0, floor.certain
    elif turn.keys:
        seconds, reason = rules.keys_within, "no more keys"
    due = turn.ended + seconds
    if turn.words_due:
        due = max(due, turn.ended + (rules.final_within if turn.text else rules.words_within))
        reason += ", taken from interim words" if turn.text else ", words missing"
    if floor.sound is not None:
        due = max(due, floor.sound + CERTAIN)
    if now >= due - 1e-6:
        return _end(floor, reason, now)
    floor.deadline = due
    return _guess(floor, patience, now)


def _patience(floor: Floor) -> Wait:
    return wait(floor.turn.evidence(floor.asked, floor.pauses.floor), floor.settings.endpointing)


def unasked(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """Words without speech: from a pipeline without VAD, or late ones, which are a turn of their own."""
    missed = floor.settings.starts_by == "speech" or floor.taken is not None
    if floor.knows(fact, spoken_since=False) or not (fact.text and missed):
        return []
    floor.take(fact.started or now)
    floor.turn.hear(fact)
    if floor.speaking:  # in speech that has been answered already, as if it had been over
        floor.state, floor.deadline, floor.turn.words_due = State.SPEAKING, floor.limit, True
        return [StartTurn(floor.turn.started)]
    floor.turn.silent = True
    floor.turn.ended = fact.ended or now
    floor.state = State.ENDING
    return [StartTurn(floor.turn.started), *weigh(floor, fact, now)]


def _guess(floor: Floor, patience: Wait, now: float) -> list[Decision]:
    """Begin a reply where the turn is probably over."""
    turn, rules = floor.turn, floor.settings.speculation
    text = turn.text
    if floor.guess is not None and same_words(floor.guess, text):
        return []
    wrong = floor.drop("the words changed")
    spent = floor.guesses >= rules.tries or floor.wasted >= rules.wasted_at_most
    unfit = not text or not turn.fresh or bool(turn.keys) or not floor.heeds(text, now)
    if unfit or patience.likely < rules.eager_above or spent or floor.replying:
        return wrong
    floor.guess, floor.guesses = text, floor.guesses + 1
    return [*wrong, Speculate(text, turn.started, turn.ended, patience.reason)]


def _end(floor: Floor, reason: str, now: float) -> list[Decision]:
    turn, floor.deadline = floor.turn, None
    text = turn.text
    floor.sound, floor.certain = None, ""
    floor.settle()
    floor.state = floor.resting
    if not floor.heeds(text, now):
        text, reason = "", "the wake phrase was not said"
    elif (
        turn.beside
        and floor.replying
        and text
        and (judged := floor.judge(now, over=True)).verdict not in WANTS_THE_FLOOR
    ):
        text, reason = "", f"{reason}; {judged.reason}"
    kept = floor.guess is not None and bool(text) and same_words(floor.guess, text)
    wrong = [] if kept else floor.drop("other words")
    floor.guess = None
    if text:
        floor.awake_until = now + floor.settings.awake_for
    turn.keys = ""
    goes_on = [] if text else floor.resume()
    if floor.cut and not text:
        goes_on = [ResumeVoice("noise")]
    floor.cut = False
    floor.deadline = floor.held_until if floor.paused else None  # whoever takes the turn ends this
    return [*wrong, EndTurn(text, turn.started, turn.ended, reason), *goes_on]
