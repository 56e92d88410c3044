"""Traps of AWS's Nova Sonic."""

import asyncio
import json
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import BadResponseError, ConfigurationError, RateLimitError, TheyErred
from antiphon.services import http2_stream
from antiphon.services.aws_event_stream import encode_event
from antiphon.services.realtime_codec import RealtimeCodec
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    RealtimeEvent,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from antiphon.testing.conformance.realtime import TalkWithModel, voice_of, words_of
from antiphon.testing.loopback.aws_realtime import SECRET, NovaSonicServer, sonic_event
from antiphon.testing.loopback.http2 import Http2Connection
from antiphon.testing.loopback.server import KEY, WORDS
from antiphon.vendors.aws.nova_sonic import NovaSonicCodec
from antiphon.vendors.aws.realtime import Realtime

pytest.importorskip("h2")

T = TypeVar("T")
SPEECH = b"\x00\x40" * 9600
TOOLS = tuple(ToolSpec(name, "", {"type": "object", "properties": {}}) for name in ("weather", "news"))
CONTEXT = Context("Be kind.")


def nova(server: NovaSonicServer, **more: Any) -> Realtime:
    settings = {"region": "us-east-1", "key": KEY, "secret": SECRET, "base_url": server.url}
    return Realtime(**settings | more)


def exception(kind: str, said: str) -> bytes:
    payload = json.dumps({"message": said}).encode()
    return encode_event(payload, message_type="exception", exception_type=kind)


def held(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 20.0))


def test_session_is_begun_and_ended_in_good_order() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server:
            model = nova(
                server,
                voice="tiffany",
                inferenceConfiguration={"maxTokens": 10, "topP": 0.1, "temperature": 0},
            )
            async with TalkWithModel(model, Context("Be kind.", (), TOOLS), detects=True) as talk:
                talk.take_turn(SPEECH)
                await talk.response()
            assert server.prompts[0]["audioOutputConfiguration"]["voiceId"] == "tiffany"
        assert (server.ended, server.open) == (1, 0)

    held(main())


def test_wrong_secret_is_noticed_by_the_server() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server:
            with pytest.raises(TheyErred):
                async with TalkWithModel(nova(server, secret="other"), CONTEXT, detects=True) as talk:
                    await talk.response()

    with pytest.raises(AssertionError, match="signature of the request"):
        held(main())


def test_history_begins_with_the_user_and_has_forty_messages_at_most() -> None:
    call = ToolCall("1-1", "weather", '{"city": "Rome"}')
    long = [entry for number in range(30) for entry in (UserSaid(f"{number}?"), AgentSaid(f"{number}!"))]
    entries = (
        AgentSaid("Hello."),
        *long,
        AgentSaid("", (call,)),
        ToolAnswered(call, "sunny"),
        AgentSaid("Sun.", (), True),
    )

    async def history(*entries: Any) -> list[tuple[str, str]]:
        async with NovaSonicServer() as server:
            async with TalkWithModel(nova(server), Context("Be kind.", entries), detects=True) as talk:
                talk.take_turn(SPEECH)
                await talk.response()
            return server.history[0]

    told = held(history(*entries))
    assert len(told) <= 41
    assert told[0] == ("SYSTEM", "Be kind.")
    assert told[1][0] == "USER"
    assert told[-2:] == [
        ("USER", '[weather({"city": "Rome"}) returned: sunny]'),
        ("ASSISTANT", "Sun. […]"),
    ]
    assert held(history(AgentSaid("Hello.")))[1:] == [
        ("USER", "[The conversation begins.]"),
        ("ASSISTANT", "Hello."),
    ]


def test_words_of_a_turn_are_complete_before_the_answer() -> None:
    async def main() -> list[RealtimeEvent]:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.take_turn(SPEECH)
            return await talk.response()

    first, second = WORDS[:9].strip(), WORDS
    assert held(main())[:6] == [
        UserSpeaks(True),
        UserHeard(0, first, False),
        UserHeard(0, second, False),
        UserHeard(0, second, True),
        UserSpeaks(False),
        ResponseBegan(),
    ]


def test_interruption_that_the_model_hears() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.take_turn(SPEECH)
            await talk.until(Voice)
            talk.take_turn(SPEECH)
            assert (await talk.response())[-2:] == [UserCutIn(), ResponseOver("cancelled")]
            assert words_of(await talk.response()) == f"You said {WORDS}."
            assert talk.events.count(UserCutIn()) == 1

    held(main())


