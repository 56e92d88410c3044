"""One short live call of a service, and what is said of it."""

import asyncio
from typing import Any

import typer

from ...audio.resample import Resampler
from ...errors import AntiphonError, ConfigurationError, ServiceTimeoutError, UnavailableError
from ...vendors import missing, record, vendor_of
from .conversing import converse
from .recordings import HEARD_HZ, Recording
from .trials import ask, hear, opened, speak
from .word_errors import count_errors

__all__ = ["check_ports"]

INSTRUCTIONS, QUESTION = "Answer in one short sentence.", "Good morning! Can you hear me?"
SENTENCE = "Good morning. This is a short test of a voice."
WITHIN = 20.0  # seconds that a check may take, besides the length of a recording


class NoSpeechError(ConfigurationError):
    """There is no recording, and no voice here that could speak."""


async def check_ports(name: str, ports: list[str], recording: Recording | None) -> bool:
    """Check these kinds of service, and print a line for each.

    Returns whether all work.
    """
    told = {port: await _tried(port, name, recording, alone=len(ports) == 1) for port in ports}
    unset = missing(record(vendor_of(name)), ports)
    if unset and all(_says_one_of(unset, said) for said in told.values()):
        typer.echo(f"{name}  {', '.join(told)}  fails: not set in the environment: {', '.join(unset)}")
        return False
    for port, said in told.items():
        fails = isinstance(said, AntiphonError)
        typer.echo(f"{name}  {port}  {f'fails: {said}' if fails else said}")
    return not any(isinstance(said, AntiphonError) for said in told.values())


def _says_one_of(unset: list[str], said: str | AntiphonError) -> bool:
    """Return True for the error that one of these variables is not set.

    What else may be wrong, such as a missing extra, has an error of its own.
    """
    return type(said) is ConfigurationError and any(variable in str(said) for variable in unset)


async def _tried(port: str, name: str, recording: Recording | None, *, alone: bool) -> str | AntiphonError:
    """Return what a service did, or the error that it met."""
    within = WITHIN + (recording.seconds if recording else 0.0)
    try:
        async with asyncio.timeout(within), opened(port, name) as service:
            return await {"llm": _ask, "tts": _speak, "stt": _hear, "realtime": _converse}[port](
                service, recording
            )
    except TimeoutError:
        return ServiceTimeoutError(f"no answer within {within:.0f} s")
    except NoSpeechError as error:
        return error if alone else f"not checked: {error}"
    except AntiphonError as error:
        return error


async def _ask(service: Any, recording: Recording | None) -> str:
    answer = await ask(service, QUESTION, INSTRUCTIONS)
    return f"works: first word after {answer.first:.2f} s: {answer.text[:80]}"


async def _speak(service: Any, recording: Recording | None) -> str:
    voice = await speak(service, (SENTENCE,))
    times = f"{voice.words} word times" if voice.words else "no word times"
    return f"works: first audio after {voice.first:.2f} s, {voice.spoken:.1f} s of speech, {times}"


async def _hear(service: Any, recording: Recording | None) -> str:
    recording = recording or await _spoken_sentence()
    heard = await hear(service, recording)
    if not heard.final:
        raise UnavailableError("no words came")
    errors = count_errors(recording.text, heard.text) if recording.text else None
    wrong = f", {errors.lost + errors.wrong + errors.added} of {errors.said} words wrong" if errors else ""
    return f"works: words {max(heard.final):.2f} s after the end of speech{wrong}: {heard.text[:100]}"


async def _converse(service: Any, recording: Recording | None) -> str:
    turn = await converse(service, recording or await _spoken_sentence(QUESTION), INSTRUCTIONS)
    what = "audio" if service.speaks else "word"
    heard = f"heard {turn.heard[:60]!r}" if turn.heard else "tells no words of the user"
    who = {"ours": "the session", "theirs": "the model", "either": "either"}[service.detection]
    about = f"turns: {who}; {'tools' if service.calls_tools else 'no tools'}"
    return (
        f"works: first {what} {turn.first or 0:.2f} s after the question, {heard}, "
        f"said {turn.said.strip()[:80]!r}; {about}"
    )


async def _spoken_sentence(sentence: str = SENTENCE) -> Recording:
    """Return a sentence, spoken by the local voice.

    Raises NoSpeechError if that is not installed.
    """
    try:
        async with opened("tts", "local") as voice:
            spoken = await speak(voice, (sentence,))
    except AntiphonError as error:
        raise NoSpeechError(f"it needs speech, pass --wav FILE ({error})") from error
    return Recording("a sentence", Resampler(spoken.sample_rate, HEARD_HZ)(spoken.pcm), HEARD_HZ, sentence)
