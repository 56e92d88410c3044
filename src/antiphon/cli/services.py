"""`antiphon services`: the vendors, and whether one works with your key."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from ..context import Context, UserSaid
from ..errors import AntiphonError, ConfigurationError
from ..services.ports import AudioChunk, Flush, Recognized, Speech, TextDelta
from ..vendors import create, record, vendor_of
from .service_list import list_services
from .show import reports_errors

app = typer.Typer(no_args_is_help=True, help="The vendors of speech and language models.")

CHECKED = ("stt", "llm", "tts")
QUESTION = Context("Answer in one short sentence.", (UserSaid("Good morning! Can you hear me?"),))
SENTENCE = "Good morning. This is a short test of a voice."
CHUNK = 0.05  # seconds of audio that are sent at once, in real time
WITHIN = 20.0  # seconds that a check may take


app.command("list")(list_services)


@app.command()
@reports_errors
def check(
    names: Annotated[list[str], typer.Argument(metavar="VENDOR[/MODEL]...")],
    port: Annotated[str | None, typer.Option(help="Only this kind of service: stt, llm or tts.")] = None,
    wav: Annotated[Path | None, typer.Option(help="Speech for a speech to text.", exists=True)] = None,
) -> None:
    """Make one short live call with your key, and say what works and how fast."""
    failed = False
    for name in names:
        provided = record(vendor_of(name)).provides
        ports = [one for one in CHECKED if one in provided and port in (None, one)]
        if not ports:
            raise ConfigurationError(f"{name} provides no {port or 'speech or language model'}")
        for one in ports:
            if one == "stt" and wav is None and len(ports) > 1:
                typer.echo(f"{name}  stt  not checked: it needs speech, pass --wav FILE")
                continue
            works, said = asyncio.run(_checked(one, name, wav))
            failed |= not works
            typer.echo(f"{name}  {one}  {'works' if works else 'fails'}: {said}")
    if failed:
        raise typer.Exit(1)


async def _checked(port: str, name: str, wav: Path | None) -> tuple[bool, str]:
    """Return whether a service works, and what it did."""
    calls: dict[str, Callable[[Any], Coroutine[Any, Any, str]]] = {
        "llm": _ask,
        "tts": _speak,
        "stt": lambda service: _transcribe(service, wav),
    }
    try:
        service = create(port, name)
        try:
            async with asyncio.timeout(WITHIN):
                await service.load()
                await service.open()
                return True, await calls[port](service)
        finally:
            await service.close()
    except TimeoutError:
        return False, f"no answer within {WITHIN:g} s"
    except AntiphonError as error:
        return False, str(error)


async def _ask(service: Any) -> str:
    begun, first, said = perf_counter(), 0.0, ""
    async for item in service.generate(QUESTION):
        if isinstance(item, TextDelta):
            first = first or perf_counter() - begun
            said += item.text
    return f"first word after {first:.2f} s: {said.strip()[:80]}"


async def _speak(service: Any) -> str:
    async def text() -> AsyncIterator[str]:
        yield SENTENCE

    begun, first, size, words = perf_counter(), 0.0, 0, 0
    async for item in service.speak(text()):
        if isinstance(item, Speech):
            first = first or perf_counter() - begun
            size += len(item.pcm)
        else:
            words += 1
    seconds = size / 2 / service.sample_rate
    return f"first audio after {first:.2f} s, {seconds:.1f} s of speech, {words} word times"


async def _transcribe(service: Any, wav: Path | None) -> str:
    if wav is None:
        raise ConfigurationError("a speech to text needs speech: pass --wav FILE")
    from ..audio.resample import Resampler
    from ..audio.wav import read

    sound = read(wav)
    pcm = sound.mono()
    if sound.sample_rate != service.sample_rate:
        pcm = Resampler(sound.sample_rate, service.sample_rate)(pcm)
    ended = 0.0

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        nonlocal ended
        size = int(service.sample_rate * CHUNK) * 2
        for at in range(0, len(pcm), size):
            yield AudioChunk(pcm[at : at + size])
            await asyncio.sleep(CHUNK)
        ended = perf_counter()
        yield Flush(True)

    said, after = "", 0.0
    async for item in service.transcribe(audio()):
        if isinstance(item, Recognized) and item.final:
            said, after = f"{said} {item.text}", perf_counter() - ended
    return f"words {after:.2f} s after the end of speech: {said.strip()[:100]}"