def test_what_is_said_after_an_interruption_of_ours_is_dropped() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.take_turn(SPEECH)
            whole = voice_of(await talk.response())
            talk.take_turn(SPEECH)
            await talk.until(Voice)
            talk.give(CutShort(0.1))
            rest = await talk.response()
            assert rest[-1] == ResponseOver("cancelled")
            assert len(voice_of(rest)) < len(whole) / 2
            talk.take_turn(SPEECH)
            assert voice_of(await talk.response()) == whole

    held(main())


def test_typed_words_wait_for_the_wish_for_an_answer() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.give(UserWords("The shop is closed."), UserWords("When does it open?"), Respond())
            await talk.response()
            talk.give(Respond())
            await talk.response()
            assert server.typed == ["The shop is closed.\nWhen does it open?", "Please go on."]

    held(main())


def test_calls_that_come_together_are_one_response_and_their_results_are_objects() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server:
            context = Context("Be kind.", (), TOOLS)
            async with TalkWithModel(nova(server), context, detects=True) as talk:
                talk.take_turn(SPEECH)
                calls = [event for event in await talk.response() if isinstance(event, ToolCall)]
                assert [call.name for call in calls] == ["weather", "news"]
                for call, output in zip(calls, ("sunny", '{"news": []}'), strict=True):
                    talk.give(ToolOutput(call.id, call.name, output))
                assert words_of(await talk.response())
                assert server.results == ['{"result": "sunny"}', '{"news": []}']

    held(main())


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("modelTimeoutException", "Model has timed out in processing the request."),
        ("modelStreamErrorException", "532: Timed out waiting for audio bytes"),
        ("validationException", "System instability detected. Please retry your request."),
    ],
)
def test_session_that_ends_is_replaced_and_the_turn_heard_again(kind: str, said: str) -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            server.breaks = exception(kind, said)
            talk.take_turn(SPEECH)
            assert words_of(await talk.response()) == f"You said {WORDS}."
            assert server.connections == 2

    held(main())


@pytest.mark.parametrize(
    ("kind", "error"), [("validationException", BadResponseError), ("throttlingException", RateLimitError)]
)
def test_errors_that_a_new_session_does_not_help(kind: str, error: type[TheyErred]) -> None:
    with pytest.raises(error, match="no, because"):
        read(nova_codec(), exception(kind, "no, because"))


def test_speech_that_the_model_has_not_told_of_is_heard_again() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.take_turn(SPEECH)
            await talk.response()
            talk.sound(SPEECH)  # the server tells of it once it is followed by quiet
            while server.sound < 2.2:
                await LoopClock().sleep(0.02)
            server.drop()
            talk.sound(bytes(32000))
            assert words_of(await talk.response()) == f"You said {WORDS}."
            assert server.connections == 2

    held(main())


class HurriedCodec(NovaSonicCodec):
    lasts = 1.0


class HurriedNova(Realtime):
    """Its vendor ends sessions after about a second."""

    def codec(self, detects: bool, handle: str | None) -> HurriedCodec:
        return HurriedCodec("matthew", {})


class HurriedServer(NovaSonicServer):
    """It ends its first session after a second."""

    async def hold(self, connection: Http2Connection) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1.2 if self.connections == 1 else None):
                await super().hold(connection)


def test_session_is_renewed_while_sound_flows_and_no_turn_is_lost() -> None:
    async def main() -> None:
        async with HurriedServer() as server:
            model = HurriedNova(region="us-east-1", key=KEY, secret=SECRET, base_url=server.url)
            async with TalkWithModel(model, CONTEXT, detects=True) as talk:
                talk.sound(SPEECH)
                while server.connections < 2 or server.open > 1:  # in the middle of the turn
                    talk.sound(SPEECH[:1280])
                    await LoopClock().sleep(0.04)
                talk.sound(bytes(32000))
                assert words_of(await talk.response()) == f"You said {WORDS}."

    held(main())


def test_silence_is_sent_while_nothing_is_heard() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True):
            while server.sound < 1.0:
                await LoopClock().sleep(0.05)

    held(main())


def test_changed_instructions_and_tools_need_a_new_session() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.take_turn(SPEECH)
            await talk.response()
            talk.give(Remember(Context("Be brief.", (UserSaid("Hi."), AgentSaid("Hello.")), TOOLS)))
            while server.connections < 2 or server.open > 1:
                await LoopClock().sleep(0.05)
            assert server.history[1] == [("SYSTEM", "Be brief."), ("USER", "Hi."), ("ASSISTANT", "Hello.")]

    held(main())


def test_much_sound_waits_until_the_server_takes_it() -> None:
    async def main() -> None:
        async with NovaSonicServer() as server, TalkWithModel(nova(server), CONTEXT, detects=True) as talk:
            talk.give(UserSound(bytes(32000 * 60)))
            talk.take_turn(SPEECH)
            await talk.response()
            assert server.sound > 61

    held(main())


