"""The telephone's webhooks and sockets, and calls that we make."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import WebSocketDenialResponse

from antiphon.clock import LoopClock
from antiphon.errors import UnavailableError
from antiphon.server import documents
from antiphon.server.settings import ServerSettings
from antiphon.transports.telephony.port import Document, Flow, RestRequest
from antiphon.transports.telephony.rest import Rest

Serve = Callable[..., Any]

HOME = "https://voice.example.com"
NOW = 1_750_000_000.0
FORM = {"CallSid": "CA1", "From": "+4930111", "To": "+4930222", "Direction": "inbound"}


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "12345")
    monkeypatch.setenv("TWILIO_NUMBER", "+4930222")


def signature(url: str, form: dict[str, str], token: str = "12345") -> dict[str, str]:
    """By Twilio's rule, written anew: https://www.twilio.com/docs/usage/security"""
    text = url + "".join(name + form[name] for name in sorted(form))
    mac = hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()
    return {"x-twilio-signature": base64.b64encode(mac).decode()}


def ring(server: Any, query: str = "", **changed: str) -> Any:
    form = FORM | changed
    return server.client.post(
        f"/phone/twilio{query}", data=form, headers=signature(f"{HOME}/phone/twilio{query}", form)
    )


def stream(answer: Any) -> str:
    """The path of the socket that a document names."""
    url = re.search(r'<Stream url="wss://voice\.example\.com([^"]+)"', answer.text)
    assert url is not None
    return unescape(url[1])


def test_a_call_that_rings_is_connected_with_a_session(serve: Serve) -> None:
    server = serve(public_url=HOME)
    answer = ring(server, "?agent=other")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/xml")
    assert '<Parameter name="from" value="+4930111"/>' in answer.text
    with server.socket(stream(answer)) as socket:
        socket.send_text("{}")
        assert socket.receive_text() == "{}"
    opening = server.host.opened[0].opening
    assert (opening.kind, opening.agent, opening.provider) == ("phone", "other", "twilio")


def test_a_socket_is_good_for_one_call(serve: Serve) -> None:
    server = serve(public_url=HOME)
    path = stream(ring(server))
    with server.socket(path):
        pass
    for again in (path, path.replace("twilio", "plivo"), "/phone/twilio/guessed", "/phone/twilio"):
        with pytest.raises(WebSocketDenialResponse) as refused, server.socket(again):
            pass
        assert refused.value.status_code == 403
    assert len(server.host.opened) == 1


def test_a_socket_is_that_of_its_provider(serve: Serve) -> None:
    server = serve(public_url=HOME)
    with (
        pytest.raises(WebSocketDenialResponse),
        server.socket(stream(ring(server)).replace("twilio", "plivo")),
    ):
        pass
    assert not server.host.opened


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-twilio-signature": ""},
        {"x-twilio-signature": "AAAA"},
        signature(f"{HOME}/phone/twilio", FORM, token="54321"),
        signature(f"{HOME}/phone/twilio?agent=other", FORM),
        signature(f"{HOME}/phone/twilio", FORM | {"From": "+4930333"}),
        signature("http://localhost:7860/phone/twilio", FORM),
    ],
)
def test_what_is_not_signed_is_refused(serve: Serve, headers: dict[str, str]) -> None:
    server = serve(public_url=HOME)
    for path in ("/phone/twilio", "/phone/twilio/status"):
        answer = server.client.post(path, data=FORM, headers=headers)
        assert (answer.status_code, set(answer.json())) == (403, {"detail", "info"})
    assert len(server.admission.openings) == 0


