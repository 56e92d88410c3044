"""Who may do what."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

Serve = Callable[..., Any]

PUBLIC, PRIVATE = "pk_0123456789abcdef", "sk_0123456789abcdef"
KEYS = {"public_keys": (PUBLIC,), "private_keys": (PRIVATE,)}
OFFER = {"sdp": "v=0", "type": "offer", "pc_id": None, "restart_pc": False}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("key", "start", "metrics", "dial"),
    [
        (PUBLIC, 200, 403, 403),
        (PRIVATE, 200, 200, 400),  # of the dial: there is no public address
        (PUBLIC + "x", 401, 401, 401),
        (PUBLIC[:-1], 401, 401, 401),
        ("", 401, 401, 401),
        ("é" * 20, 401, 401, 401),
    ],
)
def test_keys_have_rights(serve: Serve, key: str, start: int, metrics: int, dial: int) -> None:
    client = serve(**KEYS).client
    headers = {"authorization": f"Bearer {key}".encode()}
    assert client.post("/start", json={}, headers=headers).status_code == start
    assert client.post("/api/offer", json=OFFER, headers=headers).status_code == start
    assert client.get("/agents", headers=headers).status_code == start
    assert client.get("/metrics", headers=headers).status_code == metrics
    assert client.post("/dial", json={"to": "+49"}, headers=headers).status_code == dial


def test_only_a_bearer_shows_a_key(serve: Serve) -> None:
    client = serve(**KEYS).client
    for header in (PUBLIC, f"Basic {PUBLIC}", f"Token {PUBLIC}", "Bearer", f"Bearer{PUBLIC}"):
        assert client.post("/start", json={}, headers={"authorization": header}).status_code == 401
    assert client.post(f"/start?key={PUBLIC}", json={}).status_code == 401
    assert client.post("/start", json={}, headers={"authorization": f"bearer {PUBLIC}"}).status_code == 200


def test_who_joins_needs_the_token_alone(serve: Serve) -> None:
    server = serve(**KEYS)
    with server.socket(server.start_socket(**bearer(PUBLIC))) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    with pytest.raises(WebSocketDenialResponse) as refused, server.socket("/ws"):
        pass
    assert refused.value.status_code == 401
    with server.socket("/ws", **bearer(PUBLIC)):
        pass


@pytest.mark.parametrize(
    ("address", "at"),
    [
        ("203.0.113.7", "http://localhost:7860"),
        ("127.0.0.1", "http://evil.example:7860"),
        ("", "http://[::1"),
    ],
)
def test_without_keys_only_this_machine_is_served(serve: Serve, address: str, at: str) -> None:
    client = serve(address=address).client
    headers = {"host": at.removeprefix("http://")}
    for answer in (
        client.post("/start", json={}, headers=headers),
        client.post("/api/offer", json=OFFER, headers=headers),
        client.get("/agents", headers=headers),
        client.get("/metrics", headers=headers),
        client.patch("/api/offer", json={"pc_id": "x", "candidates": []}, headers=headers),
    ):
        assert answer.status_code == 403
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("settings", "origin", "status"),
    [
        ({}, "http://localhost:5173", 200),
        ({}, "http://127.0.0.1:9999", 200),
        ({}, "https://evil.example", 403),
        ({}, "http://localhost.evil.example", 403),
        ({}, "null", 403),
        ({}, "http://[::1", 403),
        (KEYS, "http://localhost:7860", 200),  # its own page
        (KEYS, "http://localhost:5173", 403),
        (KEYS, "https://evil.example", 403),
        (KEYS | {"origins": ("https://app.example",)}, "https://app.example", 200),
        (KEYS | {"origins": ("https://app.example",)}, "https://app.example.evil.example", 403),
        (KEYS | {"origins": ("https://app.example",)}, "http://app.example", 403),
        (KEYS | {"origins": ("*",)}, "https://anybody.example", 200),
        (KEYS | {"public_url": "https://voice.example"}, "https://voice.example", 200),
    ],
)
def test_pages_of_other_origins_stay_out(serve: Serve, settings: Any, origin: str, status: int) -> None:
    server = serve(**settings)
    headers = bearer(PUBLIC) | {"origin": origin}
    assert server.client.post("/start", json={}, headers=headers).status_code == status
    assert server.client.post("/api/offer", json=OFFER, headers=headers).status_code == status
    if status == 200:
        with server.socket("/ws", **headers):
            pass
    else:
        with pytest.raises(WebSocketDenialResponse) as refused, server.socket("/ws", **headers):
            pass
        assert refused.value.status_code == status


def test_browsers_are_told_who_may_come(serve: Serve) -> None:
    client = serve(**KEYS, origins=("https://app.example",)).client
    asked = {"access-control-request-method": "PATCH", "access-control-request-headers": "authorization"}
    allowed = client.options("/api/offer", headers=asked | {"origin": "https://app.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    refused = client.options("/api/offer", headers=asked | {"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers
