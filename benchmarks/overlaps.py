"""Is what the user says over the agent taken for what it is: barge-in, backchannel, noise or echo?

The data are labelled overlaps with their duration, as recognisers write them, including Whisper's habits.
The rules were developed on every second one; the others are held out, though written by the same author. Each
overlap is judged twice: at its end, with final words, and word by word as they come, when the first verdict
counts. The rules are compared with two simple ones in the same run: half a second of speech is a barge-in,
and any word is a barge-in.

    python -m benchmarks.overlaps [--audio] [--json FILE]

With `--audio`, English overlaps are also spoken by the local voice, noise is synthesised, and the words that
the local recogniser hears are judged.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

from rich.console import Console
from rich.table import Table

from antiphon.turns.interruption import InterruptionRules, Overlap, OverlapVerdict

KINDS = ("barge-in", "backchannel", "noise", "echo")
AGENT = (
    "We are open from nine to five on weekdays, and on Saturday until noon. A repair takes two days as a "
    "rule, and you can stop by at any time to leave your bicycle with us."
)

SAID = {
    "barge-in": """
0.6 Wait. | 0.4 No. | 0.5 Stop. | 0.5 Nope. | 0.8 Hold on. | 0.9 Hang on a second.
1.2 Yeah, but what about Sunday? | 1.1 Okay, but how much is it? | 0.9 Actually, no.
1.0 Sorry, what was that? | 1.6 Can I bring it tomorrow? | 1.3 What about a flat tyre? | 1.0 Excuse me.
0.7 Pardon? | 0.5 Huh? | 0.5 What? | 1.4 um can i ask something
2.0 i would like to book a repair please | 1.2 that's not what I asked
1.5 No no no, I meant the other one. | 0.9 Never mind. | 1.8 Right, so can we do Friday?
1.0 Let me think. | 1.3 I don't have two days. | 0.9 How much? | 1.4 uh actually it's electric
0.8 Just a moment. | 1.1 Too expensive. | 1.6 Could you say that again? | 0.7 Hello?
1.4 Yes, Saturday works for me. | 0.8 Shut up. | 0.7 Enough. | 0.6 Goodbye. | 1.1 Mm-hmm, and the price?
1.5 Okay okay, I got it, can we move on? | 0.6 Moment! | 0.5 Nein. | 1.2 Ja, aber ich brauche es morgen.
0.9 Warten Sie mal. | 1.4 Was kostet das denn? | 0.5 Halt! | 0.6 Attendez.
1.3 Oui mais c'est trop long. | 0.6 Espera. | 1.1 Sí, pero ¿cuánto cuesta? | 2.2 | 1.8 [inaudible] | 1.9
2.6""",
    "backchannel": """
0.4 Mhm. | 0.5 Mm-hmm. | 0.5 Uh-huh. | 0.4 Yeah. | 0.9 Yeah, yeah. | 0.4 Okay. | 0.4 OK | 0.4 Right.
0.6 I see. | 0.5 Sure. | 0.5 Got it. | 0.9 Okay, I see. | 1.2 yeah yeah yeah yeah | 0.5 Hmm. | 0.4 Mm.
0.6 Oh, okay. | 0.6 Ah, right. | 0.5 Great. | 0.6 Oh, nice. | 0.8 That makes sense. | 0.7 Makes sense.
0.5 Cool. | 0.6 Alright. | 0.5 Really? | 0.4 Wow. | 0.7 Sounds good. | 0.8 All right, okay.
0.6 Uh-huh, yeah. | 0.6 Of course. | 0.5 Exactly. | 0.9 Yeah, that's right. | 0.8 Oh, really?
0.6 Perfect. | 0.7 Fair enough. | 0.8 Yep, yep. | 0.6 Good, good. | 0.7 No problem. | 0.6 Oh, wow.
0.9 Yeah, of course. | 0.8 Okay, sure. | 0.5 Genau. | 0.7 Ja, ja. | 0.6 Alles klar. | 0.5 Ach so.
0.5 Stimmt. | 0.6 D'accord. | 0.5 Oui, oui. | 0.5 Vale. | 0.6 Sí, claro. | 0.6 Va bene.""",
    "noise": """
0.3 | 0.2 | 0.4 [cough] | 0.6 (coughs) | 0.5 *cough* | 0.3 [BLANK_AUDIO] | 0.7 [Music] | 0.4 (sighs)
0.4 you | 0.5 Thanks for watching! | 0.3 . | 0.3 ... | 0.6 [door closes] | 0.5 *sneezes*
0.4 (clears throat) | 0.8 ♪♪ | 0.5 Ahem. | 0.4 Achoo! | 0.7 | 1.1 | 0.9 [typing] | 0.6 (dog barking)
0.4 Pfft. | 0.5 Ugh. | 0.6 <noise> | 0.8 Untertitel der Amara.org-Community | 0.5 [NOISE] | 0.3 -
0.5 Bye. | 0.4 Shh.""",
    "echo": """
1.4 from nine to five on weekdays | 1.5 and on Saturday until noon | 1.2 a repair takes two days
1.6 You can stop by at any time. | 1.7 We're open from nine to five.
1.4 repair takes two days as a rule | 1.8 to leave your bicycle with us
1.5 Saturday until noon a repair | 2.0 you can stop by any time to leave
1.6 on week days and on Saturday""",
}
"""Seconds of speech, and the words as a recogniser writes them; only seconds if it writes nothing."""
FOREIGN = (
    *("Nein", "Ja", "Warten", "Was kostet", "Halt", "Genau", "Alles", "Ach so", "Stimmt", "Attendez", "Oui"),
    *("Espera", "Vale", "Va bene"),
)
"""How texts begin that the local voice, which speaks only English, cannot say."""


