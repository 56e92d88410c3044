"""What a sound of the user over the agent's voice is: a barge-in, a backchannel, a noise, or an echo.

The voice has been held at the first sound. Words decide, by the tables of `phrases.py`; where there are none,
durations do. No clock: all that is judged stands in the `Overlap`.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from math import inf
from typing import Literal, Protocol

from ..errors import ConfigurationError
from .phrases import ASKS_AGAIN, PHRASES, lexicon, words_of

__all__ = [
    "InterruptionClassifier",
    "InterruptionRules",
    "InterruptionSettings",
    "Judgement",
    "Overlap",
    "OverlapVerdict",
]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What is known of a sound of the user over the agent's voice. Durations in seconds."""

    seconds: float
    """Of speech so far, as the VAD sees it."""
    words: str = ""
    """Its newest transcript, interim or final."""
    final: bool = False
    """Whether that transcript will not change."""
    over: bool = False
    """The user is quiet again."""
    voiced: float = 0.0
    """For how long the agent's voice had been heard when it began; 0 if it had not."""
    left: float | None = None
    """Of the reply that are still to be heard; None if not known."""
    saying: str = ""
    """What the agent has said lately, as heard."""
    says_next: str = ""
    """What it is about to say."""
    quiet: float = 0.0
    """Where `over`: for how long; infinite where nothing more is to be waited for."""


class OverlapVerdict(Enum):
    """What the sound is."""

    BARGE_IN = "barge-in"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    ECHO = "echo"
    UNDECIDED = "undecided"
    """Ask again when there is more."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and why."""

    verdict: OverlapVerdict
    reason: str


class InterruptionClassifier(Protocol):
    """Tells whether the user wants the floor."""

    def judge(self, overlap: Overlap) -> Judgement:
        """Asked at the first sound, and at everything that is learnt of it since. Answers at once."""
        ...


@dataclass(frozen=True, slots=True)
class InterruptionSettings:
    """How the agent yields. Durations in seconds."""

    first: Literal["pause", "duck", "play on"] = "pause"
    """What the voice does at the first sound, before it is known what it is."""
    duck_to: float = 0.2
    """Loudness of the ducked voice, 0 to 1."""
    min_words: int = 1
    """Fewer words than this, fillers not counted, are no barge-in; commands ("stop", "no") always are."""
    certain_after: float = 1.5
    """Speech that is this much longer than its words explain is a barge-in, whatever they are."""
    words_within: float = 0.6
    """A sound without words was noise after this much quiet."""
    echo_for: float = 0.4
    """After the voice begins: words like the agent's are its echo, and sounds without words are ignored."""
    near_end: float = 0.4
    """With less than this left the agent finishes, and the user's words begin the next turn."""
    answer_within: float = 1.0
    """With less than this left of a question, a "yeah" is its answer, not a backchannel."""
    finish_word: bool = False
    """The voice stops at the end of a word, not at once."""
    back_off: float = 0.0
    """Quiet of the user that is waited for after a barge-in before the agent begins again."""
    resume_after: float = 0.0
    """Quiet of the user that is waited for before the voice goes on where it was held."""
    languages: tuple[str, ...] = ()
    """Whose phrases count, such as ("en", "de"); all where empty."""
    backchannels: tuple[str, ...] = ()
    """Phrases that are backchannels too."""
    commands: tuple[str, ...] = ()
    """Phrases that are barge-ins too, at once and whatever `min_words` says."""

    def __post_init__(self) -> None:
        if self.first not in ("pause", "duck", "play on"):
            raise ConfigurationError(
                f'interruption: first is "pause", "duck" or "play on", not {self.first!r}'
            )
        if not 0 <= self.duck_to <= 1:
            raise ConfigurationError("interruption: duck_to is a loudness, from 0 to 1")
        if self.min_words < 0:
            raise ConfigurationError("interruption: min_words is 0 or more")
        for name in _DURATIONS:
            if not 0 <= getattr(self, name) < inf:
                raise ConfigurationError(f"interruption: {name} is a number of seconds, 0 or more")
        if unknown := set(self.languages) - set(PHRASES):
            known = ", ".join(PHRASES)
            raise ConfigurationError(
                f"interruption: no phrases for {', '.join(sorted(unknown))}; known: {known}"
            )


_DURATIONS = (
    "certain_after", "words_within", "echo_for", "near_end", "answer_within", "back_off", "resume_after"
)  # fmt: skip

