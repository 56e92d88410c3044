"""Hume's EVI: files for sound, chats that are gone on with, a conversation in the prompt."""

import asyncio
import json
import struct
from base64 import b64encode
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, UserSaid
from antiphon.errors import AuthenticationError, RateLimitError, UnavailableError
from antiphon.services.realtime_vocabulary import (
    CutShort,
    Faulted,
    Remember,
    Respond,
    ResponseOver,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    UserWords,
    Voice,
)
from antiphon.services.wav import samples, wav
from antiphon.testing.conformance.realtime import TalkWithModel, voice_of, words_of
from antiphon.testing.loopback.hume_evi import HumeEVIServer
from antiphon.testing.loopback.server import KEY, LOUD, WORDS
from antiphon.vendors.hume.evi_codec import EVICodec
from antiphon.vendors.hume.realtime import Realtime

SPEECH = LOUD[:16000]
HEARD = f"You said {WORDS}."
KNOWN = Context("Be kind.", (UserSaid("My name is Ada."), AgentSaid("Hello Ada.")))


class HurriedEVICodec(EVICodec):
    lasts = 1.0


class HurriedRealtime(Realtime):
    """Its vendor ends every chat after a second."""

    def codec(self, detects: bool, handle: str | None) -> EVICodec:
        return HurriedEVICodec(resumes=handle is not None)


def in_real_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@asynccontextmanager
async def talk(
    server: HumeEVIServer, context: Context, kind: type[Realtime] = Realtime
) -> AsyncGenerator[TalkWithModel]:
    async with TalkWithModel(kind(key=KEY, base_url=server.url), context, detects=True) as call:
        yield call


@in_real_time
async def test_a_turn_and_its_answer_without_headers_in_the_sound() -> None:
    async with HumeEVIServer() as server, talk(server, Context("")) as call:
        call.take_turn(SPEECH)
        response = await call.response()
        assert words_of(response) == HEARD
        assert set(voice_of(response)[::2]) == {0}, "only samples"
        heard = [event for event in response if isinstance(event, UserHeard)]
        assert heard == [UserHeard(0, WORDS[:7].strip(), False), UserHeard(0, WORDS, True)]


@in_real_time
async def test_the_user_cuts_in() -> None:
    async with HumeEVIServer() as server, talk(server, Context("")) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.take_turn(SPEECH)
        assert await call.status() == "cancelled"
        assert call.events[call.events.index(UserCutIn()) - 1] == UserSpeaks(True)
        assert words_of(await call.response()) == HEARD


@in_real_time
async def test_an_answer_that_the_app_cuts_off_is_not_heard_any_more() -> None:
    async with HumeEVIServer() as server, talk(server, Context("")) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(CutShort(0.2), UserWords("Shorter."), Respond())
        assert await call.status() == "cancelled"
        assert len(voice_of(call.events)) < 10 * 9600
        typed = await call.response()
        assert words_of(typed) == "You said Shorter.."
        assert UserSpeaks(True) not in typed, "what was typed was not spoken"


@in_real_time
async def test_a_chat_goes_on_before_its_time_is_over() -> None:
    async with HumeEVIServer() as server, talk(server, KNOWN, HurriedRealtime) as call:
        assert call.events == []
        while not server.resumed:
            await LoopClock().sleep(0.05)
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert "Hello Ada." in server.settings[0]["system_prompt"]
        assert server.settings[-1]["system_prompt"] == "Be kind.", "the vendor knows the conversation"


@in_real_time
async def test_a_chat_that_has_expired_begins_anew_with_the_conversation() -> None:
    async with HumeEVIServer() as server, talk(server, Context("Be kind.")) as call:
        server.expires_after = 1
        call.take_turn(SPEECH)
        await call.response()
        call.give(Remember(KNOWN))
        while len(server.settings) < 2:
            await LoopClock().sleep(0.02)
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert server.connections == 2


@in_real_time
async def test_new_instructions_are_told_at_once() -> None:
    async with HumeEVIServer() as server, talk(server, KNOWN) as call:
        call.give(Remember(Context("Be brief.", KNOWN.entries)))
        call.take_turn(SPEECH)
        assert (await call.response())[-1] == ResponseOver()
        prompts = [settings["system_prompt"] for settings in server.settings]
        assert prompts[1] == prompts[0].replace("kind", "brief")


def test_errors() -> None:
    def read(slug: str) -> list[Any]:
        message = f'{{"type": "error", "code": "E0000", "slug": "{slug}", "message": "no"}}'
        return list(EVICodec(resumes=False).read(message))

    with pytest.raises(UnavailableError):
        read("inactivity_timeout")
    with pytest.raises(AuthenticationError):
        read("auth_invalid")
    (fault,) = read("rate_limit")
    assert isinstance(fault, Faulted) and isinstance(fault.error, RateLimitError)


@pytest.mark.parametrize(("rate", "length"), [(24000, 2), (48000, 1), (0, 1), (1 << 31, 1)])
def test_sound_at_another_rate_is_not_played_too_fast(rate: int, length: int) -> None:
    data = b64encode(
        wav(bytes(9600), 48000)[:24] + struct.pack("<I", rate) + wav(bytes(9600), 48000)[28:]
    ).decode()
    codec = EVICodec(resumes=False)
    list(codec.put(Respond()))
    _, voice = codec.read(json.dumps({"type": "audio_output", "id": "a", "index": 0, "data": data}))
    assert isinstance(voice, Voice)
    assert abs(len(voice.pcm) - 9600 * length) < 1000


def test_samples_of_a_file() -> None:
    pcm = b"\x01\x02" * 5
    listed = b"LIST" + struct.pack("<I", 4) + b"INFO"
    file = wav(pcm, 48000)
    assert samples(file) == samples(file[:36] + listed + file[36:]) == samples(pcm + b"\x00") == pcm


def test_sound_that_overtakes_other_sound_waits_for_it() -> None:
    def sound(message: str, index: int | None, value: int) -> str:
        data = b64encode(wav(bytes([value, 0]), 48000)).decode()
        return json.dumps({"type": "audio_output", "id": message, "index": index, "data": data})

    def values(*told: str) -> list[int]:
        events = [event for message in told for event in codec.read(message)]
        return [event.pcm[0] for event in events if isinstance(event, Voice)]

    codec = EVICodec(resumes=False)
    list(codec.put(Respond()))
    assert values(sound("a", 1, 2), sound("a", 0, 1), sound("a", 2, 3)) == [1, 2, 3]
    assert values(sound("b", 0, 4), sound("b", 2, 6)) == [4]
    assert values('{"type": "assistant_end"}') == [6], "nothing is lost if a piece never comes"
    list(codec.put(Respond()))
    assert values(sound("c", None, 7)) == [7], "without a number, in the order in which it comes"
    assert values(*(sound("d", index, 8) for index in range(1, 70)))[:1] == [8], "not all can wait"