def test_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    http2_stream._tls_context.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(__import__("sys").modules, "h2.connection", None)
    with pytest.raises(ConfigurationError, match=r"antiphon\[aws-realtime\]"):
        asyncio.run(Realtime(region="us-east-1", key=KEY, secret=SECRET).open())


# The codec alone -------------------------------------------------------------------------------------


def nova_codec() -> RealtimeCodec:
    return Realtime(region="us-east-1", key=KEY, secret=SECRET).codec(True, None)


def read(codec: RealtimeCodec, *messages: bytes) -> list[object]:
    return [event for message in messages for event in codec.read(message)]


def told(kind: str, **values: object) -> bytes:
    return sonic_event({"event": {kind: {"contentId": "1", **values}}})


def test_arguments_that_are_encoded_twice() -> None:
    codec = nova_codec()
    inner = '{"city": "Rome"}'
    for content, arguments in ((inner, inner), (json.dumps(inner), inner), ('"Rome"', '"Rome"')):
        events = read(
            codec,
            told("contentStart", type="TOOL", role="TOOL"),
            told("toolUse", toolUseId="1", toolName="weather", content=content),
            told("contentEnd", type="TOOL", stopReason="TOOL_USE"),
        )
        assert events == [ResponseBegan(), ToolCall("1", "weather", arguments)]
        assert list(codec.settle()) == [ResponseOver()]


def test_interruption_after_the_last_voice_still_stops_playout() -> None:
    codec = nova_codec()
    read(
        codec,
        told("contentStart", type="AUDIO", role="ASSISTANT"),
        told("contentEnd", type="AUDIO", stopReason="END_TURN"),
    )
    stops = told("contentEnd", type="TEXT", stopReason="INTERRUPTED")
    assert read(codec, stops, stops) == [UserCutIn()]


def test_echo_of_typed_words_is_no_turn() -> None:
    codec = nova_codec()
    list(codec.put(UserWords("hello")))
    list(codec.put(Respond()))
    start = told(
        "contentStart", type="TEXT", role="USER", additionalModelFields='{"generationStage":"FINAL"}'
    )
    assert read(codec, start, told("textOutput", content="hello")) == []
    assert read(codec, start, told("textOutput", content="hello")) == [
        UserSpeaks(True),
        UserHeard(0, "hello", False),
    ]


def test_arguments_that_are_no_text() -> None:
    for content, arguments in (({"city": "Rome"}, '{"city": "Rome"}'), ("", "{}"), (None, "{}")):
        events = read(
            nova_codec(),
            told("contentStart", type="TOOL", role="TOOL"),
            told("toolUse", toolUseId="1", toolName="weather", content=content),
        )
        assert events == [ResponseBegan(), ToolCall("1", "weather", arguments)]


PLANNED = '{"generationStage":"SPECULATIVE"}'
FINAL = '{"generationStage":"FINAL"}'


def sentence(words: str, why: str, said: str) -> list[bytes]:
    """Return what is planned, its voice, and what was said."""
    return [
        told("contentStart", type="TEXT", role="ASSISTANT", additionalModelFields=PLANNED),
        told("textOutput", content=words),
        told("contentEnd", type="TEXT", stopReason="PARTIAL_TURN"),
        told("contentStart", type="AUDIO", role="ASSISTANT"),
        told("audioOutput", content="AAAA"),
        told("contentEnd", type="AUDIO", stopReason=why),
        told("contentStart", type="TEXT", role="ASSISTANT", additionalModelFields=FINAL),
        told("textOutput", content=words),
        told("contentEnd", type="TEXT", stopReason=said),
    ]


@pytest.mark.parametrize("last", ["END_TURN", "PARTIAL_TURN"])
def test_an_answer_of_two_sentences_is_one_response(last: str) -> None:
    """The last voice says that it is the last one, or only the words that were said."""
    first = sentence("One.", "PARTIAL_TURN", "PARTIAL_TURN")
    assert read(nova_codec(), *first, *sentence("Two.", last, "END_TURN")) == [
        ResponseBegan(),
        AgentWords("One."),
        Voice(bytes(2)),
        AgentWords(" Two."),
        Voice(bytes(2)),
        ResponseOver(),
    ]


def test_what_was_said_may_be_told_after_the_next_answer_has_begun() -> None:
    whole = sentence("One.", "END_TURN", "END_TURN")
    codec = nova_codec()
    read(codec, *whole[:6], *whole[:3])
    assert read(codec, *whole[6:]) == []
