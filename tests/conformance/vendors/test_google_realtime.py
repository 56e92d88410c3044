"""Gemini Live: activities that must not interrupt, turns without an id, new connections by a handle."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, ToolSpec, UserSaid
from antiphon.errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from antiphon.services.realtime_codec import GoingAway, RealtimeCodec, RealtimeReady, Resumable
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Discard,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserPicture,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from antiphon.testing import LoudVAD, ScriptedEOT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.conformance.realtime import TalkWithModel, voice_of, words_of
from antiphon.testing.loopback.gemini_live import GeminiLiveServer
from antiphon.testing.loopback.server import KEY, LOUD, WORDS, Fault
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors.google.realtime import Realtime

CONTEXT = Context("Be kind.")
SPEECH = LOUD[:16000]
COUGH = LOUD[:3200]
HEARD = f"You said {WORDS}."
TOOLS = tuple(ToolSpec(name, "", {"type": "object", "properties": {}}) for name in ("weather", "time"))


def in_real_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in an event loop of its own."""

    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def talk(server: GeminiLiveServer, context: Context = CONTEXT, *, detects: bool = False) -> TalkWithModel:
    return TalkWithModel(Realtime(key=KEY, base_url=server.url), context, detects=detects)


@in_real_time
async def test_a_cough_over_the_agent_never_reaches_the_vendor() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(SpeechBegan())
        call.sound(COUGH)
        call.give(Discard())
        response = await call.response()
        assert response[-1] == ResponseOver()
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert server.cancelled == 0
        assert server.told == ["activityStart", "activityEnd"] * 2


@in_real_time
async def test_a_cough_in_a_pause_leaves_its_activity_to_the_next_turn() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.give(SpeechBegan())
        call.sound(COUGH)
        call.give(Discard())
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert server.told == ["activityStart", "activityEnd"], "an empty activity is refused"


@in_real_time
async def test_speech_over_the_agent_is_heard_from_its_beginning_once_it_interrupts() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(SpeechBegan())
        call.sound(SPEECH)
        call.give(CutShort(0.2), SpeechOver(), Respond())
        assert await call.status() == "cancelled"
        assert words_of(await call.response()) == HEARD, "the loud part came before CutShort"
        assert server.cancelled == 1


@in_real_time
async def test_speech_over_the_agent_is_heard_when_the_agent_has_finished() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(SpeechBegan())
        call.sound(SPEECH)
        assert await call.status() == "completed"
        call.give(SpeechOver(), Respond())
        assert words_of(await call.response()) == HEARD
        assert server.cancelled == 0


@in_real_time
async def test_a_user_who_goes_on_before_the_answer_begins() -> None:
    """The first response is over before the second is asked for."""
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        call.give(SpeechBegan())
        call.sound(SPEECH)
        call.give(CutShort(0.0), SpeechOver(), Respond())
        assert await call.status() == "cancelled"
        assert await call.status() == "completed"
        turns = {event.turn for event in call.events if isinstance(event, UserHeard) and event.final}
        assert turns <= {0, 1}
        assert turns >= {1}


@in_real_time
async def test_a_turn_that_ends_while_the_user_speaks_on() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.give(SpeechBegan())
        call.sound(SPEECH)
        call.give(SpeechOver(), SpeechBegan(), Respond())
        call.sound(SPEECH)
        assert words_of(await call.response()) == HEARD
        call.give(SpeechOver(), Respond())
        assert words_of(await call.response()) == HEARD
        assert server.cancelled == 0


@in_real_time
async def test_typed_words_interrupt_and_are_answered() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(CutShort(0.2), UserWords("Stop."), Respond())
        assert await call.status() == "cancelled"
        assert words_of(await call.response()) == "You said Stop.."
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD, "the next turn has an activity of its own"
        call.give(Respond())
        assert await call.status() == "completed", "even nothing new is answered"


@in_real_time
async def test_transcripts_trail_and_belong_to_their_turns() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        for _ in range(2):
            call.take_turn(SPEECH)
            response = await call.response()
            assert words_of(response) == HEARD, "all words come before the response is over"
            assert {Consumed("audio tokens read", 20), Consumed("audio tokens written", 30)} <= set(response)
        heard = [event for event in call.events if isinstance(event, UserHeard)]
        assert [event for event in heard if event.final] == [UserHeard(n, WORDS, True) for n in range(2)]
        assert heard[0] == UserHeard(0, WORDS[:7].strip(), False)
        assert voice_of(call.events), "thoughts are not spoken"


@in_real_time
async def test_a_turn_without_an_answer_is_answered_by_nothing() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        server.silent = True
        call.take_turn(SPEECH)
        response = await call.response()
        assert response[-2:] == [ResponseBegan(), ResponseOver("incomplete")]


