"""Our own clients in Chromium, over both transports, begun both ways; and their hooks for React."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error, Route

from .conftest import CLIENTS

pytestmark = pytest.mark.e2e

KINDS = ("webrtc", "websocket")
WAYS = [(kind, way) for kind in KINDS for way in ("start", "direct")]

CONNECT = """async ([options, server, way]) => {
    if (way === "start") options.start = { url: server + "/start", body: options.body };
    else options.endpoint = server + (options.transport === "webrtc" ? "/api/offer" : "/ws");
    options.tools = { weather: async ({ city }) => "blue over " + city };
    const client = (bench.client = bench.antiphon(options));
    await client.connect();
}"""


def connect(page: Any, server: str, kind: str, way: str = "start", **options: Any) -> None:
    """Bring our client into a conversation."""
    page.evaluate(CONNECT, [{"transport": kind, "observe": True, **options}, server, way])


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_conversation(page: Any, server: str, kind: str, way: str) -> None:
    connect(page, server, kind, way)
    assert page.evaluate("[bench.client.state, bench.client.mic]") == ["ready", True]

    heard = page.evaluate("bench.noted('transcript', (data) => data.who === 'user' && data.final, 20)")
    assert heard["text"] == "What time is it?"
    said = page.evaluate(
        "bench.noted('transcript', (data) => data.who === 'agent' && data.status === 'spoken')"
    )
    assert said["text"] == said["heard"]
    page.evaluate("bench.said('It is noon and all is well.')")
    turn = page.evaluate("bench.noted('turn', (data) => data.voiceToVoice !== null && data.said)")
    assert turn["user"] == "What time is it?"
    assert sum(turn["parts"].values()) == pytest.approx(turn["voiceToVoice"], abs=0.001)
    assert {"listening", "speaking", "talking"} <= set(
        page.evaluate("bench.notes.filter(([name]) => name === 'floor').map(([, { detail }]) => detail)")
    )
    latency = page.evaluate("bench.noted('latency')")
    assert latency["turn"] == turn["number"]
    assert 0 < latency["atEar"] < 3
    assert page.evaluate("bench.client.turns[0].atEar") == latency["atEar"]

    assert page.evaluate("bench.client.request('echo', { n: [1, 'ü'] })") == {"n": [1, "ü"]}
    refused = page.evaluate("bench.client.request('refuse').catch(({ code, message }) => [code, message])")
    assert refused == ["refused", "this is refused"]
    page.evaluate("bench.client.message('hello', 5)")
    assert page.evaluate("bench.noted('message', (data) => data.told === 'hello')")["data"] == 5
    page.evaluate("bench.client.pressKeys('12#')")
    page.evaluate("bench.noted('message', (data) => data.key === '#')")
    page.evaluate("bench.client.sendText('How is the weather?')")
    page.evaluate("bench.noted('tool', (data) => data.name === 'weather' && data.status === 'done')")
    page.evaluate("bench.said('The answer is blue over Paris.')")

    page.evaluate("bench.client.disconnect()")
    assert page.evaluate("bench.noted('state', (data) => data.state === 'ended')")["reason"] == ""
    assert page.evaluate("bench.count('error')") == 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_agent_is_heard_and_falls_silent_when_interrupted(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind, mic=False)
    page.evaluate("bench.client.sendText('Tell me at long last.')")
    page.evaluate("bench.noted('transcript', (data) => data.who === 'agent' && data.status === 'speaking')")
    loud = "bench.loudness(bench.client.tracks.agent, 0.4)"
    assert page.evaluate(loud) > 0.05
    page.evaluate("bench.client.sendText('Oh hush.')")
    quiet = page.evaluate(
        """async () => {
            const began = performance.now();
            while ((await bench.loudness(bench.client.tracks.agent, 0.05)) > 0.02)
                if (performance.now() - began > 2000) return null;
            return performance.now() - began;
        }"""
    )
    assert quiet is not None
    assert quiet < 500, "the player was not cleared"
    cut = page.evaluate("bench.noted('transcript', (data) => data.who === 'agent' && data.status === 'cut')")
    assert len(cut["heard"]) < len(cut["text"])
    page.evaluate("bench.client.sendText('What is the sum?')")
    page.evaluate("bench.said('The answer is 3.')")
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_microphone_no_permission_is_asked_for(
    browser: Any, pages: str, server: str, kind: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(pages)
        page.evaluate("void (navigator.mediaDevices.getUserMedia = () => { throw new Error('asked'); })")
        connect(page, server, kind, mic=False)
        page.evaluate("bench.client.sendText('What time is it?')")
        page.evaluate("bench.noted('transcript', (data) => data.who === 'agent' && data.status === 'spoken')")
        refused = page.evaluate("bench.client.setMic(true).catch(({ code }) => code)")
        assert refused == "mic"
        page.evaluate("bench.client.disconnect()")


def test_a_lost_network_is_got_over_in_the_same_conversation(page: Any, server: str) -> None:
    connect(page, server, "webrtc", mic=False)
    page.evaluate("bench.client.sendText('What time is it?')")
    page.evaluate("bench.noted('turn', (data) => data.said)")
    page.evaluate("bench.client.message('renegotiate')")
    page.wait_for_function("bench.count('negotiated', (peer) => peer === 0) === 2")
    assert page.evaluate("bench.client.request('echo', 1)") == 1
    page.evaluate("bench.lose(bench.peers[0])")
    page.evaluate("bench.noted('state', (data) => data.state === 'reconnecting')")
    page.wait_for_function("bench.client.state === 'ready'")
    assert page.evaluate("bench.client.request('echo', 2)") == 2
    assert page.evaluate("bench.client.turns.length") == 1
    page.evaluate("bench.client.sendText('And now?')")
    page.evaluate("bench.noted('turn', (data) => data.number === 2 && data.voiceToVoice !== null)")
    assert page.evaluate("bench.loudness(bench.client.tracks.agent, 0.3)") > 0.05
    page.evaluate("bench.client.disconnect()")


def test_a_server_that_is_killed_is_missed_within_seconds(
    page: Any, mortal_server: tuple[str, Callable[[], None]]
) -> None:
    server, kill = mortal_server
    connect(page, server, "webrtc", mic=False)
    page.wait_for_timeout(4000)  # nobody says a word: that is no loss
    assert page.evaluate("bench.count('state', (data) => data.state === 'reconnecting')") == 0
    began = page.evaluate("performance.now()")
    kill()
    lost = page.evaluate("bench.noted('state', (data) => data.state === 'reconnecting')")
    assert page.evaluate("performance.now()") - began < 4500  # it is known without this after 7 s
    assert lost["reason"] == "the server has fallen silent"
    page.evaluate("bench.client.disconnect()")


def test_an_agent_that_is_busy_when_it_begins_is_waited_for(page: Any, server: str) -> None:
    connect(page, server, "webrtc", mic=False, body={"body": {"busy": True}})
    assert page.evaluate("bench.client.request('echo', 1)") == 1
    assert page.evaluate("bench.count('state', (data) => data.state === 'reconnecting')") == 0
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", KINDS)
def test_a_microphone_that_goes_is_told_and_can_come_back(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind)
    page.evaluate(
        "(({ mic }) => { mic.stop(); mic.dispatchEvent(new Event('ended')); })(bench.client.tracks)"
    )
    assert page.evaluate("bench.noted('error')")["code"] == "mic"
    assert page.evaluate("[bench.client.mic, bench.client.tracks.mic ?? null]") == [False, None]
    page.evaluate("bench.client.setMic(true)")
    assert page.evaluate("[bench.client.mic, bench.client.tracks.mic.enabled]") == [True, True]
    page.evaluate("bench.client.disconnect()")


def test_a_lost_socket_is_opened_again(page: Any, server: str) -> None:
    connect(page, server, "websocket", mic=False)
    page.evaluate("bench.sockets[0].close(4000)")
    page.evaluate("bench.noted('state', (data) => data.state === 'reconnecting')")
    page.wait_for_function("bench.client.state === 'ready'")
    assert page.evaluate("bench.client.request('echo', 2)") == 2
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", KINDS)
def test_microphone_off_and_on(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind)
    page.evaluate("bench.client.setMic(false)")
    assert page.evaluate("[bench.client.mic, bench.client.tracks.mic.enabled]") == [False, False]
    page.wait_for_timeout(7500)  # the caller's question comes by once
    heard = page.evaluate("bench.count('transcript', (data) => data.who === 'user')")
    page.evaluate("bench.client.setMic(true)")
    page.wait_for_function(
        f"bench.count('transcript', ({{ who }}) => who === 'user') > {heard}",
        timeout=20_000,
    )
    assert heard <= 1, "it was heard while it was off"
    devices = page.evaluate("bench.client.devices()")
    assert devices["mics"]
    page.evaluate("(id) => bench.client.setMic(id)", devices["mics"][-1]["id"])
    page.evaluate(
        "(id) => bench.client.setSpeaker(id)", devices["speakers"][0]["id"] if devices["speakers"] else ""
    )
    page.evaluate("bench.client.disconnect()")
    assert page.evaluate("bench.client.tracks") == {}


def test_camera_on_and_off(page: Any, server: str) -> None:
    connect(page, server, "webrtc", mic=False)
    page.evaluate("bench.client.setCamera(true)")
    page.wait_for_function(
        """async () => [...(await bench.peers[0].getStats()).values()].some((stat) =>
            stat.type === "outbound-rtp" && stat.kind === "video" && stat.packetsSent > 10)"""
    )
    page.evaluate("bench.client.setCamera(false)")
    assert page.evaluate("[bench.client.camera, bench.client.tracks.camera ?? null]") == [False, None]
    page.evaluate("bench.client.disconnect()")
    connect(page, server, "websocket", mic=False)
    assert page.evaluate("bench.client.setCamera(true).catch(({ code }) => code)") == "usage"
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_says_so(page: Any, server: str, kind: str) -> None:
    ask = "(options) => bench.attempt(bench.antiphon(options))"
    nowhere = page.evaluate(
        ask,
        {"transport": kind, "start": {"url": server + "/start", "body": {"agent": "nobody"}}, "mic": False},
    )
    assert nowhere[:3] == ["start", 404, "ended"]
    assert "no such agent" in nowhere[3]
    closed = {"transport": kind, "endpoint": "http://127.0.0.1:9/ws", "mic": False, "timeout": 5}
    assert page.evaluate(ask, closed)[0] in ("start", "connection", "timeout")
    usage = page.evaluate(
        "() => { try { bench.antiphon({}).sendText('x'); } catch (e) { return [e.code, e.message]; } }"
    )
    assert usage == ["usage", "The client is idle, not ready."]


def test_a_connection_that_is_given_up_leaves_nothing(page: Any, server: str) -> None:
    ended = page.evaluate(
        """async (server) => {
            const client = bench.antiphon({ endpoint: server + "/api/offer" });
            const connecting = bench.attempt(client);
            await new Promise((resolve) => setTimeout(resolve, 30));
            await client.disconnect();
            const closed = bench.peers.every(({ signalingState }) => signalingState === "closed");
            return [(await connecting)[0], client.state, closed];
        }""",
        server,
    )
    assert ended == ["usage", "ended", True]


def test_hooks_and_components_of_react(page: Any, server: str) -> None:
    page.evaluate("(server) => bench.showOurs({ start: { url: server + '/start' }, observe: true })", server)

    def text(part: str) -> str:
        return page.evaluate(f"document.querySelector({part!r}).textContent")

    page.wait_for_selector("#talk")
    assert [text("#talk"), text("#state")] == ["Talk", "idle"]
    assert "nothing yet" in text("#root")
    page.click("#talk")
    page.wait_for_function("document.querySelector('#state').textContent === 'ready'")
    assert text("#talk") == "End"
    page.wait_for_function("document.querySelector('#mic').getAttribute('aria-pressed') === 'true'")
    page.wait_for_function(
        "document.querySelector('#turns').textContent === 'What time is it?'", timeout=20_000
    )
    page.wait_for_function("document.querySelector('#level').value > 0.3")
    page.wait_for_function("document.querySelector('#transcript li[data-who=agent][data-status=spoken]')")
    said = "[...document.querySelectorAll('#transcript li')].map((line) => line.innerText.trim()).slice(0, 2)"
    assert page.evaluate(said) == ["You What time is it?", "Agent It is noon and all is well."]
    page.wait_for_function("Number(document.querySelector('#latency').textContent) > 0")
    page.wait_for_function("Number(document.querySelector('#mics').textContent) > 0")
    page.click("#mic")
    page.wait_for_function("document.querySelector('#mic').getAttribute('aria-pressed') === 'false'")
    page.click("#talk")
    page.wait_for_function("document.querySelector('#state').textContent === 'ended'")


def test_a_typed_turn_counts_from_when_it_was_sent(page: Any, server: str) -> None:
    connect(page, server, "webrtc")
    page.evaluate(
        "bench.noted('turn', (data) => data.heard.trim() && data.heard.trim() === data.said.trim(), 20)"
    )  # a spoken one
    page.wait_for_timeout(600)  # the ear takes a voice for a new one after 300 ms of quiet
    page.evaluate("window.sent = performance.now(), bench.client.sendText('What is the sum?')")
    page.evaluate("bench.noted('latency', (data) => bench.client.turns[data.turn - 1].typed)")
    since = page.evaluate("(performance.now() - sent) / 1000")
    turn = page.evaluate("bench.client.turns.find(({ typed }) => typed)")
    assert turn["user"] == "What is the sum?"
    assert turn["voiceToVoice"] <= turn["atEar"] <= since
    page.evaluate("bench.client.setVolume(0.5)")
    page.evaluate("bench.client.disconnect()")


def test_the_packed_clients_in_an_app_with_the_newest_react(browser: Any, node: str, tmp_path: Path) -> None:
    app = CLIENTS / "test-app"
    if not (app / "node_modules/react").is_dir():
        pytest.skip("the clients' packages are not installed: make clients")
    modules = tmp_path / "node_modules"
    for name in ("client", "react"):
        folder = CLIENTS / {"client": "js", "react": "react"}[name]
        packed = subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", tmp_path],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:{Path(node).parent}"},
        )
        shutil.unpack_archive(tmp_path / packed.stdout.strip(), tmp_path / name, "gztar")
        (modules / "@antiphon").mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "package").rename(modules / "@antiphon" / name)
    for name in ("react", "react-dom"):
        (modules / name).symlink_to(app / "node_modules" / name)
    shutil.copy(app / "main.jsx", tmp_path)
    (tmp_path / "index.html").write_text('<div id="root"></div><script type="module" src="app.js"></script>')
    bundle = [CLIENTS / "node_modules/esbuild/bin/esbuild", "main.jsx", "--bundle", "--jsx=automatic"]
    options = ["--format=esm", "--outfile=app.js", "--log-level=error"]
    subprocess.run([*bundle, *options], cwd=tmp_path, check=True)
    failures: list[str] = []
    with browser.new_context() as context:
        page = context.new_page()

        def failed(error: Error) -> None:
            failures.append(str(error))

        def fulfil(route: Route) -> None:
            route.fulfill(path=tmp_path / route.request.url.rsplit("/", 1)[1])

        page.on("pageerror", failed)
        page.route("**/*", fulfil)
        page.goto("http://localhost/index.html")
        page.wait_for_selector("button >> text=Talk")
        assert (page.locator("body").get_attribute("data-react") or "").startswith("19.")
        assert "Say something." in page.locator("#root").inner_text()
    assert failures == []