def test_without_the_secret_nothing_can_be_proven(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(public_url=HOME)
    monkeypatch.delenv("TWILIO_AUTH_TOKEN")
    answer = ring(server)
    assert answer.status_code == 503
    assert "TWILIO" not in answer.text


def test_signatures_can_be_switched_off(serve: Serve) -> None:
    server = serve(public_url=HOME, check_signatures=False)
    assert server.client.post("/phone/twilio", data=FORM).status_code == 200


def test_a_call_is_told_when_all_lines_are_busy(serve: Serve) -> None:
    server = serve(public_url=HOME, room=1)
    with server.socket(stream(ring(server))):
        assert ring(server, CallSid="CA2").status_code == 429


def test_a_webhook_that_comes_again_is_given_nothing_new(serve: Serve) -> None:
    server = serve(public_url=HOME)
    first = ring(server)
    again = ring(server)
    assert again.text == first.text, "the provider's own retry, or a replay that comes to the same call"
    with server.socket(stream(first)):
        for _ in range(3):
            replayed = ring(server)
            assert (replayed.status_code, set(replayed.json())) == (403, {"detail", "info"})
    assert ring(server).status_code == 403, "nor when the call is over"
    assert stream(ring(server, CallSid="CA2")) != stream(first), "other calls are answered"
    assert len(server.host.opened) == 1


def test_a_webhook_whose_call_never_came_is_not_answered_anew(serve: Serve) -> None:
    server = serve(public_url=HOME, join_within=0.05)
    ring(server)
    server.client.portal.call(LoopClock().sleep, 0.1)
    assert ring(server).status_code == 403


def test_what_was_signed_is_not_sent_again_in_another_form(serve: Serve) -> None:
    """A signature of fields says nothing of their order, of doubles, of the method, or of another body."""
    server = serve(public_url=HOME)
    path = stream(ring(server))
    signed = signature(f"{HOME}/phone/twilio", FORM)
    turned = dict(reversed(FORM.items()))
    assert stream(server.client.post("/phone/twilio", data=turned, headers=signed)) == path
    doubled = server.client.post("/phone/twilio", data={"From": [FORM["From"]] * 2} | turned, headers=signed)
    assert stream(doubled) == path
    bare = signature(f"{HOME}/phone/twilio", {})
    assert server.client.get("/phone/twilio", headers=bare).status_code == 200
    assert server.client.post("/phone/twilio", json={"CallSid": "CA9"}, headers=bare).status_code == 403


def vonage(number: int) -> dict[str, str]:
    """A webhook without a body: https://developer.vonage.com/en/getting-started/concepts/webhooks"""
    parts = ({"alg": "HS256"}, {"iat": NOW, "jti": number})
    head = ".".join(urlsafe(json.dumps(part).encode()) for part in parts)
    return {
        "authorization": f"Bearer {head}.{urlsafe(hmac.digest(b'shared', head.encode(), 'sha256'))}",
        "content-type": "application/json",
    }


def urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("known", ["/status", "?session=of-a-call-that-we-made"])
def test_what_was_said_of_a_call_of_ours_is_not_sent_again_as_one_that_rings(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    """The signatures of Telnyx and Vonage say nothing of the address."""
    monkeypatch.setattr("antiphon.server.phone.time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setenv("VONAGE_SIGNATURE_SECRET", "shared")
    client = serve(public_url=HOME).client
    for _ in range(2):
        assert client.get(f"/phone/vonage{known}", headers=vonage(1)).status_code < 300
    for query in ("", "?agent=other"):
        assert client.get(f"/phone/vonage{query}", headers=vonage(1)).status_code == 403
    rings = client.get("/phone/vonage", headers=vonage(2)).json()
    client.get("/phone/vonage/status", headers=vonage(2))
    assert client.get("/phone/vonage?agent=other", headers=vonage(2)).json() == rings


def test_signed_webhooks_are_remembered_in_bounded_memory(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antiphon.server.phone.ANSWERED", 3)
    server = serve(public_url=HOME)
    paths = [stream(ring(server, CallSid=f"CA{number}")) for number in range(5)]
    assert [stream(ring(server, CallSid=f"CA{number}")) for number in (2, 3, 4)] == paths[2:]


@pytest.mark.parametrize("name", ["nobody", "port", "..", "call", "twilio%2F..", "a" * 5000])
def test_there_is_no_other_provider(serve: Serve, name: str) -> None:
    client = serve(public_url=HOME).client
    assert client.post(f"/phone/{name}", data=FORM).status_code in (404, 405)


# Calls of ours ---------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RestRequest]:
    """The requests to the provider, each of which is answered with a call."""
    requests: list[RestRequest] = []

    async def run(self: Rest, flow: Flow, name: str) -> str:
        try:
            step = next(flow)
            while True:
                assert isinstance(step, RestRequest)
                requests.append(step)
                step = flow.send({"sid": "CA2"})
        except StopIteration as end:
            return str(end.value)

    monkeypatch.setattr(Rest, "run", run)
    return requests


def test_a_call_is_made(serve: Serve, asked: list[RestRequest]) -> None:
    server = serve(public_url=HOME)
    done = server.client.post("/dial", json={"to": "+4930444", "provider": "twilio", "body": {"order": 7}})
    assert done.json()["call"] == "CA2"
    form = asked[0].form or {}
    assert (form["To"], form["From"]) == ("+4930444", "+4930222")
    assert form["StatusCallback"] == f"{HOME}/phone/twilio/status"
    path = re.search(r'url="wss://voice\.example\.com([^"]+)"', form["Twiml"])
    assert path is not None
    with server.socket(path[1]):
        pass
    opening = server.host.opened[0].opening
    assert (opening.body, opening.dialled) == ({"order": 7}, "+4930444")
    assert opening.placed == "CA2"


def test_the_only_provider_that_is_set_up_dials(serve: Serve, asked: list[RestRequest]) -> None:
    server = serve(public_url=HOME)
    assert server.client.post("/dial", json={"to": "+4930444"}).json()["provider"] == "twilio"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"to": 7}, 400),
        ({"to": "+49", "provider": "nobody"}, 404),
        ({"to": "+49", "agent": "nobody"}, 404),
        ({"to": "+49", "provider": "../twilio"}, 404),
        ({"to": "+49", "provider": "exotel"}, 400),  # of which there is no account
    ],
)
def test_what_cannot_be_dialled(serve: Serve, body: dict[str, Any], status: int) -> None:
    server = serve(public_url=HOME)
    assert server.client.post("/dial", json=body).status_code == status


