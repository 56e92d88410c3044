import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import UsageError
from antiphon.processor import SessionPort
from antiphon.transports.webrtc.data_channel import DataChannel


class Protocol:
    media = False

    def __init__(self) -> None:
        self.send: Callable[[str], None] = print
        self.texts: list[str] = []

    def bind(self, session: SessionPort) -> None: ...

    def received(self, text: str) -> None:
        self.texts.append(text)

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None: ...

    def close(self) -> None: ...


def channel() -> tuple[DataChannel, Protocol]:
    protocol = Protocol()
    return DataChannel(protocol), protocol


def status(index: Any, enabled: Any) -> str:
    about = {"type": "trackStatus", "receiver_index": index, "enabled": enabled}
    return json.dumps({"type": "signalling", "message": about})


def test_what_is_sent_too_early_waits_and_of_too_much_the_oldest_is_forgotten() -> None:
    line, protocol = channel()
    sent: list[str] = []
    for number in range(1010):
        protocol.send(str(number))
    line.opened(sent.append)
    assert sent == [str(number) for number in range(10, 1010)]
    protocol.send("now")
    line.closed()
    protocol.send("later")
    assert sent[-1] == "now"
    line.opened(sent.append)
    assert sent[-1] == "later"


def test_pings_and_signalling_stay_here_and_the_rest_is_the_protocols() -> None:
    line, protocol = channel()
    for text in ("ping: 1", "ping", status(0, False), '{"label":"rtvi-ai"}', "not json", '"signalling"', "{"):
        line.received(text)
    assert protocol.texts == ['{"label":"rtvi-ai"}', "not json", '"signalling"', "{"]


def test_what_the_client_has_switched_off_is_known() -> None:
    line, _ = channel()
    line.received(status(1, False))
    line.received(status(2, False))
    assert line.silenced == {"camera", "screen"}
    line.received(status(1, True))
    assert line.silenced == {"screen"}


@pytest.mark.parametrize(
    ("index", "enabled"), [(-1, False), (3, False), ("1", False), (None, False), (1, "no"), (1, 0)]
)
def test_what_makes_no_sense_changes_nothing(index: Any, enabled: Any) -> None:
    line, protocol = channel()
    line.received(status(index, enabled))
    assert line.silenced == set()
    assert protocol.texts == []


def test_a_message_that_is_too_long_is_not_read() -> None:
    line, protocol = channel()
    line.received("x" * 262_145)
    line.received('{"type":"signalling","message":' + "[" * 100_000)
    assert [len(text) for text in protocol.texts] == [100_031]


def test_a_message_that_the_client_does_not_take_is_dropped() -> None:
    line, _ = channel()
    sent: list[str] = []

    def tell(text: str) -> None:
        if len(text) > 10:
            raise UsageError("too long")
        sent.append(text)

    line.opened(tell)
    line.send("x" * 11)
    line.send("short")
    assert sent == ["short"]


@given(
    st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_any_text_is_survived(text: str) -> None:
    line, _ = channel()
    line.received(text)
    line.received('{"type":"signalling","message":' + text + "}")
