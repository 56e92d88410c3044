"""When the user is not heard, and what is heard instead."""

import pytest

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    Frame,
    PlayoutStarted,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
    Signal,
    ToolCall,
    ToolEnded,
    ToolStarted,
    UserAudio,
    UserKey,
    UserText,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.testing import virtual
from antiphon.testing.assertions import HeldCall
from antiphon.turns.mute import RULES, Mute

VOICE = b"\x01\x02" * 160
SILENCE = bytes(320)


class Sink(Processor):
    def __init__(self) -> None:
        self.got: list[Frame] = []

    @on(UserAudio, UserText, UserKey)
    def keep(self, frame: Frame) -> None:
        self.got.append(frame)


def ended(reply: int) -> ReplyEnded:
    return ReplyEnded(reply, "", "", False)


def call(name: str) -> ToolCall:
    return ToolCall(name, "look", "{}")


async def muted(rule: str, *facts: Signal | float) -> str:
    """Tell facts, and send audio at the given times: "m" where it was muted, "h" where it was heard."""
    sink = Sink()
    async with HeldCall([Mute(rule), sink]) as line:
        for fact in facts:
            line.session.send(
                UserAudio(VOICE, 16000, int(fact * 16000)) if isinstance(fact, float | int) else fact
            )
    assert all(isinstance(frame, UserAudio) and frame.pcm in (VOICE, SILENCE) for frame in sink.got)
    return "".join("h" if isinstance(f, UserAudio) and f.pcm == VOICE else "m" for f in sink.got)


PLAY, END = PlayoutStarted(1), ended(1)
PLAY2, END2 = PlayoutStarted(2), ended(2)


@pytest.mark.parametrize(
    ("rule", "facts", "expected"),
    [
        ("greeting", [0.0, ReplyStarted(1), 0.5, PLAY, 2.5, END, 4.0, ReplyStarted(2), PLAY2, 5.0], "mmmhh"),
        ("greeting", [0.0, 0.99, 1.0, ReplyStarted(1), PLAY, 2.0, END, 3.0], "mmhhh"),
        ("first words", [0.0, ReplyStarted(1), 0.5, PLAY, 2.5, END, 4.0, PLAY2, 5.0, END2, 6.0], "hhmhhh"),
        ("first words", [ReplyStarted(1), ended(1), 0.0, PLAY2, 1.0, END2, 2.0], "hmh"),
        ("speaking", [0.0, ReplyStarted(1), 0.5, PLAY, 2.5, END, 4.0, PLAY2, 5.0, END2, 6.0], "hhmhmh"),
        ("speaking", [PLAY2, 0.0, ended(1), 1.0, END2, 2.0], "mmh"),
        (
            "tools",
            [
                *(
                    0.0,
                    ToolStarted(1, call("a")),
                    1.0,
                    ToolStarted(1, call("b")),
                    ToolEnded(1, call("a"), ""),
                ),
                *(2.0, ToolEnded(1, call("b"), ""), 3.0),
            ],
            "hmmh",
        ),
        ("tools", [ToolStarted(1, call("a")), 1.0, ended(1), 2.0, ToolEnded(1, call("a"), ""), 3.0], "mhh"),
    ],
)
def test_rules(rule: str, facts: list[Signal | float], expected: str) -> None:
    @virtual
    async def run() -> None:
        assert await muted(rule, *facts) == expected

    run()


@virtual
async def test_muted_audio_keeps_its_length_and_place_and_text_and_keys_pass() -> None:
    sink = Sink()
    async with HeldCall([Mute("greeting"), sink]) as line:
        line.session.send(UserAudio(VOICE, 8000, 480))
        line.session.send(UserText("hello"))
        line.session.send(UserKey("5"))
    assert sink.got == [UserAudio(SILENCE, 8000, 480), UserText("hello"), UserKey("5")]


@virtual
async def test_a_greeting_that_is_spoken_mutes_until_its_end() -> None:
    sink = Sink()
    async with HeldCall([Mute("greeting"), sink, Playout()]) as line:
        reply = line.session.new_reply(lambda reply: reply.write("Welcome!"))
        await line.session.clock.sleep(3)
        line.session.send(UserAudio(VOICE, 16000, 3 * 16000))
        reply.interrupt()
        line.session.send(UserAudio(VOICE, 16000, 4 * 16000))
    assert [frame.pcm for frame in sink.got if isinstance(frame, UserAudio)] == [SILENCE, VOICE]


class Always:
    """A rule of one's own."""

    def __init__(self) -> None:
        self.told: list[Signal] = []

    def observe(self, fact: Signal) -> None:
        self.told.append(fact)

    def mutes(self, at: float) -> bool:
        return at < 10


@virtual
async def test_a_rule_of_ones_own_beside_a_known_one() -> None:
    sink, own = Sink(), Always()
    async with HeldCall([Mute("speaking", own), sink]) as line:
        line.session.send(UserAudio(VOICE, 16000, 9 * 16000))
        line.session.send(UserAudio(VOICE, 16000, 10 * 16000))
        line.session.send(PLAY)
        line.session.send(UserAudio(VOICE, 16000, 11 * 16000))
    assert [frame.pcm for frame in sink.got if isinstance(frame, UserAudio)] == [SILENCE, VOICE, SILENCE]
    assert own.told == [SessionStarted(), PLAY]


@virtual
async def test_without_rules_everything_is_heard() -> None:
    sink = Sink()
    async with HeldCall([Mute(), sink]) as line:
        line.session.send(frame := UserAudio(VOICE, 16000, 0))
    assert sink.got == [frame]


def test_an_unknown_rule_names_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="'quiet'; known: greeting, first words, tools, speaking"):
        Mute("quiet")
    assert [type(rule) for rule in Mute(*RULES).rules] == [type(make()) for make in RULES.values()]
