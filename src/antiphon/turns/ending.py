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
from .endpointing import wait
from .floor import Floor, State
from .utterance import same_words

CERTAIN = 0.15  # seconds that a sound is given to become speech, before a turn ends in spite of it


def begin(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """The user has the floor."""
    if floor.settings.starts_by == "button":
        floor.state = floor.resting
        return []
    floor.take(fact.at)
    floor.turn.words_due = True
    floor.deadline = floor.limit
    return [StartTurn(fact.at)]


def go_on(floor: Floor, fact: SpeechStarted | SpeechResumed, now: float) -> list[Decision]:
    """It was a pause: what was begun in it is of no use."""
    floor.sound = None
    floor.pauses.learn(fact.at - floor.turn.ended)
    floor.turn.go_on()
    if floor.settings.starts_by == "button":
        return []
    floor.deadline = floor.limit
    return floor.drop("the user went on")


def stop(floor: Floor, fact: SpeechPaused | SpeechStopped, now: float) -> list[Decision]:
    """The user is quiet."""
    if floor.settings.starts_by == "button" and not floor.certain:
        floor.state = State.SPEAKING
        return []
    floor.turn.ended = fact.at
    return weigh(floor, fact, now)


def press(floor: Floor, fact: TalkButton, now: float) -> list[Decision]:
    """The button takes the floor at once, and gives it back."""
    if not fact.pressed:
        floor.turn.ended = now
        floor.certain = "the button was let go"
        floor.state = State.ENDING
        return weigh(floor, fact, now)
    interrupts = floor.replying and floor.interruptible
    floor.take(now)
    floor.deadline = floor.limit
    return [StartTurn(now), *([floor.interrupt("the button was pressed")] if interrupts else [])]


def key(floor: Floor, fact: UserKey, now: float) -> list[Decision]:
    """Keys are words that are certain: they take the floor, and it ends with the last of them."""
    begun: list[Decision] = []
    if not floor.turn.keys:
        floor.take(now)
        begun.append(StartTurn(now))
        if floor.replying and floor.interruptible:
            begun.append(floor.interrupt("a key was pressed"))
    floor.turn.ended = now
    if fact.key == floor.settings.last_key:
        floor.certain = f"{fact.key} was pressed"
    else:
        floor.turn.keys += fact.key
    return begun + weigh(floor, fact, now)


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
    floor.turn.hint = fact.probability or None
    if fact.final:
        floor.certain = "the vendor heard its end"
        floor.turn.ended = fact.at if floor.state is State.SPEAKING else floor.turn.ended
        floor.state = State.ENDING
    elif not fact.probability:
        return floor.drop("the vendor heard more")
    return weigh(floor, fact, now) if floor.state is State.ENDING else []


def words(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """There are words."""
    floor.turn.hear(fact)
    if floor.state is State.ENDING:
        return weigh(floor, fact, now)
    return too_long(floor, fact, now)


def too_long(floor: Floor, fact: Transcript | Deadline, now: float) -> list[Decision]:
    """A turn that never ends is ended."""
    reason = floor.settings.limit.reached(floor.turn.started, now, floor.turn.text)
    if reason is None:
        goes_on = floor.resume() if floor.paused and now >= floor.held_until - 1e-6 else []
        floor.deadline = floor.limit
        return goes_on
    floor.certain, floor.turn.ended, floor.state = reason, now, State.ENDING
    return weigh(floor, fact, now)


def weigh(floor: Floor, fact: object, now: float) -> list[Decision]:
    """End the turn if it has been quiet for long enough and the words are there."""
    turn, rules = floor.turn, floor.settings
    patience = wait(turn.evidence(floor.asked, floor.pauses.floor), rules.endpointing)
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
    return _guess(floor, patience.likely, patience.reason)


def unasked(floor: Floor, fact: Transcript, now: float) -> list[Decision]:
    """Words without speech: from a pipeline without VAD, or late ones, which are a turn of their own."""
    taken, floor.taken = floor.taken, None
    if not fact.text or (taken is not None and same_words(taken, fact.text)):
        return []
    floor.take(fact.started or now)
    floor.turn.ended = fact.ended or now
    floor.turn.hear(fact)
    floor.state = State.ENDING
    return [StartTurn(floor.turn.started), *weigh(floor, fact, now)]


def _guess(floor: Floor, likely: float, reason: str) -> list[Decision]:
    """Begin a reply where the turn is probably over."""
    turn, rules = floor.turn, floor.settings.speculation
    text = turn.text
    if floor.guess is not None and same_words(floor.guess, text):
        return []
    wrong = floor.drop("the words changed")
    spent = floor.guesses >= rules.tries or floor.wasted >= rules.wasted_at_most
    if not text or likely < rules.eager_above or spent or floor.replying:
        return wrong
    floor.guess, floor.guesses = text, floor.guesses + 1
    return [*wrong, Speculate(text, turn.started, turn.ended, reason)]


def _end(floor: Floor, reason: str, now: float) -> list[Decision]:
    turn, floor.deadline = floor.turn, None
    text = turn.text
    floor.sound, floor.certain = None, ""
    floor.taken = text if turn.words_due else None
    floor.state = floor.resting
    if floor.wake is not None and now > floor.awake_until and not floor.wake.search(text):
        text, reason = "", "the wake phrase was not said"
    kept = floor.guess is not None and bool(text) and same_words(floor.guess, text)
    wrong = [] if kept else floor.drop("other words")
    floor.guess = None
    if text:
        floor.awake_until = now + floor.settings.awake_for
    turn.keys = ""
    goes_on: list[Decision] = []
    if not text:
        goes_on = [ResumeVoice("noise")] if floor.cut else floor.resume()
    floor.cut = False
    return [*wrong, EndTurn(text, turn.started, turn.ended, reason), *goes_on]
