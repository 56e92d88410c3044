"""What the tests of clients share."""

from typing import Any

from antiphon.testing.loopback import LOUD

__all__ = [
    "TEXT",
    "audio_bytes",
    "complete",
    "hear_with_livekit",
    "hear_with_pipecat",
    "loud_parts",
    "quiet_parts",
    "say_with_livekit",
    "say_with_pipecat",
]

TEXT = "Good day."


def audio_bytes(text: str, sample_rate: int) -> int:
    """Return how much 16-bit audio a server makes of a text: 50 ms for each character."""
    return round(len(text) * 0.05 * sample_rate) * 2


def loud_parts(milliseconds: int = 100) -> list[bytes]:
    """Return a second of speech at 16 kHz in parts."""
    size = 32 * milliseconds
    return [LOUD[at : at + size] for at in range(0, len(LOUD), size)]


def quiet_parts(seconds: float = 1.0) -> list[bytes]:
    """Return quiet at 16 kHz in parts of 100 ms."""
    return [bytes(3200)] * round(seconds * 10)


def complete(message: Any) -> Any:
    """Check that a message has every field that its vendor's model requires, of the right type."""
    type(message).model_validate(message.model_dump(by_alias=True))
    return message


async def say_with_pipecat(service: Any, sample_rate: int = 24000, text: str = TEXT) -> tuple[bytes, str]:
    """Return the audio that a service of Pipecat makes of a text, and the words that it has times for."""
    from pipecat.frames.frames import ErrorFrame, TTSAudioRawFrame, TTSSpeakFrame, TTSTextFrame

    down, up = await _run(service, [TTSSpeakFrame(text)], audio_out_sample_rate=sample_rate)
    errors = [frame.error for frame in up if isinstance(frame, ErrorFrame)]
    if errors:
        raise ConnectionError(errors[0])
    audio = b"".join(frame.audio for frame in down if isinstance(frame, TTSAudioRawFrame))
    return audio, " ".join(frame.text for frame in down if isinstance(frame, TTSTextFrame))


async def hear_with_pipecat(service: Any) -> list[str]:
    """Return the final transcripts that a service of Pipecat makes of a second of speech."""
    from pipecat.frames.frames import (
        ErrorFrame,
        InputAudioRawFrame,
        TranscriptionFrame,
        VADUserStartedSpeakingFrame,
        VADUserStoppedSpeakingFrame,
    )

    audio = [InputAudioRawFrame(part, 16000, 1) for part in (*loud_parts(), *quiet_parts())]
    frames = [VADUserStartedSpeakingFrame(), *audio, VADUserStoppedSpeakingFrame()]
    down, up = await _run(service, frames, audio_in_sample_rate=16000)
    errors = [frame.error for frame in up if isinstance(frame, ErrorFrame)]
    if errors:
        raise ConnectionError(errors[0])
    return [frame.text for frame in down if isinstance(frame, TranscriptionFrame)]


async def _run(service: Any, frames: list[Any], **params: Any) -> tuple[list[Any], list[Any]]:
    from pipecat.pipeline.worker import PipelineParams
    from pipecat.tests.utils import SleepFrame, run_test

    down, up = await run_test(
        service, frames_to_send=[*frames, SleepFrame(0.5)], pipeline_params=PipelineParams(**params)
    )
    return [*down], [*up]


async def say_with_livekit(voice: Any, text: str = TEXT) -> tuple[bytes, str]:
    """Return the audio that a plugin of LiveKit makes of a text, and the words that it has times for."""
    from livekit.agents import APIConnectOptions

    audio, words = b"", list[str]()
    async with voice.stream(conn_options=APIConnectOptions(max_retry=0, timeout=5.0)) as stream:
        stream.push_text(text)
        stream.end_input()
        async for event in stream:
            audio += bytes(event.frame.data)
            words += [str(word).strip() for word in event.frame.userdata.get("lk.timed_transcripts", ())]
    await voice.aclose()
    return audio, " ".join(words)


async def hear_with_livekit(recogniser: Any) -> list[str]:
    """Return the final transcripts that a plugin of LiveKit makes of a second of speech."""
    from livekit.agents.stt import SpeechEventType
    from livekit.rtc import AudioFrame

    async with recogniser.stream() as stream:
        for part in (*loud_parts(), *quiet_parts()):
            stream.push_frame(AudioFrame(part, 16000, 1, len(part) // 2))
        stream.end_input()
        told = [event async for event in stream]
    await recogniser.aclose()
    return [event.alternatives[0].text for event in told if event.type == SpeechEventType.FINAL_TRANSCRIPT]