_A_WORD = 0.4  # seconds that a word takes
_ENOUGH = 40  # words of the user that tell what it is
_HEARD, _AHEAD = 40, 10  # words of the agent, said and to come, among which an echo is looked for
_ALIKE_EARLY, _ALIKE_LATE = 0.6, 0.85  # how like them an echo is, as `SequenceMatcher.ratio`
_ECHO_WORDS = 4  # that an echo has, once the voice is well under way: a user may repeat a few


class InterruptionRules:
    """The default classifier: the words if there are any, durations if not."""

    def __init__(self, settings: InterruptionSettings | None = None) -> None:
        self.settings = rules = settings or InterruptionSettings()
        self._lexicon = lexicon(tuple(rules.languages), tuple(rules.backchannels), tuple(rules.commands))

    def judge(self, overlap: Overlap) -> Judgement:
        words = words_of(overlap.words)[:_ENOUGH]
        verdict, reason = self._by_words(overlap, words) if words else self._by_sound(overlap)
        return Judgement(verdict, reason)

    def _by_sound(self, overlap: Overlap) -> tuple[OverlapVerdict, str]:
        rules = self.settings
        if overlap.over and overlap.final:
            return OverlapVerdict.NOISE, "there are no words in it"
        if overlap.seconds >= rules.certain_after:
            return OverlapVerdict.BARGE_IN, f"speech for {overlap.seconds:.1f} s"
        if overlap.over and overlap.quiet >= rules.words_within:
            return OverlapVerdict.NOISE, "no words came"
        if not overlap.over and 0 < overlap.voiced < rules.echo_for:
            return OverlapVerdict.ECHO, "the voice has just begun"
        return OverlapVerdict.UNDECIDED, "no words yet"

    def _by_words(self, overlap: Overlap, words: tuple[str, ...]) -> tuple[OverlapVerdict, str]:
        rules = self.settings
        agent = words_of(overlap.saying)[-_HEARD:] + words_of(overlap.says_next)[:_AHEAD]
        if self._echoes(overlap, words, agent):
            return OverlapVerdict.ECHO, "these are the agent's own words"
        growing = not (overlap.over or overlap.final)
        kinds = self._lexicon.kinds(words, growing)
        count = len(kinds) - kinds.count("filler")
        repeats = growing and f" {' '.join(words)} " in f" {' '.join(agent)} "  # may become an echo
        if "command" in kinds and not (repeats and len(words) > 1):
            return OverlapVerdict.BARGE_IN, f'"{words[kinds.index("command")]}"'
        if words in ASKS_AGAIN and overlap.words.rstrip().endswith("?"):
            return OverlapVerdict.BARGE_IN, "did not understand"
        if "content" in kinds and count >= rules.min_words and not repeats:
            return OverlapVerdict.BARGE_IN, f"{count} word{'s' * (count > 1)}"
        if "backchannel" in kinds and self._answers(overlap):
            return OverlapVerdict.BARGE_IN, "answers the question"
        if not overlap.over and overlap.seconds >= rules.certain_after + _A_WORD * len(words):
            return OverlapVerdict.BARGE_IN, f"speech for {overlap.seconds:.1f} s"
        hesitates = set(kinds) == {"filler"} and overlap.quiet < rules.words_within
        if growing or hesitates or (not overlap.over and "filler" in kinds):
            return OverlapVerdict.UNDECIDED, "more may come"
        if set(kinds) == {"noise"}:
            return OverlapVerdict.NOISE, "what recognisers write for noise"
        few = f"fewer than {rules.min_words} words"
        return OverlapVerdict.BACKCHANNEL, few if "content" in kinds else "only listens"

    def _answers(self, overlap: Overlap) -> bool:
        if overlap.left is None or overlap.left >= self.settings.answer_within:
            return False
        return f"{overlap.saying} {overlap.says_next}".rstrip(" \"'”»)").endswith(("?", "？"))

    def _echoes(self, overlap: Overlap, words: tuple[str, ...], agent: tuple[str, ...]) -> bool:
        early = 0 < overlap.voiced < self.settings.echo_for
        common = len(set(words) & set(agent))
        if 3 * common < len(set(words)) or not (early or len(words) >= _ECHO_WORDS):
            return False
        length = len(words)
        windows = [" ".join(agent[at : at + length]) for at in range(max(1, len(agent) - length + 1))]
        return bool(get_close_matches(" ".join(words), windows, 1, _ALIKE_EARLY if early else _ALIKE_LATE))