@dataclass(frozen=True)
class Case:
    """An overlap: what it is, its words, and how long it is."""

    kind: str
    words: str
    seconds: float
    held_out: bool

    @property
    def hears_all(self) -> bool:
        """True if the recogniser has finished; a long sound without words counts as not yet transcribed."""
        return bool(self.words) or self.kind == "noise"


def cases() -> list[Case]:
    """Return all overlaps; of each kind, every second one is held out."""
    found: list[Case] = []
    for kind, text in SAID.items():
        pieces = [
            piece.strip().partition(" ") for line in text.strip().splitlines() for piece in line.split("|")
        ]
        found += [Case(kind, words, float(s), i % 2 == 1) for i, (s, _, words) in enumerate(pieces)]
    return found


def overlaps(case: Case) -> Iterator[Overlap]:
    """Yield what is known about an overlap, word by word, and finally at its end."""
    words = case.words.split()
    part = Overlap(0.0, voiced=8.0, left=9.0, saying=AGENT)
    for count in range(1, len(words) + 1):
        yield replace(part, seconds=case.seconds * count / len(words), words=" ".join(words[:count]))
    yield replace(part, seconds=case.seconds, words=case.words, final=case.hears_all, over=True, quiet=inf)


RULES = InterruptionRules()
Judge = Callable[[Overlap], str]


def rules(overlap: Overlap) -> str:
    """Judge by the default classifier."""
    return RULES.judge(overlap).verdict.value


def half_a_second(overlap: Overlap) -> str:
    """Judge that half a second of speech is a barge-in."""
    if overlap.seconds >= 0.5:
        return "barge-in"
    return "noise" if overlap.over else OverlapVerdict.UNDECIDED.value


def any_word(overlap: Overlap) -> str:
    """Judge that any transcribed word is a barge-in."""
    if overlap.words:
        return "barge-in"
    return "noise" if overlap.over else OverlapVerdict.UNDECIDED.value


JUDGES: dict[str, Judge] = {"the rules": rules, "half a second": half_a_second, "any word": any_word}


def at_the_end(judge: Judge, case: Case) -> str:
    return judge(list(overlaps(case))[-1])


def as_it_comes(judge: Judge, case: Case) -> str:
    return next((kind for overlap in overlaps(case) if (kind := judge(overlap)) != "undecided"), "undecided")


MODES = {"at the end": at_the_end, "as it comes": as_it_comes}


def confusion(title: str, found: list[tuple[Case, str]]) -> Table:
    """Return the confusion matrix: what an overlap is (rows) and what it was taken for (columns)."""
    columns = (*KINDS, "undecided")
    table = Table("is", *columns, "right", title=title, title_justify="left")
    counts = Counter((case.kind, verdict) for case, verdict in found)
    for kind in KINDS:
        total = sum(counts[kind, verdict] for verdict in columns)
        cells = [str(counts[kind, verdict] or "·") for verdict in columns]
        if total:
            table.add_row(kind, *cells, f"{100 * counts[kind, kind] / total:.0f} %")
    return table