@in_real_time
async def test_what_the_vendor_detects() -> None:
    async with GeminiLiveServer() as server, talk(server, detects=True) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.take_turn(SPEECH)
        assert await call.status() == "cancelled"
        cut = call.events.index(UserCutIn())
        assert call.events[cut - 1] == UserSpeaks(True)
        assert await call.status() == "completed"
        call.give(UserWords("Hello"), Respond())
        typed = await call.response()
        assert UserSpeaks(True) not in typed, "what was typed was not spoken"
        spoken = [event.speaking for event in call.events if isinstance(event, UserSpeaks)]
        assert spoken == [True, False, True, False]


@in_real_time
async def test_the_app_stops_a_model_that_detects() -> None:
    async with GeminiLiveServer() as server, talk(server, detects=True) as call:
        call.take_turn(SPEECH)
        await call.until(Voice, 3)
        call.give(CutShort(0.2))
        assert await call.status() == "cancelled"
        assert UserCutIn() not in call.events


@in_real_time
async def test_parallel_tools_are_answered_together() -> None:
    async with GeminiLiveServer() as server, talk(server, Context("", (), TOOLS)) as call:
        call.take_turn(SPEECH)
        calls = [event for event in await call.response() if isinstance(event, ToolCall)]
        assert [tool.name for tool in calls] == ["weather", "time"]
        call.give(*(ToolOutput(tool.id, tool.name, f"{tool.name} is fine") for tool in calls))
        assert words_of(await call.response()) == "You said time is fine."


@in_real_time
async def test_a_cough_during_a_tool_does_not_withdraw_it() -> None:
    async with GeminiLiveServer() as server, talk(server, Context("", (), TOOLS[:1])) as call:
        call.take_turn(SPEECH)
        (tool,) = [event for event in await call.response() if isinstance(event, ToolCall)]
        call.give(SpeechBegan())
        call.sound(COUGH)
        call.give(Discard(), ToolOutput(tool.id, tool.name, "sunny"))
        assert words_of(await call.response()) == "You said sunny."


@in_real_time
async def test_speech_withdraws_a_tool_whose_result_is_told_later() -> None:
    async with GeminiLiveServer() as server, talk(server, Context("", (), TOOLS[:1])) as call:
        call.take_turn(SPEECH)
        (tool,) = [event for event in await call.response() if isinstance(event, ToolCall)]
        call.take_turn(SPEECH)
        (again,) = [event for event in await call.response() if isinstance(event, ToolCall)]
        call.give(ToolOutput(tool.id, tool.name, "too late"))
        call.give(ToolOutput(again.id, again.name, "sunny"))
        assert words_of(await call.response()) == "You said sunny."
        call.give(UserWords("And?"), Respond())
        await call.response()
        assert server.told[-2:] == ["[The tool weather returned: too late]", "And?"]


@in_real_time
async def test_the_conversation_goes_on_over_a_new_connection_by_its_handle() -> None:
    async with GeminiLiveServer() as server:
        server.goes_away_after = 2
        async with talk(server) as call:
            for _ in range(5):
                call.take_turn(SPEECH)
                assert words_of(await call.response()) == HEARD
            assert server.connections == 3
            assert server.open == 1
        assert [told for told in server.told if told.startswith("resumes")] == [
            "resumes handle-1",
            "resumes handle-3",
        ]
        assert server.seeded == [], "the vendor knows the conversation"
        turns = [event.turn for event in call.events if isinstance(event, UserHeard) and event.final]
        assert turns == [0, 1, 2, 3, 4]


@in_real_time
async def test_new_instructions_and_tools_are_told_by_a_new_connection() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.take_turn(SPEECH)
        await call.response()
        call.give(Remember(Context("Be brief.", (), TOOLS)))
        while len(server.setups) < 2:
            await LoopClock().sleep(0.02)
        call.give(Say("Hello."))
        assert words_of(await call.response()) == "Hello."
        assert server.setups[1]["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
        assert server.setups[1]["sessionResumption"] == {"handle": "handle-0"}
        assert len(server.setups[1]["tools"][0]["functionDeclarations"]) == 2


@in_real_time
async def test_a_lost_conversation_is_told_as_text() -> None:
    tool = ToolCall("1", "weather", "{}")
    entries = (AgentSaid("Hi."), UserSaid("Weather?"), AgentSaid("", (tool,)), ToolAnswered(tool, "sunny"))
    async with (
        GeminiLiveServer(Fault.CUT, faulty=1) as server,
        talk(server, Context("Be kind.", entries)) as call,
    ):
        call.take_turn(SPEECH)
        assert words_of(await call.response()) == HEARD
        assert server.connections == 2
        assert [turn["role"] for turn in server.seeded] == ["user", "model", "user", "model", "user"] * 2
        assert server.seeded[-1]["parts"] == [{"text": "[The tool weather returned: sunny]"}]


@in_real_time
async def test_a_picture_is_shown() -> None:
    async with GeminiLiveServer() as server, talk(server) as call:
        call.give(UserPicture(Image(b"12345")), UserWords("What is this?"), Respond())
        assert await call.status() == "completed"
        assert server.told == ["5 bytes of a picture", "What is this?"]


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1007, "API key not valid. Please pass a valid API key.", AuthenticationError),
        (1011, "RESOURCE_EXHAUSTED: You exceeded your current quota", RateLimitError),
        (1008, "models/gemini-x is not found for API version v1beta", BadResponseError),
        (1007, "No turn to complete.", UnavailableError),
        (1008, "The operation was aborted.", UnavailableError),
        (1008, "Requested entity was not found.", UnavailableError),
    ],
)
def test_what_closing_means(code: int, reason: str, error: type[TheyErred]) -> None:
    known = Realtime(key=KEY).codec(False, None).closed(code, reason)
    assert type(known) is error


