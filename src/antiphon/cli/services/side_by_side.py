"""The comparisons of each kind of service: what is measured, and the table of it."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from ..show import console, progress, table
from .comparison import Exercise, ServiceRow, compare_services
from .conversation_row import ConversationRow
from .recordings import read_recordings
from .rows import QUESTIONS, SENTENCES, AnswerRow, HearingRow, VoiceRow, listen_to_voices
from .word_errors import plain_words

__all__ = ["COMPARISONS"]


def _hearing(names: Sequence[str], wav: Path | None) -> Sequence[ServiceRow[Any]]:
    recordings = read_recordings(wav) if wav else []
    rows = [HearingRow(name) for name in names]
    seconds = sum(one.seconds for one in recordings)
    said = sum(len(plain_words(one.text or "")) for one in recordings)
    title = f"{len(recordings)} recordings, {seconds:.0f} s, {said} words"
    return _compared(title, rows, recordings)


def _conversations(names: Sequence[str], wav: Path | None) -> Sequence[ServiceRow[Any]]:
    recordings = read_recordings(wav) if wav else []
    return _compared(f"{len(recordings)} questions", [ConversationRow(name) for name in names], recordings)


def _answers(names: Sequence[str], _: Path | None) -> Sequence[ServiceRow[Any]]:
    return _compared(f"{len(QUESTIONS)} questions", [AnswerRow(name) for name in names], QUESTIONS)


def _voices(names: Sequence[str], out: Path | None) -> Sequence[ServiceRow[Any]]:
    rows = [VoiceRow(name) for name in names]

    async def then() -> None:
        await listen_to_voices(rows)
        if out is not None:
            for row in rows:
                row.write(out)

    return _compared(f"{len(SENTENCES)} texts", rows, SENTENCES, then)


def _compared(
    title: str,
    rows: Sequence[ServiceRow[Exercise]],
    works: Sequence[Exercise],
    then: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Sequence[ServiceRow[Exercise]]:
    """Have rows measured, then print them."""
    screen = console()

    async def run() -> None:
        with progress(screen) as doing:
            await compare_services(rows, works, doing)
        if then is not None:
            await then()

    asyncio.run(run())
    screen.print(f"\n{title}", style="bold", soft_wrap=True)
    heads = rows[0].heads
    table(screen, ("service", *heads, ""), [row.shown() for row in rows], " " + "r" * len(heads))
    return rows


COMPARISONS = {"stt": _hearing, "llm": _answers, "tts": _voices, "realtime": _conversations}
"""What compares the services of a port; its second argument is the folder of recordings or of voices."""
