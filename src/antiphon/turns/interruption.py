"""What is a sound over the agent's voice? Barge-in, backchannel, noise, echo.

The voice is held from the first sound on. Words decide, by the lists in `phrases`; without words, durations
do. There is no clock here: everything that is judged is in the `Overlap`.
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
    """What is known about a sound of the user over the agent's voice.

    Durations in seconds.
    """

    seconds: float
    """The length of the speech so far, by the VAD."""
    words: str = ""
    """Its newest transcript, interim or final."""
    final: bool = False
    """True if that transcript will not change."""
    over: bool = False
    """True if the user is quiet again."""
    voiced: float = 0.0
    """How much of the reply had been heard when the sound began; 0 if none of it."""
    left: float | None = None
    """How much of the reply is still to be heard; None if unknown."""
    saying: str = ""
    """The last words of the agent that were heard."""
    says_next: str = ""
    """The words that the agent is about to say."""
    quiet: float = 0.0
    """If `over`: how long the user has been quiet; infinite if no more evidence will come."""


class OverlapVerdict(Enum):
    """What a sound over the agent's voice is."""

    BARGE_IN = "barge-in"
    BACKCHANNEL = "backchannel"
    NOISE = "noise"
    ECHO = "echo"
    UNDECIDED = "undecided"
    """Judge again once more is known."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, and why."""

    verdict: OverlapVerdict
    reason: str


class InterruptionClassifier(Protocol):
    """A classifier of whether the user wants the floor."""

    def judge(self, overlap: Overlap) -> Judgement:
        """Judge an overlap.

        Called at its first sound and whenever more is known; it must not block.
        """
        ...


@dataclass(frozen=True, slots=True)
class InterruptionSettings:
    """When and how the agent yields to the user. Durations in seconds."""

    first: Literal["pause", "duck", "play on"] = "pause"
    """What the voice does at the first sound, before it is known what the sound is."""
    duck_to: float = 0.2
    """The loudness of the ducked voice, from 0 to 1."""
    min_words: int = 1
    """The fewest words of a barge-in, not counting fillers; a command ("stop", "no") needs only itself."""
    certain_after: float = 1.5
    """Speech that is this much longer than its words account for is a barge-in, whatever the words."""
    words_within: float = 0.6
    """A sound without words is noise after this much quiet."""
    echo_for: float = 0.4
    """While the voice is this young, words like the agent's are its echo, and wordless sounds are ignored."""
    near_end: float = 0.4
    """With less than this left, the agent finishes, and the user's words begin the next turn."""
    answer_within: float = 1.0
    """With less than this left of a question, a "yeah" is its answer, not a backchannel."""
    finish_word: bool = False
    """Whether the voice stops at the end of a word rather than at once."""
    back_off: float = 0.0
    """How much longer the user must be quiet, after both began at once, before the agent speaks again."""
    resume_after: float = 0.0
    """How long the user must be quiet before a held voice goes on."""
    languages: tuple[str, ...] = ()
    """The languages whose phrases count, such as ("en", "de"); if empty, all."""
    backchannels: tuple[str, ...] = ()
    """More phrases that are backchannels."""
    commands: tuple[str, ...] = ()
    """More phrases that are barge-ins at once, whatever `min_words` says."""

    def __post_init__(self) -> None:
        if self.first not in ("pause", "duck", "play on"):
            raise ConfigurationError(
                f'interruption: first must be "pause", "duck" or "play on", not {self.first!r}'
            )
        if not 0 <= self.duck_to <= 1:
            raise ConfigurationError("interruption: duck_to must be a loudness from 0 to 1")
        if self.min_words < 0:
            raise ConfigurationError("interruption: min_words must be 0 or more")
        for name in _DURATIONS:
            if not 0 <= getattr(self, name) < inf:
                raise ConfigurationError(f"interruption: {name} must be 0 seconds or more")
        if unknown := set(self.languages) - set(PHRASES):
            known = ", ".join(PHRASES)
            raise ConfigurationError(
                f"interruption: there are no phrases for {', '.join(sorted(unknown))}; known: {known}"
            )


_DURATIONS = (
    "certain_after", "words_within", "echo_for", "near_end", "answer_within", "back_off", "resume_after"
)  # fmt: skip

_A_WORD = 0.4  # seconds that it takes to say a word
_ENOUGH = 40  # the first words of the user, which are all that is judged
_HEARD, _AHEAD = 40, 10  # words of the agent, said and about to be said, that are searched for an echo
_ALIKE_EARLY, _ALIKE_LATE = 0.6, 0.85  # how similar an echo is to them, as `SequenceMatcher.ratio`
_ECHO_WORDS = 4  # the fewest words of an echo once `echo_for` is over: a user may repeat a few words


class InterruptionRules:
    """The default classifier: by the words, or by durations if there are none."""

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