@pytest.mark.parametrize(("location", "host"), [("global", ""), ("europe-west4", "europe-west4-")])
@in_real_time
async def test_the_address_of_vertex(location: str, host: str) -> None:
    model = Realtime("gemini-3.8-live", project="ours", location=location, key="a-token")
    handshake = await model.handshake(None)
    path = "google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
    assert handshake.url == f"wss://{host}aiplatform.googleapis.com/ws/{path}"
    assert handshake.headers == {"Authorization": "Bearer a-token"}


# Whole calls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("turns", [{"vad": None, "eot": None}, {"vad": LoudVAD(), "eot": ScriptedEOT()}])
def test_the_words_of_each_turn_are_in_the_history(turns: dict[str, Any], late: bool) -> None:
    async def main() -> HeldCall:
        async with GeminiLiveServer() as server:
            server.transcribes_late = late
            lines = [CallerLine(loud(0.8), 0.7, "now"), CallerLine(loud(0.8), 1.5, "answer")]
            agent = Agent("Be brief.", realtime=Realtime(key=KEY, base_url=server.url), **turns)
            call = HeldCall(agent.pipeline(Caller(lines, 24000, linger=2.0)))
            async with call:
                await call.session.wait()
            await agent.close()
            return call

    call = run_virtual(main())
    check(call)
    assert [entry.text for entry in call.entries if isinstance(entry, UserSaid | AgentSaid)] == [
        WORDS, HEARD, WORDS, HEARD,
    ]  # fmt: skip


# The codec alone -------------------------------------------------------------------------------------


def read(codec: RealtimeCodec, *told: dict[str, Any]) -> list[Any]:
    return [event for message in told for event in codec.read(json.dumps(message).encode())]


def content(**values: Any) -> dict[str, Any]:
    return {"serverContent": values}


VOICE = content(modelTurn={"parts": [{"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": "AAAA"}}]})
TURN_OVER = content(turnComplete=True)


def detecting(model: str = "gemini-3.8-live") -> RealtimeCodec:
    return Realtime(model, key=KEY).codec(True, None)


def test_the_conversation_so_far_is_announced_where_the_model_wants_that() -> None:
    before = Context("", (UserSaid("My name is Ada."),))
    for model, announced in (("gemini-3.8-live", True), ("gemini-2.5-flash-live", False)):
        for context in (Context(""), before):
            codec = detecting(model)
            (setup,) = codec.begin(context)
            known = context is before and announced
            assert ("historyConfig" in json.loads(setup)["setup"]) == known
            first, *_ = read(codec, {"setupComplete": {}})
            if context is before:
                told = json.loads(first.messages[0])["clientContent"]
                assert told["turnComplete"] == announced, "else it would be answered, or wait for the rest"
            else:
                assert first == RealtimeReady()


def test_words_that_come_after_the_answer_belong_to_the_turn_that_was_answered() -> None:
    codec = detecting()
    assert read(codec, VOICE, TURN_OVER)[:2] == [UserSpeaks(True), UserSpeaks(False)]
    late = [content(inputTranscription={"text": text}) for text in ("Hel", "lo.")]
    assert read(codec, *late) == [UserHeard(0, "Hel", False), UserHeard(0, "Hello.", False)]
    assert codec.settles_after
    assert list(codec.settle()) == [UserHeard(0, "Hello.", True)]
    assert read(codec, content(inputTranscription={"text": "And?"})) == [
        UserSpeaks(True),
        UserHeard(1, "And?", False),
    ]
    assert list(codec.settle()) == [UserSpeaks(False)], "no answer has come, and it may be that none will"
    assert list(codec.settle()) == []