def test_a_provider_that_refuses_is_told_of(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Rest, flow: Flow, name: str) -> str:
        raise UnavailableError("Twilio has no such number")

    monkeypatch.setattr(Rest, "run", run)
    answer = serve(public_url=HOME).client.post("/dial", json={"to": "+49", "provider": "twilio"})
    assert (answer.status_code, answer.json()["detail"]) == (502, "Twilio has no such number")


# Documents -------------------------------------------------------------------------------------------


def test_a_document_is_fetched_from_its_own_address(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = ServerSettings(public_url=HOME)
    publish = documents.publisher(settings)
    assert publish is not None
    path = publish(Document("<Response/>")).removeprefix(HOME)
    server = serve(public_url=HOME, secret=settings.secret)
    answer = server.client.post(path)
    assert (answer.text, answer.headers["content-type"][:8]) == ("<Response/>", "text/xml")
    assert server.client.get(path[:-2]).status_code == 404
    assert server.client.get(path.replace("documents/", "documents/A")).status_code == 404
    assert serve(public_url=HOME).client.get(path).status_code == 404  # another server's secret
    monkeypatch.setattr(documents.time, "time", lambda: 1e12)
    assert server.client.get(path).status_code == 404


@pytest.mark.parametrize("name", ["A", "é", "%00", "!!!!", "A" * 5000, "=" * 40])
def test_no_other_address_has_a_document(serve: Serve, name: str) -> None:
    assert serve().client.get(f"/phone/documents/{name}").status_code == 404


def test_without_a_public_address_nothing_is_published() -> None:
    assert documents.publisher(ServerSettings()) is None


def test_a_call_that_rings_is_let_in_by_a_server_that_drains(serve: Serve) -> None:
    server = serve(public_url=HOME, drain=60)
    path = stream(ring(server))
    drained = server.client.portal.start_task_soon(server.admission.drain)
    server.client.portal.call(LoopClock().sleep, 0.3)
    assert not drained.done()
    assert ring(server, CallSid="CA2").status_code == 503, "but no other"
    assert stream(ring(server)) == path, "but the provider may ask again"
    with server.socket(path) as socket:
        socket.send_text("{}")
        assert socket.receive_text() == "{}"
        assert not drained.done()
    drained.result(5)


def test_calls_that_never_come_are_not_waited_for(serve: Serve) -> None:
    server = serve(public_url=HOME, join_within=0.2, drain=60)
    ring(server)
    server.client.portal.start_task_soon(server.admission.drain).result(5)


def test_the_answer_tells_the_socket_which_call_it_is(serve: Serve) -> None:
    assert '<Parameter name="call" value="CA1"/>' in ring(serve(public_url=HOME)).text


def test_servers_that_are_not_set_up_cannot_be_made_to_say_so_for_ever(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(public_url=HOME, burst=5, per_minute=1)
    answers = [server.client.post("/phone/telnyx", data=FORM).status_code for _ in range(20)]
    assert answers == [503] * 5 + [429] * 15
    assert len(caplog.records) < 10


def genesys(path: str, now: float) -> dict[str, str]:
    """A handshake that is signed: https://developer.genesys.cloud/devapps/audiohook/security"""
    headers = {
        "audiohook-organization-id": "o",
        "audiohook-session-id": "s",
        "audiohook-correlation-id": "c",
        "x-api-key": "k",
    }
    known = {"@request-target": path, "@authority": "voice.example.com"} | headers
    params = f'({" ".join(map(quoted, known))});keyid="k";nonce="n{now}";alg="hmac-sha256";created={now:.0f}'
    base = "".join(f"{quoted(name)}: {value}\n" for name, value in known.items())
    base += f'"@signature-params": {params}'
    mac = base64.b64encode(hmac.digest(b"shared", base.encode(), "sha256")).decode()
    return headers | {"signature-input": f"sig1={params}", "signature": f"sig1=:{mac}:"}


def quoted(text: str) -> str:
    return f'"{text}"'


def test_a_signed_handshake_is_good_once(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.server.phone.time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setenv("GENESYS_API_KEY", "k")
    monkeypatch.setenv("GENESYS_CLIENT_SECRET", "shared")
    server = serve(public_url=HOME)  # behind a proxy, which calls it something else
    path = "/phone/genesys?agent=other"
    signed = genesys(path, NOW)
    with server.socket(path, **signed):
        pass
    renamed = {name: text.replace("sig1=", "sig2=") for name, text in signed.items()}
    for refused in (signed, renamed, genesys("/phone/genesys", NOW - 1)):
        with pytest.raises(WebSocketDenialResponse) as answer, server.socket(path, **refused):
            pass
        assert answer.value.status_code == 403
    with server.socket(path, **genesys(path, NOW - 2)):
        pass
    assert [session.opening.agent for session in server.host.opened] == ["other", "other"]
