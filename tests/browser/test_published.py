"""The published clients as they are, in Chromium, over both transports, begun both ways."""

from typing import Any

import pytest

pytestmark = pytest.mark.e2e

WAYS = [(kind, way) for kind in ("webrtc", "websocket") for way in ("start", "direct")]

CONNECT = """async ([kind, way, server, body]) => {
    const client = (bench.client = bench.published(kind));
    if (way === "start") {
        const requestData = { transport: kind, enableDefaultIceServers: true, body };
        return await client.startBotAndConnect({ endpoint: server + "/start", requestData });
    }
    const url = kind === "webrtc"
        ? { webrtcRequestParams: { endpoint: server + "/api/offer", requestData: body } }
        : { wsUrl: server.replace("http", "ws") + "/ws-client" };
    return await client.connect(url);
}"""


def connect(page: Any, server: str, kind: str, way: str, body: object = None) -> Any:
    """Bring the published client into a conversation; what the agent says of itself."""
    return page.evaluate(CONNECT, [kind, way, server, body])


@pytest.mark.parametrize(("kind", "way"), WAYS)
def test_a_conversation(page: Any, server: str, kind: str, way: str) -> None:
    ready = connect(page, server, kind, way)
    assert ready["version"].startswith("2.")
    assert page.evaluate("bench.client.state") == "ready"

    # The caller's voice comes in, and the agent's comes out.
    heard = page.evaluate("bench.noted('userTranscript', (data) => data.final, 20)")
    assert heard["text"] == "What time is it?"
    page.evaluate("bench.noted('botStartedSpeaking')")
    said = page.evaluate("bench.noted('botOutput', (data) => data.spoken_status === 'completed')")
    assert said["spoken_progress"] == {"accumulated_text": said["text"], "remaining_text": ""}
    page.evaluate("bench.noted('botStoppedSpeaking')")
    page.evaluate("bench.said('It is noon and all is well.')")

    # What programs tell one another.
    answer = page.evaluate("bench.client.sendClientRequest('echo', { n: [1, 'ü'] })")
    assert answer == {"n": [1, "ü"]}
    refusal = page.evaluate(
        "bench.client.sendClientRequest('refuse').catch((e) => e.data?.error ?? e.message)"
    )
    assert "refused" in str(refusal)
    page.evaluate("bench.client.sendClientMessage('hello', 5)")
    told = page.evaluate("bench.noted('serverMessage', (data) => data.told === 'hello')")
    assert told["data"] == 5
    page.evaluate("bench.client.sendDTMF('12#')")
    page.evaluate("bench.noted('serverMessage', (data) => data.key === '#')")
    page.evaluate("bench.client.sendClientMessage('command')")
    page.evaluate("bench.noted('uiCommand', (data) => data.command === 'toast')")

    page.evaluate("bench.client.disconnect()")
    assert page.evaluate("bench.client.state") == "disconnected"
    page.evaluate("bench.noted('disconnected')")


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_a_function_of_the_client_and_one_of_the_server(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind, "start")
    page.evaluate("bench.client.enableMic(false)")
    page.evaluate("bench.client.sendText('How is the weather?')")
    call = page.evaluate(
        "bench.noted('llmFunctionCallInProgress', (data) => data.function_name === 'weather')"
    )
    assert call["arguments"] == {"city": "Paris"}
    page.evaluate("bench.said('blue over Paris')")
    page.evaluate("bench.client.sendText('What is the sum?')")
    call = page.evaluate("bench.noted('llmFunctionCallStopped', (data) => data.function_name === 'add')")
    assert call["result"] == 3
    page.evaluate("bench.said('The answer is 3.')")
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_a_greeting_is_told_to_a_client_that_has_just_come(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind, "start", {"greet": True})
    page.evaluate("bench.said('Good day.')")


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_what_is_typed_interrupts(page: Any, server: str, kind: str) -> None:
    connect(page, server, kind, "start")
    page.evaluate("bench.client.enableMic(false)")
    page.evaluate("bench.client.sendText('Tell me at long last.')")
    page.evaluate("bench.noted('botOutput', (data) => data.spoken_status === 'in-progress')")
    page.evaluate("bench.client.sendText('What time is it?')")
    page.evaluate("bench.said('It is noon and all is well.')")
    assert page.evaluate("bench.count('botStartedSpeaking')") == 2
    page.evaluate("bench.client.disconnect()")


def test_renegotiation_and_restart_keep_the_conversation(page: Any, server: str) -> None:
    connect(page, server, "webrtc", "start")
    page.evaluate("bench.client.sendClientMessage('renegotiate')")
    page.wait_for_function("bench.count('negotiated', (peer) => peer === 0) === 2")
    assert page.evaluate("bench.client.sendClientRequest('echo', 1)") == 1
    page.evaluate("bench.lose(bench.peers[0])")
    page.wait_for_function("bench.peers.length > 1 && bench.peers.at(-1).iceConnectionState === 'connected'")
    page.wait_for_function("bench.client.sendClientRequest('echo', 2).then((n) => n === 2, () => false)")
    # It stops its microphone's track with the old connection, so that we type.
    page.evaluate("bench.client.sendText('What time is it?')")
    page.evaluate("bench.said('It is noon and all is well.')")
    page.evaluate("bench.client.disconnect()")


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_the_hooks_of_react(page: Any, server: str, kind: str) -> None:
    page.evaluate("(kind) => bench.showPublished((bench.client = bench.published(kind)))", kind)
    page.evaluate(
        "([kind, server]) => bench.client.startBotAndConnect("
        "{ endpoint: server + '/start', requestData: { transport: kind } })",
        [kind, server],
    )
    page.wait_for_function("document.querySelector('#state').textContent === 'ready'")
    page.evaluate("bench.client.sendText('How is the weather?')")
    messages = "[...document.querySelectorAll('#messages li')].map((li) => li.textContent)"
    page.wait_for_function(f"{messages}.some((text) => text === 'function_call: weather completed')")
    page.wait_for_function(
        f"{messages}.some((text) => text.startsWith('assistant: ') && text.includes('[The'))"
    )
    page.wait_for_function(
        f"{messages}.some((text) => text.startsWith('user: What time is it?'))", timeout=20_000
    )
    page.evaluate("bench.client.disconnect()")
