"""xAI: turns are answered when they are committed, and sound is held back during responses."""

import asyncio
import json

from antiphon.context import Context
from antiphon.services.realtime_vocabulary import (
    Consumed,
    CutShort,
    Discard,
    Respond,
    SpeechBegan,
    SpeechOver,
    UserHeard,
    UserSound,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, words_of
from antiphon.testing.loopback.server import KEY, WORDS
from antiphon.testing.loopback.xai_realtime import XaiRealtimeServer
from antiphon.vendors.xai.realtime import GrokRealtimeCodec, Realtime

LOUD = b"\x00\x40" * 24000
QUIET = bytes(48000)


def test_turn_in_which_nobody_speaks_is_answered_too() -> None:
    async def run() -> None:
        async with XaiRealtimeServer() as server:
            model = Realtime(key=KEY, base_url=f"{server.url}/v1")
            async with TalkWithModel(model, Context("Be kind.")) as talk:
                talk.take_turn(QUIET)
                assert words_of(await talk.response()) == "You said nothing."
                talk.take_turn(LOUD)
                assert words_of(await talk.response()) == f"You said {WORDS}."

    asyncio.run(run())


def test_user_who_speaks_during_a_response_is_heard_after_it() -> None:
    async def run() -> None:
        async with XaiRealtimeServer() as server:
            model = Realtime(key=KEY, base_url=f"{server.url}/v1")
            async with TalkWithModel(model, Context("Be kind.")) as talk:
                talk.take_turn(LOUD)
                await talk.until(Voice)
                talk.give(SpeechBegan())
                talk.sound(LOUD)
                talk.give(Discard(), SpeechBegan())
                talk.sound(LOUD)
                talk.give(CutShort(0.1), SpeechOver(), Respond())
                assert await talk.status() == "cancelled"
                assert words_of(await talk.response()) == f"You said {WORDS}."
                finals = [event for event in talk.events if isinstance(event, UserHeard) and event.final]
                assert [event.turn for event in finals] == [0, 1]

    asyncio.run(run())


def kinds(messages: object) -> list[str]:
    return [json.loads(message)["type"] for message in messages]  # type: ignore[attr-defined]


def test_two_turns_that_are_answered_together_count_as_two() -> None:
    codec = GrokRealtimeCodec("xai", {}, False)
    for _ in range(2):
        assert kinds(codec.put(UserSound(LOUD))) == ["input_audio_buffer.append"]
        assert kinds(codec.put(SpeechOver())) == [], "the vendor would answer a commit"
    assert kinds(codec.put(Respond())) == ["input_audio_buffer.commit"]
    list(codec.read('{"type": "input_audio_buffer.speech_started", "item_id": "x"}'))
    assert list(codec.read('{"type": "input_audio_buffer.committed", "item_id": "i"}')) == []
    assert codec.turns.number("i") == 1


def test_seconds_are_billed_as_they_grow() -> None:
    codec = GrokRealtimeCodec("xai", {}, True)
    billed: list[float] = []
    for total in (2, 2, 5):
        done = {"type": "response.done", "usage": {"billable_audio_seconds": total}, "response": {}}
        billed += [event.amount for event in codec.read(json.dumps(done)) if isinstance(event, Consumed)]
    assert billed == [2, 3]