def costs(found: list[tuple[Case, str]]) -> dict[str, float]:
    """Return per cent: correct verdicts, replies cut off for nothing, and barge-ins that were missed."""
    wants = [verdict == "barge-in" for case, verdict in found if case.kind == "barge-in"]
    listens = [verdict == "barge-in" for case, verdict in found if case.kind != "barge-in"]
    return {
        "right": 100 * sum(case.kind == verdict for case, verdict in found) / len(found),
        "cut off for nothing": 100 * sum(listens) / max(1, len(listens)),
        "barge-ins missed": 100 - 100 * sum(wants) / max(1, len(wants)),
    }


def microseconds(judge: Judge, of: list[Case]) -> float:
    """Return the CPU time of a judgement."""
    asked = [overlap for case in of for overlap in overlaps(case)]
    began = time.process_time()
    for _ in range(20):
        for overlap in asked:
            judge(overlap)
    return 1e6 * (time.process_time() - began) / 20 / len(asked)


def compare(console: Console, sets: dict[str, list[Case]]) -> dict[str, dict[str, dict[str, float]]]:
    """Judge all sets by all judges, print the results, and return the figures."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for name, of in sets.items():
        table = Table(
            "judge", "when", "right", "cut off for nothing", "barge-ins missed", "µs CPU", title=name
        )
        spent = {title: microseconds(judge, of) for title, judge in JUDGES.items()}
        for title, judge in JUDGES.items():
            for mode, ask in MODES.items():
                found = [(case, ask(judge, case)) for case in of]
                values = costs(found)
                figures.setdefault(name, {})[f"{title}, {mode}"] = values | {"us": spent[title]}
                cells = (f"{value:.0f} %" for value in values.values())
                table.add_row(title, mode, *cells, f"{spent[title]:.1f}")
                if judge is rules:
                    console.print(confusion(f"{name}, {mode}", found))
                    wrong = [(case, verdict) for case, verdict in found if verdict != case.kind]
                    for case, verdict in wrong:
                        line = f"  {case.kind} taken for {verdict}: {case.words!r}, {case.seconds:.1f} s"
                        console.print(line, markup=False, highlight=False)
        console.print(table)
    return figures


async def spoken(of: list[Case]) -> list[Case]:
    """Return the English overlaps and synthesised noise, with the words that the local recogniser hears."""
    import numpy as np

    from antiphon.audio.resample import resample
    from antiphon.services.ports import AudioChunk, Flush, Speech
    from antiphon.vendors.local.stt import Whisper
    from antiphon.vendors.local.tts import Hibari

    voice, recogniser = Hibari(), Whisper()
    random = np.random.default_rng(1)

    async def text(words: str):
        yield words

    async def audio(pcm: bytes):
        yield AudioChunk(pcm)
        yield Flush(final=True)

    heard: list[Case] = []
    for case in of:
        if case.kind == "noise":
            size = int(16000 * case.seconds)
            burst = random.normal(0, 3000, size) * np.exp(-np.linspace(0, 6, size))
            pcm = burst.astype("<i2").tobytes()
        elif case.words.isascii() and case.words[:1].isalpha() and not case.words.startswith(FOREIGN):
            made = [piece.pcm async for piece in voice.speak(text(case.words)) if isinstance(piece, Speech)]
            pcm = resample(b"".join(made), voice.sample_rate, 16000)
        else:
            continue
        written = [found.text async for found in recogniser.transcribe(audio(pcm)) if found.final]
        heard.append(replace(case, words=" ".join(written).strip(), seconds=len(pcm) / 32000))
    return heard


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--audio", action="store_true", help="also judge overlaps spoken by the local voice")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    options = parser.parse_args()
    console = Console()
    known = cases()
    sets = {
        "at hand": [case for case in known if not case.held_out],
        "held out": [case for case in known if case.held_out],
    }
    if options.audio:
        sets["spoken"] = asyncio.run(spoken(known))
    figures = compare(console, sets)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
