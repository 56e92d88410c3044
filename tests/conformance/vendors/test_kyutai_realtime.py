"""Traps of Kyutai's Unmute and Moshi."""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from antiphon import Agent
from antiphon.context import AgentSaid, Context, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError, RateLimitError, TheyErred, UnavailableError
from antiphon.services.realtime_codec import RealtimeCodec
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, voice_of, words_of
from antiphon.testing.loopback.kyutai_realtime import MoshiTalkServer, UnmuteServer
from antiphon.testing.loopback.server import WORDS
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors import create
from antiphon.vendors.kyutai.realtime import Realtime

pytest.importorskip("av")

T = TypeVar("T")
SPEECH = b"\x00\x40" * 14400
CONTEXT = Context("Be kind.")
ANSWER = f"You said {WORDS}."


def held(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 20.0))


def unmute(server: UnmuteServer, **more: Any) -> Realtime:
    return Realtime("unmute", url=f"{server.url}/v1/realtime", **more)


def moshi(server: MoshiTalkServer) -> Realtime:
    return Realtime("moshi", url=f"{server.url}/api/chat")


# Unmute ----------------------------------------------------------------------------------------------


def test_unmute_speaks_first() -> None:
    async def main() -> None:
        async with (
            UnmuteServer(greets=True) as server,
            TalkWithModel(unmute(server), CONTEXT, detects=True) as talk,
        ):
            talk.sound(bytes(9600))
            greeting = await talk.response()
            assert words_of(greeting) == "Hey there."
            assert greeting[0] == ResponseBegan()
            assert len(voice_of(greeting)) / 48000 == pytest.approx(0.5, abs=0.05)
            talk.take_turn(SPEECH)
            assert words_of(await talk.response()) == ANSWER

    held(main())


def test_unmute_is_interrupted() -> None:
    async def main() -> None:
        async with (
            UnmuteServer() as server,
            TalkWithModel(unmute(server), CONTEXT, detects=True) as talk,
        ):
            talk.take_turn(SPEECH)
            await talk.until(Voice)
            talk.take_turn(SPEECH)
            assert (await talk.response())[-2:] == [UserCutIn(), ResponseOver("cancelled")]
            rest = await talk.response()
            assert words_of(rest) == ANSWER
            assert [event for event in rest if isinstance(event, UserSpeaks)] == [
                UserSpeaks(True),
                UserSpeaks(False),
            ]
            assert UserHeard(1, WORDS, True) in rest

    held(main())


def test_unmute_reads_the_conversation_so_far_in_its_instructions() -> None:
    async def main() -> None:
        said = (UserSaid("My name is Ada."), AgentSaid("Hello Ada."))
        async with UnmuteServer() as server:
            model = unmute(server, voice="cml-tts/fr/10087", language="en/fr")
            async with TalkWithModel(model, Context("Be kind.", said), detects=True) as talk:
                talk.give(Remember(Context("Be brief.", said)))
                talk.take_turn(SPEECH)
                await talk.response()
            first, second = (session["instructions"] for session in server.sessions)
            assert first["text"].startswith("Be kind.\n\nThe conversation so far")
            assert first["text"].endswith("\nUser: My name is Ada.\nYou: Hello Ada.")
            assert second["text"].startswith("Be brief.\n")
            assert first["language"] == "en/fr"
            assert server.sessions[0]["voice"] == "cml-tts/fr/10087"

    held(main())


def read(codec: RealtimeCodec, *messages: dict[str, Any] | bytes) -> list[object]:
    texts = [message if isinstance(message, bytes) else json.dumps(message) for message in messages]
    return [event for text in texts for event in codec.read(text)]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("Too many people are connected! Please try again later.", RateLimitError),
        ("Internal server error :( Complain to Kyutai", UnavailableError),
    ],
)
def test_unmute_that_gives_up(said: str, error: type[TheyErred]) -> None:
    codec = Realtime("unmute").codec(True, None)
    assert read(codec, {"type": "error", "error": {"type": "warning", "message": "Looking for it"}}) == []
    with pytest.raises(error, match=said[:8]):
        read(codec, {"type": "error", "error": {"type": "fatal", "message": said}})


def test_pause_without_words_is_no_turn() -> None:
    codec = Realtime("unmute").codec(True, None)
    stopped = {"type": "input_audio_buffer.speech_stopped"}
    assert read(codec, stopped, {"type": "response.created"}) == [ResponseBegan()]


# Moshi -----------------------------------------------------------------------------------------------


def test_moshi_stops_when_it_has_no_words() -> None:
    async def main() -> None:
        async with (
            MoshiTalkServer() as server,
            TalkWithModel(moshi(server), CONTEXT, detects=True) as talk,
        ):
            for _ in range(2):
                talk.take_turn(SPEECH)
                events = await talk.response()
                assert events[:3] == [UserSpeaks(True), UserSpeaks(False), ResponseBegan()]
                assert words_of(events) == ANSWER
                assert len(voice_of(events)) / 48000 > len(ANSWER) * 0.05

    held(main())


def test_moshi_that_we_interrupt_says_nothing_more() -> None:
    async def main() -> None:
        async with (
            MoshiTalkServer() as server,
            TalkWithModel(moshi(server), CONTEXT, detects=True) as talk,
        ):
            talk.take_turn(SPEECH)
            await talk.until(Voice)
            talk.give(CutShort(0.1))
            rest = await talk.response()
            assert rest[-1] == ResponseOver("cancelled")
            assert len(voice_of(rest)) / 48000 < 1.0

    held(main())


def test_moshi_speaks_by_itself_without_a_turn_of_the_user() -> None:
    codec = Realtime("moshi").codec(True, None)
    list(codec.put(UserSound(bytes(4800))))
    assert read(codec, b"\x02 Hello", b"\x02 there") == [
        ResponseBegan(),
        AgentWords("Hello"),
        AgentWords(" there"),
    ]


def test_moshi_that_fails_says_so() -> None:
    with pytest.raises(UnavailableError, match="out of memory"):
        read(Realtime("moshi").codec(True, None), b"\x05out of memory")


# Both ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "message"), [("unmute", {"type": "unmute.additional_outputs", "args": {}}), ("moshi", b"\x07")]
)
def test_what_it_cannot_say_fails_at_once(model: str, message: dict[str, Any] | bytes) -> None:
    codec = Realtime(model).codec(True, None)
    assert list(codec.put(Say("Good morning."))) == list(codec.put(Respond())) == []
    began, over = read(codec, message)[:2]
    assert began == ResponseBegan()
    assert isinstance(over, ResponseOver)
    assert over.status == "failed"


@tool
async def weather() -> str:
    """The weather."""
    return "sunny"


@pytest.mark.parametrize(
    "settings", [{"greeting": "Hello."}, {"tools": [weather]}], ids=["greeting", "tools"]
)
def test_settings_without_a_use_are_refused(settings: dict[str, Any]) -> None:
    agent = Agent("Be kind.", realtime="kyutai/moshi", **settings)
    with pytest.raises(ConfigurationError, match=f"leave {next(iter(settings))}= out"):
        agent.pipeline(Caller([CallerLine(b"", 0.5, "now")], 16000))


def test_voice_of_moshi_is_its_servers() -> None:
    with pytest.raises(ConfigurationError, match="chosen by its server"):
        create("realtime", "kyutai/moshi:alba")
    with pytest.raises(ConfigurationError, match="unmute, moshi"):
        create("realtime", "kyutai/nonsense")
