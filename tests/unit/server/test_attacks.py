"""Whoever comes with bad intent: nobody gets in, nothing grows, and no other call is disturbed."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from antiphon.clock import LoopClock
from antiphon.server.limits import read_body
from antiphon.server.port import Offer, OfferAnswer, Refused, WebRTCOpening
from antiphon.testing.host import ScriptedSession
from antiphon.testing.virtual import virtual

Serve = Callable[..., Any]

PUBLIC, PRIVATE = "pk_0123456789abcdef", "sk_0123456789abcdef"
KEYS = {"public_keys": (PUBLIC,), "private_keys": (PRIVATE,)}
OFFER = {"sdp": "v=0", "type": "offer", "pc_id": None, "restart_pc": False}

ROUTES = [
    ("POST", "/start"),
    ("POST", "/api/offer"),
    ("PATCH", "/api/offer"),
    ("POST", "/sessions/x/api/offer"),
    ("PATCH", "/sessions/x/api/offer"),
    ("POST", "/dial"),
]
WEBHOOKS = [("POST", "/phone/twilio"), ("POST", "/phone/twilio/status"), ("POST", "/phone/telnyx")]
MALFORMED = [
    b"{",
    b"[]",
    b"null",
    b'"start"',
    b"\xff\xfe\x00",
    b"\x00" * 1000,
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b'{"sdp": 1, "type": "offer", "transport": 7, "to": [], "pc_id": {}}',
    b'{"sdp": "v=0", "type": "answer", "transport": "carrier pigeon", "to": null}',
    b'{"sdp": "\\ud800", "type": "offer", "transport": "\\ud800", "to": "\\ud800", "pc_id": "\\ud800"}',
    b'{"sdp": NaN, "transport": Infinity, "to": NaN}',
    b'{"type": "offer", "transport": "webrtc' + b"c" * 10_000 + b'"}',
    b'{"pc_id": "x", "candidates": 1e999, "transport": 1e999, "to": 1e999, "sdp": 1e999}',
    b"--boundary\r\nContent-Disposition: form-data\r\n\r\n",
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("body", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_bodies_are_refused(serve: Serve, method: str, path: str, body: bytes) -> None:
    server = serve(public_url="https://voice.example.com")
    answer = server.client.request(method, path, content=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert set(answer.json()) == {"detail", "info"}
    assert len(answer.content) < 1000
    assert server.host.running == 0


@pytest.mark.parametrize(("method", "path"), WEBHOOKS)
@pytest.mark.parametrize(
    "kind", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_malformed_webhooks_are_refused(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, method: str, path: str, kind: str
) -> None:
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "12345")
    client = serve(public_url="https://voice.example.com").client
    bodies = [*MALFORMED, b"&=" * 20_000, b"a=b&" * 5_000, b"%ff%zz=%00&" * 500]
    for body in bodies:
        answer = client.request(method, path, content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 403, 429, 503), answer.text


@pytest.mark.parametrize(("method", "path"), ROUTES + WEBHOOKS)
@pytest.mark.parametrize("chunked", [False, True])
def test_oversized_bodies_are_refused(serve: Serve, method: str, path: str, chunked: bool) -> None:
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        for _ in range(1000):
            read += 1000
            yield b"x" * 1000

    client = serve(public_url="https://voice.example.com", body_bytes=10_000).client
    answer = client.request(method, path, content=pieces() if chunked else b"x" * 10_001)
    assert answer.status_code == 413
    lying = client.request(method, path, content=b"x" * 20_000, headers={"content-length": "9" * 4000})
    assert lying.status_code in (400, 413)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_json_comes_is_answered(serve: Serve, data: st.DataObject) -> None:
    simple = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
    value = st.recursive(
        simple, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner)
    )
    names = [
        "sdp",
        "type",
        "pc_id",
        "restart_pc",
        "requestData",
        "candidates",
        "transport",
        "agent",
        "body",
        "to",
    ]
    known = st.sampled_from(["offer", "webrtc", "websocket", "v=0", "x", "agent"])
    body = data.draw(st.dictionaries(st.sampled_from(names), value | known))
    method, path = data.draw(st.sampled_from(ROUTES))
    server = SERVERS.get(serve) or SERVERS.setdefault(serve, serve(burst=10_000_000, room=10_000))
    answer = server.client.request(method, path, content=json.dumps(body))
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/json"


SERVERS: dict[Serve, Any] = {}


# Keys and tokens -------------------------------------------------------------------------------------


def test_a_token_lets_one_in_once(serve: Serve) -> None:
    server = serve(**KEYS)
    bearer = {"authorization": f"Bearer {PUBLIC}"}
    session = server.client.post("/start", json={}, headers=bearer).json()["sessionId"]
    offer = f"/sessions/{session}/api/offer"
    assert server.client.post(offer, json=OFFER).status_code == 200
    for replayed in (OFFER, OFFER | {"restart_pc": True}, OFFER | {"pc_id": ""}):
        assert server.client.post(offer, json=replayed).status_code == 403
    assert server.client.post(offer, json=OFFER | {"pc_id": "guessed"}).status_code == 404
    patch: dict[str, Any] = {"pc_id": session, "candidates": []}  # the session's name is not the connection's
    assert server.client.patch(offer, json=patch).status_code == 404
    with pytest.raises(WebSocketDenialResponse), server.socket(f"/ws?token={session}"):
        pass
    assert len(server.host.opened) == 1


def test_a_token_is_for_its_own_transport(serve: Serve) -> None:
    server = serve()
    token = server.start_socket().removeprefix("/ws?token=")
    assert server.client.post(f"/sessions/{token}/api/offer", json=OFFER).status_code == 403
    with pytest.raises(WebSocketDenialResponse), server.socket(f"/phone/twilio/{token}"):
        pass
    assert not server.host.opened


@pytest.mark.parametrize("token", ["", "guessed", "' or 1=1", "%00", "a" * 5000, "..%2f..", "é"])
def test_forged_tokens(serve: Serve, token: str) -> None:
    server = serve(**KEYS)
    for path in (f"/ws?token={token}", f"/sessions/{token or 'x'}/ws", f"/phone/twilio/{token or 'x'}"):
        with pytest.raises(WebSocketDisconnect), server.socket(path):
            pass
    assert not server.host.opened


def test_keys_cannot_be_tried_for_long(serve: Serve) -> None:
    server = serve(**KEYS, burst=20, per_minute=1)
    tried = [
        server.client.post("/start", json={}, headers={"authorization": f"Bearer guess{number}"}).status_code
        for number in range(40)
    ]
    assert tried[:20] == [401] * 20
    assert set(tried[20:]) == {429}


def test_addresses_cannot_be_claimed(serve: Serve) -> None:
    server = serve(burst=5, per_minute=1)
    tried = [
        server.client.post("/start", json={}, headers={"x-forwarded-for": f"203.0.113.{number}"}).status_code
        for number in range(10)
    ]
    assert tried == [200] * 5 + [429] * 5


# Too much --------------------------------------------------------------------------------------------


def test_a_thousand_half_open_offers(serve: Serve) -> None:
    server = serve(half_open=16, burst=100_000)
    with server.socket("/ws") as talking:
        answers = [server.client.post("/api/offer", json=OFFER) for _ in range(1000)]
        assert [answer.status_code for answer in answers].count(200) == 16
        assert {answer.status_code for answer in answers} == {200, 429}
        assert "retry-after" in answers[-1].headers
        assert len(server.admission.sessions) == 17
        assert len(server.admission.session_of) == 16
        talking.send_text("can you hear me?")
        assert talking.receive_text() == "can you hear me?"
        for session in server.host.opened[1:]:
            if session.opening.kind == "webrtc":
                server.client.portal.call(session.end, "nobody came")
    assert server.client.post("/api/offer", json=OFFER).status_code == 200
    assert len(server.admission.sessions) == 1


def test_one_address_cannot_take_all_lines(serve: Serve) -> None:
    server = serve(**KEYS, capacity=8, address="203.0.113.7")
    bearer = {"authorization": f"Bearer {PUBLIC}"}
    path = server.start_socket(**bearer)
    with server.socket("/ws", **bearer), server.socket("/ws", **bearer):
        for refused in (
            server.client.post("/start", json={}, headers=bearer),
            server.client.post("/api/offer", json=OFFER, headers=bearer),
        ):
            assert (refused.status_code, set(refused.json())) == (429, {"detail", "info"})
            assert int(refused.headers["retry-after"]) > 0
        for joined in ("/ws", path):
            with pytest.raises(WebSocketDenialResponse) as denied, server.socket(joined, **bearer):
                pass
            assert denied.value.status_code == 429
        with server.socket("/ws", authorization=f"Bearer {PRIVATE}"):
            pass  # one's own programs may come as often as they like
        server.come_from("203.0.113.8")
        with server.socket("/ws", **bearer):
            pass
        server.come_from("203.0.113.7")
    with server.socket(path):  # a line is free again, and the token was not used up
        assert len(server.admission.address_share) == 1
    assert len(server.admission.address_share) == 0


def test_one_address_cannot_hold_all_half_open_offers(serve: Serve) -> None:
    server = serve(**KEYS, half_open=4, address="203.0.113.7")
    bearer = {"authorization": f"Bearer {PUBLIC}"}
    offered = [server.client.post("/api/offer", json=OFFER, headers=bearer).status_code for _ in range(5)]
    assert offered == [200, 429, 429, 429, 429]
    server.come_from("203.0.113.8")
    assert server.client.post("/api/offer", json=OFFER, headers=bearer).status_code == 200
    server.come_from("203.0.113.7")
    server.client.portal.call(server.host.opened[0].begin)  # whoever has come may be followed
    assert server.client.post("/api/offer", json=OFFER, headers=bearer).status_code == 200


def test_this_machine_and_telephone_providers_may_take_all_lines(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(capacity=2)
    with server.socket("/ws"), server.socket("/ws"), server.socket("/ws"):
        assert server.host.running == 3
    monkeypatch.setenv("FREESWITCH_WEBSOCKET_USER", "u")
    monkeypatch.setenv("FREESWITCH_WEBSOCKET_PASSWORD", "p")
    server = serve(**KEYS, capacity=2, address="203.0.113.7")
    with (
        server.socket("/phone/freeswitch", authorization="Basic dTpw"),
        server.socket("/phone/freeswitch", authorization="Basic dTpw"),
    ):
        assert server.host.running == 2


def test_an_offer_that_waits_for_the_network_holds_up_no_other(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    answer, waited = ScriptedSession.offer, asyncio.Event()

    async def slow_offer(self: ScriptedSession, offer: Offer) -> OfferAnswer:
        if len(server.host.opened) <= 4:
            await waited.wait()
        return await answer(self, offer)

    monkeypatch.setattr(ScriptedSession, "offer", slow_offer)
    with ThreadPoolExecutor(4) as others:
        slow = [others.submit(server.client.post, "/api/offer", json=OFFER) for _ in range(4)]
        while len(server.host.opened) < 4:
            server.client.get("/health")
        assert server.client.post("/api/offer", json=OFFER).status_code == 200
        server.client.portal.call(waited.set)
        assert [one.result(10).status_code for one in slow] == [200] * 4


def test_those_that_have_come_are_not_half_open(serve: Serve) -> None:
    server = serve(half_open=1)
    for _ in range(5):
        assert server.client.post("/api/offer", json=OFFER).status_code == 200
        server.client.portal.call(server.host.opened[-1].begin)
    assert server.host.running == 5


def test_starts_that_nobody_joins_are_forgotten(serve: Serve) -> None:
    server = serve(burst=100_000)
    for _ in range(6000):
        server.admission.openings.mint(WebRTCOpening("s", "agent"))
    assert len(server.admission.openings) <= 5000


def a_request(*messages: dict[str, Any], seconds: float = 0.0) -> Request:
    """A request whose body comes in these pieces, one every so many seconds."""
    left = list(messages)

    async def receive() -> dict[str, Any]:
        await LoopClock().sleep(seconds)
        return left.pop(0)

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@virtual
async def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    piece = {"type": "http.request", "body": b"x", "more_body": True}
    with pytest.raises(Refused) as refused:
        await read_body(a_request(*[piece] * 1000, seconds=1), 1000)
    assert refused.value.status == 408
    assert asyncio.get_running_loop().time() <= 11


@virtual
async def test_a_body_that_breaks_off_is_refused() -> None:
    piece = {"type": "http.request", "body": b"x", "more_body": True}
    with pytest.raises(Refused) as refused:
        await read_body(a_request(piece, {"type": "http.disconnect"}), 1000)
    assert refused.value.status == 400


def test_a_connection_cannot_be_begun_anew_for_ever(serve: Serve) -> None:
    server = serve(burst=10, per_minute=1)
    peer = server.client.post("/api/offer", json=OFFER).json()["pc_id"]
    again = OFFER | {"pc_id": peer, "restart_pc": True}
    tried = [server.client.post("/api/offer", json=again).status_code for _ in range(20)]
    assert tried == [200] * 9 + [429] * 11


# What an address may hold ----------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["soap", "", "json&framing=", "%00"])
def test_framings_are_those_that_there_are(serve: Serve, framing: str) -> None:
    server = serve()
    if framing in ("", "json&framing="):
        framing = "x"
    with pytest.raises(WebSocketDenialResponse) as refused, server.socket(f"/ws?framing={framing}"):
        pass
    assert refused.value.status_code == 400


def test_headers_cannot_be_split(serve: Serve) -> None:
    server = serve()
    answer = server.client.post("/start", json={"transport": "websocket"}, headers={"host": "localhost:1"})
    assert answer.json()["wsUrl"].startswith("ws://localhost:1/ws?token=")
    refused = server.client.post("/start", json={}, headers={"host": "localhost/evil?x=#y"})
    assert refused.status_code in (200, 403)
