import base64
import hashlib
import hmac
from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.transports.webrtc import IceServer, TurnServer, WebRTCSettings


def test_turn_credentials_are_a_keyed_hash_of_the_time_of_their_end() -> None:
    server = TurnServer("turn:turn.example.org:3478?transport=udp", "north", lifetime=600, name="me").server(
        1000.7
    )
    assert server.username == "1600:me"
    digest = hmac.new(b"north", b"1600:me", hashlib.sha1).digest()
    assert server.credential == base64.b64encode(digest).decode()


def test_a_browser_is_told_of_all_servers() -> None:
    settings = WebRTCSettings(
        ice_servers=(IceServer("stun:a.example"), IceServer("turn:b.example", "me", "word")),
        turn=TurnServer("turn:c.example", "s", lifetime=60, name="x"),
    )
    servers = settings.ice_config(now=0)["iceServers"]
    assert servers[:2] == [
        {"urls": ["stun:a.example"]},
        {"urls": ["turn:b.example"], "username": "me", "credential": "word"},
    ]
    assert servers[2]["urls"] == ["turn:c.example"]
    assert servers[2]["username"] == "60:x"


def test_credentials_begin_when_they_are_asked_for() -> None:
    settings = WebRTCSettings(turn=TurnServer("turn:c.example", "s", lifetime=60))
    username = settings.servers()[0].username
    assert username is not None
    assert int(username.split(":")[0]) > 1_700_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine": "pion"},
        {"port_range": (40000, 40010)},
        {"engine": "wrtc", "port_range": (40010, 40000)},
        {"engine": "wrtc", "port_range": (80, 90)},
        {"sample_rate": 44100},
        {"bitrate": 1},
        {"vanished_after": 0},
        {"restart_within": -1},
        {"connect_within": 0},
    ],
)
def test_what_cannot_be_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        WebRTCSettings(**wrong)


@pytest.mark.parametrize("url", ["", "http://turn.example", "turn"])
def test_a_server_has_a_scheme(url: str) -> None:
    with pytest.raises(ConfigurationError, match="ICE server"):
        IceServer(url)
    with pytest.raises(ConfigurationError):
        TurnServer(url, "secret")


def test_a_turn_server_needs_a_secret() -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        TurnServer("turn:a.example", "")