def test_words_that_come_after_the_answer_by_our_count() -> None:
    codec = Realtime(key=KEY).codec(False, None)
    for item in (SpeechBegan(), UserSound(SPEECH), SpeechOver(), Respond()):
        list(codec.put(item))
    read(codec, VOICE, TURN_OVER)
    late = [content(inputTranscription={"text": text}) for text in ("Good ", "day.")]
    assert read(codec, *late) == [UserHeard(0, "Good", False), UserHeard(0, "Good day.", False)]
    assert list(codec.settle()) == [UserHeard(0, "Good day.", True)]
    assert codec.settles_after is None


def test_a_detected_turn_without_an_answer_is_over() -> None:
    events = read(detecting(), content(inputTranscription={"text": "Hm."}), TURN_OVER)
    assert events[-3:] == [UserSpeaks(False), ResponseBegan(), ResponseOver("incomplete")]


def test_a_turn_that_was_interrupted_goes_on() -> None:
    codec = detecting()
    read(codec, content(inputTranscription={"text": "Hello."}), VOICE)
    cut = read(codec, content(interrupted=True), content(inputTranscription={"text": "No,"}), TURN_OVER)
    assert cut[:2] == [UserSpeaks(True), UserCutIn()]
    assert cut[-1] == ResponseOver("cancelled")
    assert UserSpeaks(False) not in cut


def test_an_interruption_after_the_turn_or_before_any_output() -> None:
    codec = detecting()
    assert read(codec, content(interrupted=True)) == [UserSpeaks(True), UserCutIn()]
    assert read(codec, TURN_OVER) == []
    read(codec, VOICE, TURN_OVER)
    assert read(codec, content(interrupted=True)) == [UserSpeaks(True), UserCutIn()]


def test_a_model_that_works_in_the_background_says_several_things() -> None:
    codec = detecting("gemini-3.8-live-extended-thinking")
    works = content(turnComplete=True, interactionStatus="IN_PROGRESS")
    first = read(codec, content(inputTranscription={"text": "Book it."}), VOICE, works)
    assert [event.speaking for event in first if isinstance(event, UserSpeaks)] == [True, False]
    assert read(codec, works) == []
    assert read(codec, VOICE, works) == [ResponseBegan(), Voice(bytes(2)), ResponseOver()]
    assert read(codec, content(interactionStatus="IDLE")) == []
    assert read(codec, VOICE)[0] == UserSpeaks(True), "another turn of the user"


def test_a_frame_that_says_several_things() -> None:
    used = {"usageMetadata": {"promptTokenCount": 3, "responseTokenCount": 4}}
    thought = {"modelTurn": {"parts": [{"text": "Hm.", "thought": True}, VOICE["serverContent"]]}}
    said = content(outputTranscription={"text": "Yes."}, turnComplete=True, **VOICE["serverContent"])
    assert read(detecting(), content(**thought)) == []
    assert read(detecting(), said | used | {"goAway": {"timeLeft": "10s"}}) == [
        GoingAway(),
        UserSpeaks(True),
        UserSpeaks(False),
        ResponseBegan(),
        Voice(bytes(2)),
        AgentWords("Yes."),
        Consumed("audio tokens read", 3),
        Consumed("audio tokens written", 4),
        ResponseOver(),
    ]


def test_calls_without_ids_are_answered_without_ids() -> None:
    codec = detecting()
    calls = [{"name": "weather", "args": {"city": "Rome"}}, {"name": "time"}]
    events = read(codec, {"toolCall": {"functionCalls": calls}})
    asked = [event for event in events if isinstance(event, ToolCall)]
    assert [json.loads(call.arguments) for call in asked] == [{"city": "Rome"}, {}]
    (sent,) = codec.put(ToolOutput(asked[1].id, "time", "noon"))
    (result,) = json.loads(sent)["toolResponse"]["functionResponses"]
    assert result == {"name": "time", "response": {"output": "noon"}}


def test_a_handle_that_does_not_help_is_forgotten() -> None:
    codec = detecting()
    for resumable, handle in ((True, "h"), (False, "")):
        update = {"newHandle": "h"} | ({"resumable": True} if resumable else {})
        assert read(codec, {"sessionResumptionUpdate": update}) == [Resumable(handle)]


def test_an_activity_without_sound_is_not_ended() -> None:
    codec = Realtime(key=KEY).codec(False, None)
    items = (SpeechBegan(), SpeechOver(), UserWords("Hello."), Respond())
    sent = [json.loads(message) for item in items for message in codec.put(item)]
    assert [next(iter(message)) for message in sent] == ["realtimeInput", "clientContent"]
    assert sent[-1]["clientContent"]["turnComplete"] is True


def test_words_are_final_only_when_no_more_are_expected() -> None:
    codec = detecting()
    heard = [content(inputTranscription={"text": text}) for text in ("Good ", "day.")]
    events = read(codec, heard[0], VOICE, content(generationComplete=True), heard[1], TURN_OVER)
    assert [event for event in events if isinstance(event, UserHeard) and event.final] == [
        UserHeard(0, "Good day.", True)
    ]
