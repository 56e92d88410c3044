"""`antiphon services voices` and `say`: the voices of a vendor, listed and heard."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import ConfigurationError
from ...vendors import record, vendor_of, voice_spec, voices
from ..show import console, reports_errors, table
from .completing import service_names, vendor_names

__all__ = ["list_voices", "say"]

SAID = Path("antiphon-says.wav")  # where speech is written if there is no loudspeaker


@reports_errors
def list_voices(
    vendor: Annotated[str, typer.Argument(autocompletion=vendor_names)],
    language: Annotated[
        str, typer.Option(help="Only voices whose language contains this, such as en or german.")
    ] = "",
) -> None:
    """List a vendor's voices: what to write for each, its name and language."""
    vendor = vendor_of(vendor)
    if "tts" not in (provides := record(vendor).provides):
        listed = f"; those of its speech to speech: {record(vendor).docs}" if "realtime" in provides else ""
        raise ConfigurationError(f"{vendor} provides no text to speech, whose voices are listed here{listed}")
    found = [
        voice for voice in asyncio.run(voices(vendor)) if language.casefold() in voice.language.casefold()
    ]
    if not found:
        raise ConfigurationError(f"{vendor} lists no voices" + (f" for {language!r}" if language else ""))
    rows = [(voice_spec(vendor, voice.id), voice.name, voice.language, voice.about) for voice in found]
    table(console(), ("voice", "name", "language", "about"), rows)
    typer.echo(f'\nTo hear one: antiphon services say "{rows[0][0]}" "Good morning."')


@reports_errors
def say(
    voice: Annotated[str, typer.Argument(metavar="VENDOR/MODEL:VOICE", autocompletion=service_names)],
    text: str,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.wav", help="Write it instead of playing it.")
    ] = None,
) -> None:
    """Say a text with a voice: by the loudspeaker, or as a wav file."""
    from ...audio.wav import WavAudio, write
    from ..report import check_place
    from .trials import VoiceTrial, opened, speak

    if out is not None:
        check_place(out)

    async def spoken() -> VoiceTrial:
        async with opened("tts", voice) as service:
            return await speak(service, (text,))

    trial = asyncio.run(spoken())
    said = f"{trial.spoken:.1f} s of speech, the first after {trial.first:.2f} s"
    if out is None and not _played(trial.pcm, trial.sample_rate):
        typer.echo(
            'There is no loudspeaker here, or it needs: pip install "antiphon[terminal]"',
            err=True,
        )
        out = SAID
    if out is not None:
        write(out, WavAudio(trial.pcm, trial.sample_rate))
        said += f": {out}"
    typer.echo(said)


def _played(pcm: bytes, sample_rate: int) -> bool:
    """Play samples to their end; returns False if there is no loudspeaker."""
    from ...audio.pcm import samples
    from ...transports.terminal import sound_device

    try:
        sound: Any = sound_device()
    except ConfigurationError:
        return False
    try:
        sound.play(samples(pcm), sample_rate, blocking=True)
    except sound.PortAudioError:
        return False
    return True
