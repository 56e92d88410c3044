"""How clients come to sessions: start, offers, candidates, sockets."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from antiphon.server.port import Candidates, Offer, Refused

Serve = Callable[..., Any]

OFFER = {"sdp": "v=0", "type": "offer", "pc_id": None, "restart_pc": False}


def test_start_of_a_websocket_is_answered_with_one_field_only(serve: Serve) -> None:
    server = serve()
    told = server.client.post("/start", json={"transport": "websocket", "body": {"name": "Ada"}}).json()
    assert set(told) == {"wsUrl"}
    path = told["wsUrl"].removeprefix("ws://localhost:7860")
    assert path.startswith("/ws?token=")
    with server.socket(path) as socket:
        socket.send_bytes(b"hello")
        assert socket.receive_bytes() == b"hello"
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    opening = server.host.opened[0].opening
    assert (opening.kind, opening.agent, opening.body) == ("websocket", "agent", {"name": "Ada"})


def test_start_of_webrtc_is_answered_with_the_session_to_offer_to(serve: Serve) -> None:
    server = serve(public_url="https://voice.example.com")
    told = server.client.post("/start", json={"transport": "webrtc", "agent": "other"}).json()
    assert set(told) == {"sessionId"}
    path = f"/sessions/{told['sessionId']}/api/offer"
    answer = server.client.post(path, json=OFFER).json()
    assert answer.keys() == {"sdp", "type", "pc_id"}
    assert server.host.opened[0].opening.agent == "other"
    known = server.client.post(path, json=OFFER | {"pc_id": answer["pc_id"], "restart_pc": True})
    assert known.json()["pc_id"] == answer["pc_id"]
    candidates = [{"candidate": "candidate:1 1 udp 1 127.0.0.1 9 typ host", "sdp_mid": "0"}]
    done = server.client.patch(path, json={"pc_id": answer["pc_id"], "candidates": candidates})
    assert done.json() == {"status": "success"}
    assert [type(asked) for asked in server.host.opened[0].asked] == [Offer, Offer, Candidates]
    assert server.host.opened[0].asked[1] == Offer("v=0", answer["pc_id"], restart_pc=True)
    assert len(server.host.opened) == 1


def test_start_tells_of_ice_servers_where_it_is_asked_to(serve: Serve) -> None:
    settings = {"turn": "turn:turn.example.com:3478", "turn_secret": "quite secret"}
    server = serve(stun=("stun:stun.example.com",), **settings)
    told = server.client.post("/start", json={"enableDefaultIceServers": True}).json()
    stun, turn = told["iceConfig"]["iceServers"]
    assert stun == {"urls": ["stun:stun.example.com"]}
    assert turn["username"].endswith(":antiphon")
    assert "quite secret" not in str(told)
    assert "iceConfig" not in server.client.post("/start", json={}).json()


def test_an_offer_may_come_directly(serve: Serve) -> None:
    server = serve()
    said = {"agent": "other", "topic": "tea"}
    answer = server.client.post("/api/offer", json=OFFER | {"requestData": said})
    assert answer.status_code == 200
    opening = server.host.opened[0].opening
    assert (opening.agent, opening.body) == ("other", said)


def test_a_socket_may_come_directly(serve: Serve) -> None:
    server = serve()
    with server.socket("/ws?agent=other&framing=json") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    opening = server.host.opened[0].opening
    assert (opening.agent, opening.framing) == ("other", "json")


def test_the_default_path_of_other_clients_is_served(serve: Serve) -> None:
    server = serve()
    with server.socket("/ws-client?agent=other") as socket:
        socket.send_bytes(b"hello")
        assert socket.receive_bytes() == b"hello"
    assert server.host.opened[0].opening.agent == "other"


def test_a_connection_is_forgotten_with_its_session(serve: Serve) -> None:
    server = serve()
    answer = server.client.post("/api/offer", json=OFFER).json()
    assert server.admission.session_of
    server.client.portal.call(server.host.opened[0].end, "the client left")
    again = server.client.post("/api/offer", json=OFFER | {"pc_id": answer["pc_id"]})
    assert again.status_code == 404
    assert "connect anew" in again.json()["detail"]
    assert server.admission.session_of == {} == server.admission.sessions


def test_a_refused_offer_leaves_no_session_and_the_token_good(serve: Serve) -> None:
    server = serve()
    token = server.client.post("/start", json={}).json()["sessionId"]
    server.host.refuses = Refused(400, "the sdp is wrong")
    refused = server.client.post(f"/sessions/{token}/api/offer", json=OFFER)
    assert (refused.status_code, refused.json()["info"]) == (400, "the sdp is wrong")
    assert server.host.running == 0
    server.host.refuses = None
    assert server.client.post(f"/sessions/{token}/api/offer", json=OFFER).status_code == 200


@pytest.mark.parametrize("agent", ["nobody", "../agent", "a" * 10_000])
def test_an_agent_that_is_not_there_is_not_found(serve: Serve, agent: str) -> None:
    server = serve()
    assert server.client.post("/start", json={"agent": agent}).status_code == 404
    assert server.client.post("/api/offer", json=OFFER | {"requestData": {"agent": agent}}).status_code == 404
    with pytest.raises(WebSocketDenialResponse), server.socket(f"/ws?agent={agent}"):
        pass


def test_no_more_sessions_than_there_is_room_for(serve: Serve) -> None:
    server = serve(room=1)
    path = server.start_socket()
    with server.socket("/ws"):
        for full in (
            server.client.post("/start", json={}),
            server.client.post("/api/offer", json=OFFER),
        ):
            assert full.status_code == 429
            assert int(full.headers["retry-after"]) > 0
        with pytest.raises(WebSocketDenialResponse) as refused, server.socket(path):
            pass
        assert refused.value.status_code == 429
        assert server.client.get("/ready").status_code == 503
    with server.socket(path):  # the token was not used up by the refusal
        assert server.host.running == 1
