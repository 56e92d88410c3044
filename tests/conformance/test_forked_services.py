"""Services that are loaded in one process work in a fork of it, as in the server's workers.

The test's process runs a vendor on loopback. Another process, which runs this file, loads the service as the
server's zygote does, looks for what would not survive a fork, forks, and lets the fork use the service.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from antiphon.context import Context, UserSaid
from antiphon.errors import YouErred
from antiphon.server.workers.zygote import FIRST, Traces, unsafe
from antiphon.services.http_stt import HttpSTT
from antiphon.services.openai_compatible import ChatCompletions
from antiphon.services.openai_speech import OpenAISpeech
from antiphon.services.ports import (
    PORTS,
    AudioChunk,
    Flush,
    Recognized,
    Speech,
    SpeechToText,
    TextDelta,
    TextToSpeech,
)
from antiphon.testing.loopback import KEY, LOUD, WORDS
from antiphon.vendors import available, create
from antiphon.vendors._chat_endpoints import CHAT_ENDPOINTS
from antiphon.vendors._speech_endpoints import SPEECH_ENDPOINTS, TRANSCRIPTION_ENDPOINTS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and reads /proc")

LOOPBACK = "antiphon.testing.loopback"
AWS = {"secret": "a secret", "region": "eu-west-1"}
DRIVERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "socket stt": ("deepgram.stt.Nova", "deepgram.DeepgramListen", {}),
    "signed stt": ("aws.stt.STT", "aws.AwsTranscribe", {**AWS, "region": "eu-central-1"}),
    "socket tts": ("cartesia.tts.TTS", "cartesia.CartesiaSonic", {}),
    "msgpack tts": ("fish.TTS", "fish.FishVoices", {}),
    "http stt": ("fal.STT", "whisper.FalWizper", {}),
    "http tts": ("speechify.TTS", "speechify.SpeechifyVoices", {}),
    "http llm": ("anthropic.LLM", "anthropic.AnthropicMessages", {}),
    "signed llm": ("aws.llm.LLM", "bedrock.BedrockServer", AWS),
    "row tts": ("groq", "openai.GroqSpeechServer", {}),
    "row stt": ("lemonfox", "whisper.WhisperTranscriptions", {}),
    "grpc stt": ("nvidia.stt.STT", "riva.RivaRecognition", {}),
    "grpc tts": ("nvidia.tts.TTS", "riva.RivaSynthesis", {}),
}
WITHOUT_KEYS = ("google",)  # has credentials in place of a key, which are looked for in the network


def found(name: str, home: str) -> Any:
    """Return what a dotted name stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(f"{home}.{module}"), attribute)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_service_works_in_a_fork_of_the_process_that_loaded_it(driver: str) -> None:
    if "grpc" in driver:
        pytest.importorskip("grpc")
        pytest.importorskip("google.protobuf")

    async def run() -> None:
        async with found(DRIVERS[driver][1], LOOPBACK)() as vendor:
            await forked(driver, vendor.url)

    asyncio.run(run())


def test_every_service_can_be_loaded_and_forked() -> None:
    asyncio.run(forked("every"))


async def forked(*arguments: str) -> None:
    """Run this file in another process."""
    async with asyncio.timeout(60):
        process = await asyncio.create_subprocess_exec(sys.executable, __file__, *arguments)
        assert await process.wait() == 0


# The other process ------------------------------------------------------------------------------------


class InPlace(asyncio.SelectorEventLoop):
    """An event loop in which `clock.offload` starts no thread, as the zygote's."""

    virtual = True


def service_of(driver: str, url: str) -> Any:
    """Make the service of a driver."""
    name, _, more = DRIVERS[driver]
    match driver:
        case "row tts":
            return OpenAISpeech("", replace(SPEECH_ENDPOINTS[name], base_url=url), key=KEY)
        case "row stt":
            return HttpSTT("", replace(TRANSCRIPTION_ENDPOINTS[name], base_url=url), key=KEY)
        case _:
            return found(name, "antiphon.vendors")(key=KEY, base_url=url, **more)


def every_service() -> list[Any]:
    """Make a service of every vendor that is reached over the network."""
    services = [ChatCompletions("some-model", row, key=KEY) for row in CHAT_ENDPOINTS.values()]
    for vendor in available():
        os.environ |= dict.fromkeys(vendor.env, KEY)
        for port in PORTS:
            if port in vendor.provides and port not in vendor.resident and vendor.name not in WITHOUT_KEYS:
                with suppress(YouErred):  # a vendor whose package is not installed, or that names no model
                    services.append(create(port, vendor.name))
    return services


async def load(services: list[Any]) -> int:
    """Load services, and return how many could be."""
    count = 0
    for service in services:
        with suppress(YouErred):
            await service.load()
            count += 1
    return count


async def use(service: Any, port: str) -> None:
    """Use a service once."""
    match port:
        case "stt":
            assert await heard_by(service) == WORDS
        case "tts":
            assert await seconds_of(service) > 0.1
        case _:
            told = [item async for item in service.generate(Context("Be brief.", (UserSaid("Hello?"),)))]
            assert "".join(item.text for item in told if isinstance(item, TextDelta)) == "Good day."
    await service.close()


async def heard_by(service: SpeechToText) -> str:
    """Return what a service hears."""

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(LOUD)
        yield Flush(True)

    told = [item async for item in service.transcribe(audio()) if isinstance(item, Recognized)]
    return " ".join(item.text for item in told if item.final)


async def seconds_of(service: TextToSpeech) -> float:
    """Return how long a service speaks."""

    async def text() -> AsyncIterator[str]:
        yield "Good morning."

    spoken = [item async for item in service.speak(text())]
    samples = sum(len(item.pcm) for item in spoken if isinstance(item, Speech)) // 2
    return samples / service.sample_rate


async def open_all(services: list[Any]) -> None:
    """Open and close services."""
    for service in services:
        with suppress(YouErred):
            await service.open()
        await service.close()


def main(driver: str, url: str = "") -> None:
    """Load what the arguments name, fork, and use it in the fork."""
    for name in FIRST:
        if find_spec(name):
            import_module(name)
    traces = Traces()
    services = every_service() if driver == "every" else [service_of(driver, url)]
    with asyncio.Runner(loop_factory=InPlace) as runner:
        count = runner.run(load(services))
    assert count > (60 if driver == "every" else 0), count
    assert unsafe(traces) == []
    if pid := os.fork():
        _, status = os.waitpid(pid, 0)
        sys.exit(os.waitstatus_to_exitcode(status))
    status = 1
    try:
        asyncio.run(open_all(services) if driver == "every" else use(services[0], driver.split()[-1]))
        status = 0
    except BaseException as error:  # noqa: BLE001  the fork must not go on as the other process
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
