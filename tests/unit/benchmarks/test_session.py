import asyncio
from itertools import islice

from benchmarks import hops, interruption
from benchmarks.first_audio import take_turn
from benchmarks.session import (
    NOISE,
    SAMPLES,
    TURN,
    VOICE,
    Call,
    InstantTTS,
    agent,
    attentive,
    fed,
    frames,
    start,
    turns,
)

from antiphon.context import AgentSaid, UserSaid
from antiphon.conversation.conversation import Conversation
from antiphon.frames import ReplyEnded
from antiphon.testing import run_virtual


def entries(call: Call) -> list[object]:
    conversation = next(part for part in call.session.parts if isinstance(part, Conversation))
    return list(conversation.history.entries)


def test_every_frame_is_20_ms_and_an_object_of_its_own() -> None:
    once, again = list(islice(frames(NOISE), 50)), list(islice(frames(NOISE), 50))
    assert once == again and {len(pcm) for pcm in once} == {2 * SAMPLES}
    assert not {id(pcm) for pcm in once} & {id(pcm) for pcm in again}


def test_in_a_dialogue_both_sides_speak_for_the_same_time() -> None:
    said = [pcm == VOICE[: 2 * SAMPLES] for pcm in islice(turns(TURN // 2), 2 * TURN)]
    assert sum(said) == TURN and said[: TURN // 2] == [True] * (TURN // 2)

    async def talk() -> tuple[int, list[object]]:
        call = await start(agent())
        ended: asyncio.Queue[ReplyEnded] = asyncio.Queue()
        call.session.on(ReplyEnded, ended.put_nowait)
        async with fed([call], [turns()]):
            for _ in range(2):
                await ended.get()
            return call.output.played, entries(call)

    played, talked = run_virtual(talk())
    assert played == 2 * TURN
    assert [type(entry) for entry in talked] == [UserSaid, AgentSaid] * 2
    assert all(not entry.interrupted for entry in talked if isinstance(entry, AgentSaid))


def test_a_turn_is_answered_after_its_last_words() -> None:
    async def answer() -> Call:
        call = attentive(tts=InstantTTS(0.5))
        async with call.session:
            for _ in range(2):
                await take_turn(call)
        return call

    call = run_virtual(answer())
    assert call.moments["words"] < call.moments["audio"]
    assert call.output.played == 50 and len(entries(call)) == 4


def test_an_interruption_is_measured_to_the_transport() -> None:
    cleared = interruption.measure(quick=True)["cleared_ms"]
    assert isinstance(cleared, dict) and list(cleared) == ["by voice", "by call"]
    assert min(cleared.values()) > 0


def test_a_part_that_ignores_a_frame_costs_less_than_one_that_handles_it() -> None:
    values = hops.measure(quick=True)
    assert isinstance(values["ignored"], float) and isinstance(values["handled"], float)
    assert values["ignored"] < values["handled"] / 4
