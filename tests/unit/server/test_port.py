"""The contract of a host: plain data, and one light file."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

import antiphon
from antiphon.server.port import (
    Candidate,
    Candidates,
    Offer,
    Opening,
    PhoneOpening,
    SessionBegan,
    SessionOver,
    SessionReport,
    SIPOpening,
    TurnAnswered,
    WebRTCOpening,
    WebsocketOpening,
)
from antiphon.transports.telephony.port import AudioFormat, CallDetails

CALL = CallDetails("twilio", "CA1", caller="+4930111", heard=AudioFormat("l16", 16000), parameters={"a": "b"})
BODY = {"name": "Ada", "orders": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("value", "union"),
    [
        (WebRTCOpening("s", "a", BODY), Opening),
        (WebsocketOpening("s", "a", framing="json"), Opening),
        (PhoneOpening("s", "a", BODY, provider="twilio", dialled="+49301", placed="CA1"), Opening),
        (PhoneOpening("s", "a", call=CALL, provider="twilio"), Opening),
        (SIPOpening("s", "a", call=CALL), Opening),
        (SessionBegan("s", "a", "webrtc"), SessionReport),
        (TurnAnswered("s", "a", "phone", 3, 0.7, {"stt": 0.1}, interrupted=True), SessionReport),
        (SessionOver("s", "a", "sip", "the caller hung up", 12.5), SessionReport),
        (Offer("v=0", "pc", restart_pc=True), Offer | Candidates),
        (Candidates("pc", (Candidate("candidate:1", "0", 0), Candidate(""))), Offer | Candidates),
    ],
)
@pytest.mark.parametrize("codec", [msgspec.json, msgspec.msgpack])
def test_all_of_it_can_be_sent(value: Any, union: Any, codec: Any) -> None:
    assert codec.decode(codec.encode(value), type=union) == value


def test_the_kind_of_an_opening_is_its_tag() -> None:
    openings = WebRTCOpening, WebsocketOpening, PhoneOpening, SIPOpening
    assert [kind.__struct_config__.tag for kind in openings] == [kind.kind for kind in openings]


def test_a_report_of_another_shape_is_not_decoded() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(
            b'{"type":"SessionOver","session":"s","agent":"a","kind":"tea","reason":""}', type=SessionReport
        )


def test_a_host_needs_nothing_heavy_to_know_its_contract() -> None:
    program = "import json, sys; import antiphon.server.port; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(Path(antiphon.__file__).parents[1])},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {name for name in json.loads(done.stdout) if name.startswith("antiphon.")}
    assert loaded == {
        "antiphon.version",
        "antiphon.server",
        "antiphon.server.port",
        "antiphon.transports",
        "antiphon.transports.wire",
        "antiphon.transports.telephony",
        "antiphon.transports.telephony.port",
    }
    assert not {"numpy", "starlette", "asyncio"} & set(json.loads(done.stdout))
