"""Calls through models that hear and speak, whose vendor hangs up again and again."""

from typing import Any

import pytest
from benchmarks.long_calls import Outcome, Place, Script, expected, hold, script

EVERY = 20.0  # seconds
MORE = 0.32  # seconds that a hang-up may cost in a turn: opening a connection takes about 0.2
SAID = script(80, longest=6.0)
ASKED = script(50, barge_ins=False, longest=6.0)
HEARD_LATE = ("google",)  # whose loopback server tells words in pieces

CALLS = [("openai", "ours"), ("google", "theirs")]  # the benchmark holds calls through all vendors


def held(name: str, whose: Any, said: Script, *places: Place, tools: bool = False) -> Outcome:
    return hold(name, said, whose=whose, every=EVERY, places=places, tools=tools)


def nothing_is_lost(call: Outcome, name: str, said: Script) -> None:
    assert not call.failures, call.failures
    assert not (call.lost or call.twice or call.others), (call.lost, call.twice, call.others)
    delays = [delay for delay in call.delays() if delay is not None]
    assert max(delays) - min(delays) < MORE, delays
    if name not in HEARD_LATE:
        assert call.history == expected(said)


@pytest.mark.parametrize(("name", "whose"), CALLS)
def test_hang_ups_out_of_the_blue(name: str, whose: str) -> None:
    call = held(name, whose, SAID, "silence", "user", "asked", "reply")
    assert call.hang_ups >= 3
    nothing_is_lost(call, name, SAID)


def test_new_connection_knows_all_that_was_said() -> None:
    call = held("openai", "theirs", SAID, "silence", "reply")
    told = "|".join(call.seeded).split(expected(SAID)[0])[1:]
    assert len(told) >= 3
    for lines in told:
        known = lines.strip("|").split("|")
        assert known == expected(SAID)[1 : len(known) + 1], "in order, and each once"
    assert len(told[-1].split("|")) > 5


@pytest.mark.parametrize(("name", "whose"), [("openai", "ours")])
def test_connections_are_renewed_before_the_vendor_hangs_up(name: str, whose: str) -> None:
    call = held(name, whose, SAID)
    assert call.connections > 4
    nothing_is_lost(call, name, SAID)
    delays = [delay for delay in call.delays() if delay is not None]
    assert max(delays) - min(delays) < 0.1, "it costs nothing if it is known before"


@pytest.mark.parametrize("name", ["openai"])
def test_hang_ups_while_a_tool_works(name: str) -> None:
    call = held(name, "theirs", ASKED, "tool", tools=True)
    assert call.hang_ups >= 2
    assert not call.failures, call.failures
    assert len([text for text in call.replies if text]) == len(ASKED.lines), call.replies
