"""What a server says of itself, and how it says that something is wrong."""

from collections.abc import Callable
from typing import Any

import pytest

from antiphon.server.port import SessionOver, TurnAnswered

Serve = Callable[..., Any]


def test_it_is_healthy_and_ready(serve: Serve) -> None:
    client = serve().client
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/status").json() == {"status": "ready", "transports": ["webrtc", "websocket"]}
    assert client.get("/agents").json() == {"agents": [{"name": "agent"}, {"name": "other"}]}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/start", 405),
        ("DELETE", "/api/offer", 405),
        ("GET", "/nowhere.php", 404),
        ("POST", "/ws", 404),
        ("GET", "/sessions/x", 404),
        ("POST", "/", 405),
    ],
)
def test_errors_are_json(serve: Serve, method: str, path: str, status: int) -> None:
    answer = serve().client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"detail", "info"}


def test_an_error_of_ours_says_nothing_of_us(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve()

    def broken(*_: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(server.admission, "check_room", broken)
    answer = server.client.post("/start", json={})
    assert (answer.status_code, set(answer.json())) == (500, {"detail", "info"})
    assert "swordfish" not in answer.text


def test_a_server_that_drains_takes_nobody_in(serve: Serve) -> None:
    server = serve()
    with server.socket("/ws") as socket:
        server.admission.draining = True
        assert server.client.get("/ready").status_code == 503
        assert server.client.get("/health").status_code == 200
        refused = server.client.post("/start", json={})
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        socket.send_text("still there?")  # who talks goes on
        assert socket.receive_text() == "still there?"


def test_draining_ends_with_the_last_session(serve: Serve) -> None:
    server = serve(drain=60)
    with server.socket("/ws"), server.socket("/ws"):
        drained = server.client.portal.start_task_soon(server.admission.drain)
        server.client.portal.call(server.host.opened[0].end, "done")
        assert not drained.done()
        server.client.portal.call(server.host.opened[1].end, "done")
        drained.result(5)
    assert server.host.running == 0


def test_draining_ends_when_its_time_is_over(serve: Serve) -> None:
    server = serve(drain=0)
    with server.socket("/ws"):
        server.client.portal.call(server.admission.drain)
    assert server.host.running == 0


def test_metrics_are_those_of_prometheus(serve: Serve) -> None:
    server = serve()
    with server.socket("/ws"):
        pass
    server.client.get("/nowhere")
    parts = {"endpointing": 0.2, "stt": 0.1, "playout": 0.15}
    server.host.on_report(TurnAnswered("s", "a", "phone", 1, 0.45, parts, interrupted=True))
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        'antiphon_sessions_began_total{kind="websocket"} 1',
        'antiphon_sessions_ended_total{kind="websocket",reason="the client left"} 1',
        "antiphon_sessions 0",
        'antiphon_refused_total{status="404"} 1',
        "antiphon_replies_interrupted_total 1",
        'antiphon_voice_to_voice_seconds_bucket{le="0.4"} 0',
        'antiphon_voice_to_voice_seconds_bucket{le="0.5"} 1',
        'antiphon_voice_to_voice_seconds_bucket{le="+Inf"} 1',
        "antiphon_voice_to_voice_seconds_sum 0.45",
        'antiphon_turn_part_seconds_total{part="endpointing"} 0.2',
    ):
        assert line in lines


def test_what_metrics_count_is_bounded_and_names_nobody(serve: Serve) -> None:
    server = serve()
    for number in range(1000):
        for reason in (f'transferred to "+4930{number:06}"\n', f"said goodbye to +4930{number:06}"):
            server.host.on_report(SessionOver("s", "a", "phone", reason, 1.0))
    lines = [line for line in server.client.get("/metrics").text.splitlines() if "ended_total{" in line]
    assert lines == [
        'antiphon_sessions_ended_total{kind="phone",reason="transferred"} 1000',
        'antiphon_sessions_ended_total{kind="phone",reason="other"} 1000',
    ]


def test_the_page_lets_nothing_in_from_elsewhere(serve: Serve) -> None:
    answer = serve().client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert serve().client.get("/page.js").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/../settings.py", "/%2e%2e/settings.py", "/..%2fsettings.py", "//etc/passwd"]
)
def test_the_page_has_no_other_files(serve: Serve, path: str) -> None:
    assert serve().client.get(path).status_code == 404


def test_the_page_can_be_left_out(serve: Serve) -> None:
    assert serve(page=False).client.get("/").status_code == 404


@pytest.mark.parametrize(
    "asked", [{"origin": "https://evil.example"}, {"access-control-request-method": "PUT"}]
)
def test_what_a_page_may_not_ask_is_refused_in_json(serve: Serve, asked: dict[str, str]) -> None:
    about = {"origin": "http://localhost:3000", "access-control-request-method": "POST"}
    client = serve().client
    assert client.options("/start", headers=about).status_code == 200
    answer = client.options("/start", headers=about | asked)
    assert (answer.status_code, set(answer.json())) == (400, {"detail", "info"})
    assert "access-control-allow-origin" not in answer.headers
