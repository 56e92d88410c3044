"""What providers are asked on the web: every request of every flow, and what becomes of failures."""

import asyncio
import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from antiphon.testing import run_virtual
from antiphon.transports.telephony.port import (
    CallDetails,
    DialRequest,
    Document,
    Flow,
    TransferRequest,
    WebhookAnswer,
)
from antiphon.transports.telephony.providers import account, available, provider
from antiphon.transports.telephony.rest import Rest
from antiphon.transports.telephony.transport import dial

PRIVATE = generate_private_key(65537, 2048)
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
ENVIRONMENT = {
    "TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", "TWILIO_NUMBER": "+49302",
    "SIGNALWIRE_SPACE": "x.signalwire.com", "SIGNALWIRE_PROJECT": "P1", "SIGNALWIRE_TOKEN": "t",
    "SIGNALWIRE_NUMBER": "+49302",
    "TELNYX_API_KEY": "k", "TELNYX_CONNECTION_ID": "c1", "TELNYX_NUMBER": "+49302",
    "PLIVO_AUTH_ID": "A1", "PLIVO_AUTH_TOKEN": "t", "PLIVO_NUMBER": "+49302",
    "EXOTEL_ACCOUNT_SID": "E1", "EXOTEL_API_KEY": "k", "EXOTEL_API_TOKEN": "t", "EXOTEL_NUMBER": "0804",
    "EXOTEL_HOST": "api.in.exotel.com",
    "VONAGE_APPLICATION_ID": "app", "VONAGE_PRIVATE_KEY": PEM, "VONAGE_NUMBER": "49302",
    "BANDWIDTH_ACCOUNT_ID": "9", "BANDWIDTH_CLIENT_ID": "i", "BANDWIDTH_CLIENT_SECRET": "s",
    "BANDWIDTH_APPLICATION_ID": "app", "BANDWIDTH_NUMBER": "+49302",
    "ASTERISK_ARI_URL": "http://pbx:8088/ari", "ASTERISK_ARI_USER": "u", "ASTERISK_ARI_PASSWORD": "p",
    "ASTERISK_ENDPOINT": "PJSIP/{to}@trunk", "ASTERISK_CONTEXT": "agent",
}  # fmt: skip

CALL = CallDetails("any", "C/1", caller="+49301", called="+49302", parameters={"caller_channel": "ch 1"})
DIALLING = DialRequest(
    "+49303", WebhookAnswer("wss://us/phone/x/token", {"to": "+49303"}), answer_url="https://us/phone/x?session=1",
    status_url="https://us/status", ring=20,
)  # fmt: skip


DONE: tuple[int, Any] = (200, {})


class Web:
    """The web, which answers as it is told and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.rest = Rest(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)), now=lambda: 1e9)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path.endswith("/oauth2/token"):
            return httpx.Response(200, json={"access_token": "bearer"})
        status, data = self.answers.pop(0) if self.answers else DONE
        return httpx.Response(status, json=data)

    @property
    def asked(self) -> list[tuple[str, str, Any]]:
        return [(one.method, str(one.url), body(one)) for one in self.requests]

    def run(self, flow: Flow) -> str:
        return run_virtual(self.rest.run(flow, "them"))


def body(request: httpx.Request) -> Any:
    text = request.content.decode()
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        return json.loads(text)
    return dict(parse_qsl(text)) if "urlencoded" in kind else text


def given(name: str) -> Any:
    return account(provider(name), ENVIRONMENT)


def login(request: httpx.Request) -> str:
    return b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()


TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response>{}</Response>'
STREAM = (
    '<Connect><Stream url="wss://us/phone/x/token"><Parameter name="to" value="+49303"/></Stream></Connect>'
)
TELNYX = {"connection_id": "c1", "from": "+49302", "to": "+49303"}
NCCO = [
    {
        "action": "connect",
        "endpoint": [
            {
                "type": "websocket",
                "uri": "wss://us/phone/x/token",
                "content-type": "audio/l16;rate=16000",
                "headers": {"to": "+49303"},
            }
        ],
    }
]
DIALS: dict[str, tuple[Any, str, tuple[str, str, Any]]] = {
    "twilio": (
        {"sid": "CA9"}, "CA9",
        ("POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json",
         {"To": "+49303", "From": "+49302", "Twiml": TWIML.format(STREAM), "Timeout": "20",
          "StatusCallback": "https://us/status"}),
    ),
    "signalwire": (
        {"sid": "CA9"}, "CA9",
        ("POST", "https://x.signalwire.com/api/laml/2010-04-01/Accounts/P1/Calls.json",
         {"To": "+49303", "From": "+49302", "Twiml": TWIML.format(STREAM), "Timeout": "20",
          "StatusCallback": "https://us/status"}),
    ),
    "telnyx": (
        {"data": {"call_control_id": "v3:x"}}, "v3:x",
        ("POST", "https://api.telnyx.com/v2/calls",
         TELNYX | {"timeout_secs": 20, "stream_url": "wss://us/phone/x/token",
                   "stream_track": "inbound_track", "stream_codec": "PCMU",
                   "stream_bidirectional_mode": "rtp",
                   "stream_bidirectional_codec": "PCMU", "webhook_url": "https://us/status",
                   "client_state": b64encode(b'{"to": "+49303", "spoken": "PCMU"}').decode()}),
    ),
    "plivo": (
        {"request_uuid": "r1"}, "r1",
        ("POST", "https://api.plivo.com/v1/Account/A1/Call/",
         {"from": "+49302", "to": "+49303", "answer_url": "https://us/phone/x?session=1",
          "answer_method": "POST", "ring_timeout": 20, "hangup_url": "https://us/status",
          "ring_url": "https://us/status"}),
    ),
    "exotel": (
        {"call": {"sid": "x1"}}, "x1",
        ("POST", "https://api.in.exotel.com/v1/accounts/E1/calls/connect",
         {"from": "+49303", "callerid": "0804", "streamurl": "wss://us/phone/x/token",
          "streamtype": "bidirectional", "statuscallback": "https://us/status",
          "statuscallbackevents[]": "terminal"}),
    ),
    "vonage": (
        {"uuid": "u1"}, "u1",
        ("POST", "https://api.nexmo.com/v1/calls",
         {"to": [{"type": "phone", "number": "49303"}], "from": {"type": "phone", "number": "49302"},
          "ncco": NCCO, "ringing_timer": 20, "event_url": ["https://us/status"]}),
    ),
    "bandwidth": (
        {"callId": "c-9"}, "c-9",
        ("POST", "https://voice.bandwidth.com/api/v2/accounts/9/calls",
         {"applicationId": "app", "from": "+49302", "to": "+49303", "callTimeout": 20,
          "answerUrl": "https://us/phone/x?session=1", "disconnectUrl": "https://us/status"}),
    ),
    "asterisk": (
        {"id": "1.2"}, "1.2",
        ("POST", "http://pbx:8088/ari/channels",
         {"endpoint": "PJSIP/+49303@trunk", "context": "agent", "extension": "s", "priority": 1,
          "callerId": "", "timeout": 20, "variables": {"to": "+49303"}}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIALS)
def test_dial(name: str) -> None:
    told, made, asked = DIALS[name]
    web = Web((201, told))
    flow = provider(name).dial
    assert flow is not None
    assert web.run(flow(given(name), DIALLING)) == made
    assert web.asked[-1] == asked


def test_all_that_can_dial_are_tested() -> None:
    assert {one.name for one in available() if one.dial} == set(DIALS)


def bxml(verbs: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Bxml>{verbs}</Bxml>'


HANG_UPS: dict[str, tuple[str, str, Any]] = {
    "twilio": (
        "POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls/C%2F1.json", {"Status": "completed"},
    ),
    "signalwire": (
        "POST", "https://x.signalwire.com/api/laml/2010-04-01/Accounts/P1/Calls/C%2F1.json",
        {"Status": "completed"},
    ),
    "telnyx": ("POST", "https://api.telnyx.com/v2/calls/C%2F1/actions/hangup", {}),
    "plivo": ("DELETE", "https://api.plivo.com/v1/Account/A1/Call/C%2F1/", ""),
    "vonage": ("PUT", "https://api.nexmo.com/v1/calls/C%2F1", {"action": "hangup"}),
    "bandwidth": (
        "POST", "https://voice.bandwidth.com/api/v2/accounts/9/calls/C%2F1", {"state": "completed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HANG_UPS)
@pytest.mark.parametrize("status", [200, 404])
def test_hang_up(name: str, status: int) -> None:
    web = Web((status, {}))
    flow = provider(name).hang_up
    assert flow is not None
    web.run(flow(given(name), CALL))
    assert web.asked[-1] == HANG_UPS[name]


@pytest.mark.parametrize("name", HANG_UPS)
def test_the_name_of_a_call_leads_nowhere_else(name: str) -> None:
    web = Web((200, {}))
    flow = provider(name).hang_up
    assert flow is not None
    web.run(flow(given(name), replace(CALL, call="../x?y=")))
    assert "..%2Fx%3Fy%3D" in web.asked[-1][1]


def test_all_that_hang_up_by_request_are_tested() -> None:
    assert {one.name for one in available() if one.hang_up} == set(HANG_UPS)


COLD: dict[str, tuple[str, str, Any]] = {
    "twilio": (
        "POST", "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls/C%2F1.json",
        {"Twiml": TWIML.format("<Dial><Number>+49304</Number></Dial>")},
    ),
    "signalwire": (
        "POST", "https://x.signalwire.com/api/laml/2010-04-01/Accounts/P1/Calls/C%2F1.json",
        {"Twiml": TWIML.format("<Dial><Number>+49304</Number></Dial>")},
    ),
    "telnyx": ("POST", "https://api.telnyx.com/v2/calls/C%2F1/actions/transfer", {"to": "+49304"}),
    "plivo": (
        "POST", "https://api.plivo.com/v1/Account/A1/Call/C%2F1/",
        {"legs": "aleg", "aleg_url": "https://us/1", "aleg_method": "GET"},
    ),
    "vonage": (
        "PUT", "https://api.nexmo.com/v1/calls/C%2F1",
        {"action": "transfer", "destination": {"type": "ncco", "ncco": [
            {"action": "connect", "endpoint": [{"type": "phone", "number": "49304"}]}]}},
    ),
    "bandwidth": (
        "PUT", "https://voice.bandwidth.com/api/v2/accounts/9/calls/C%2F1/bxml",
        bxml("<Transfer><PhoneNumber>+49304</PhoneNumber></Transfer>"),
    ),
    "asterisk": (
        "POST", "http://pbx:8088/ari/channels/ch%201/variable",
        {"variable": "ANTIPHON_TRANSFER", "value": "+49304"},
    ),
}  # fmt: skip


def transfer(name: str, wish: TransferRequest) -> Flow:
    flow = provider(name).transfer
    assert flow is not None
    return flow(given(name), wish)


class Published:
    """The documents that a provider may fetch."""

    def __init__(self) -> None:
        self.documents: list[Document] = []

    def __call__(self, document: Document) -> str:
        self.documents.append(document)
        return f"https://us/{len(self.documents)}"


@pytest.mark.parametrize("name", COLD)
def test_cold_transfer(name: str) -> None:
    web, published = Web(), Published()
    web.run(transfer(name, TransferRequest(CALL, "+49304", publish=published)))
    assert web.asked[-1] == COLD[name]
    assert len(web.asked) == 1 + (name == "bandwidth")
    if name == "plivo":
        assert published.documents[0].body == TWIML.format("<Dial><Number>+49304</Number></Dial>")


def test_all_that_transfer_by_request_are_tested() -> None:
    assert {one.name for one in available() if one.transfer} == set(COLD)


WARM: dict[str, tuple[Any, Any, Any]] = {
    "twilio": ({"sid": "o"}, {"status": "ringing"}, {"status": "in-progress"}),
    "signalwire": ({"sid": "o"}, {"status": "ringing"}, {"status": "in-progress"}),
    "plivo": ({"request_uuid": "o"}, {"call_status": "ringing"}, {"call_status": "in-progress"}),
    "vonage": ({"uuid": "o"}, {"status": "ringing"}, {"status": "answered"}),
    "bandwidth": ({"callId": "o"}, {"state": "initiated"}, {"state": "answered"}),
}
"""The answers to the call that is made, and of one that rings and that was answered."""


@pytest.mark.parametrize("name", WARM)
def test_warm_transfer(name: str) -> None:
    made, rings, answered = WARM[name]
    web, published = (
        Web((201, made), (200, rings), (404, {}) if name == "plivo" else (200, rings), (200, answered)),
        Published(),
    )
    wish = TransferRequest(CALL, "+49304", True, "Mr <b> calls", published)
    assert web.run(transfer(name, wish)) == "o"
    said = " ".join([*map(str, web.asked), *(document.body for document in published.documents)])
    assert "Mr &lt;b&gt; calls" in said or "Mr <b> calls" in said
    assert "C%2F1" in web.asked[-1][1], "last of all, the caller is moved"
    assert all("/o" in url for _, url, _ in web.asked[-4:-1])


@pytest.mark.parametrize("name", [*WARM, "telnyx"])
def test_a_warm_transfer_that_nobody_answers_is_undone(name: str) -> None:
    made, rings, _ = WARM.get(name, ({"data": {"call_control_id": "o"}}, {"data": {"is_alive": True}}, None))
    ringing: list[tuple[int, Any]] = [(200, rings), (422 if name == "telnyx" else 200, rings)] * 50
    if name == "telnyx":
        ringing[1::2] = [(422, None)] * 50
    web = Web((201, made), *ringing)
    with pytest.raises(UnavailableError, match="did not answer"):
        web.run(transfer(name, TransferRequest(CALL, "+49304", True, publish=Published())))
    method, url, _ = web.asked[-1]
    assert "/o" in url
    assert method != "GET", "the other call is ended"
    assert "C%2F1" not in url


@pytest.mark.parametrize("name", WARM)
def test_a_warm_transfer_that_breaks_is_undone(name: str) -> None:
    made, _, _ = WARM[name]
    web = Web((201, made), (500, {}), (200, {}))
    with pytest.raises(UnavailableError, match="500"):
        web.run(transfer(name, TransferRequest(CALL, "+49304", True, publish=Published())))
    assert len(web.asked) == 3 + (name == "bandwidth")
    assert "/o" in web.asked[-1][1]


def test_telnyx_transfers_warm_by_a_bridge() -> None:
    web = Web((200, {"data": {"call_control_id": "o"}}), (200, {"data": {"is_alive": True}}), (422, {}),
              (200, {"data": {"is_alive": True}}), (200, {"data": {"result": "ok"}}))  # fmt: skip
    web.run(transfer("telnyx", TransferRequest(CALL, "+49304", True, "A call")))
    assert [url.removeprefix("https://api.telnyx.com/v2/calls") for _, url, _ in web.asked] == [
        "", "/o", "/o/actions/speak", "/o", "/o/actions/speak", "/C%2F1/actions/bridge",
    ]  # fmt: skip
    assert web.asked[-1][2] == {"call_control_id": "o"}
    gone = Web((200, {"data": {"call_control_id": "o"}}), (200, {"data": {"is_alive": False}}))
    with pytest.raises(UnavailableError, match="did not take"):
        gone.run(transfer("telnyx", TransferRequest(CALL, "+49304", True)))


@pytest.mark.parametrize("name", ["plivo", "bandwidth"])
def test_documents_need_a_server(name: str) -> None:
    with pytest.raises(ConfigurationError, match="antiphon serve"):
        Web().run(transfer(name, TransferRequest(CALL, "+49304", True)))


def test_who_asks_is_proven() -> None:
    for name, wanted in [("twilio", "AC1:t"), ("signalwire", "P1:t"), ("plivo", "A1:t")]:
        web = Web()
        flow = provider(name).hang_up
        assert flow is not None
        web.run(flow(given(name), CALL))
        assert login(web.requests[0]) == wanted
    web = Web()
    web.run(transfer("bandwidth", TransferRequest(CALL, "+49304")))
    assert login(web.requests[0]) == "i:s"
    assert body(web.requests[0]) == {"grant_type": "client_credentials"}
    assert web.requests[1].headers["authorization"] == "Bearer bearer"
    assert web.requests[1].headers["content-type"] == "application/xml"
    web = Web()
    web.run(transfer("telnyx", TransferRequest(CALL, "+49304")))
    assert web.requests[0].headers["authorization"] == "Bearer k"


def test_vonage_is_asked_with_a_token_of_the_application() -> None:
    web = Web()
    web.run(transfer("vonage", TransferRequest(CALL, "+49304")))
    head, _, mark = web.requests[0].headers["authorization"].removeprefix("Bearer ").rpartition(".")
    PRIVATE.public_key().verify(urlsafe_b64decode(mark + "=="), head.encode(), PKCS1v15(), SHA256())
    kind, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in head.split("."))
    assert kind == {"alg": "RS256", "typ": "JWT"}
    assert (claims["application_id"], claims["iat"]) == ("app", 1e9)
    for wrong in ("no key", "/nowhere/key.pem"):
        with pytest.raises(ConfigurationError, match="VONAGE_PRIVATE_KEY"):
            flow = provider("vonage").hang_up
            assert flow is not None
            web.run(flow({"application": "a", "private_key": wrong}, CALL))


# What goes wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, BadResponseError), (401, AuthenticationError), (429, RateLimitError), (503, UnavailableError)],
)
def test_refusals(status: int, error: type[TheyErred]) -> None:
    with pytest.raises(error, match=str(status)):
        Web((status, {"message": "no"})).run(transfer("telnyx", TransferRequest(CALL, "+49304")))


def test_an_answer_without_what_is_needed() -> None:
    flow = provider("twilio").dial
    assert flow is not None
    answers: tuple[Any, ...] = ({}, {"sid": 5}, [], "x")
    for data in answers:
        with pytest.raises(BadResponseError, match="sid"):
            Web((200, data)).run(flow(given("twilio"), DIALLING))


@pytest.mark.parametrize(
    ("raised", "error"),
    [(httpx.ConnectTimeout("slow"), ServiceTimeoutError), (httpx.ConnectError("gone"), UnavailableError)],
)
def test_a_provider_that_is_not_reached(raised: Exception, error: type[TheyErred]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise raised

    rest = Rest(httpx.AsyncClient(transport=httpx.MockTransport(fail)))
    with pytest.raises(error):
        run_virtual(rest.run(transfer("telnyx", TransferRequest(CALL, "+49304")), "Telnyx"))


def test_what_is_not_set_is_named() -> None:
    for name, variable in [("telnyx", "TELNYX_CONNECTION_ID"), ("twilio", "TWILIO_NUMBER")]:
        of = provider(name)
        little = {key: value for key, value in ENVIRONMENT.items() if key != variable}
        with pytest.raises(ConfigurationError, match=variable):
            run_virtual(dial(name, DIALLING, credentials=account(of, little), rest=Web().rest))
    with pytest.raises(ConfigurationError, match="cannot make calls"):
        run_virtual(dial("genesys", DIALLING))


def test_dial_by_name() -> None:
    web = Web((201, {"sid": "CA9"}))
    assert run_virtual(dial("twilio", DIALLING, credentials=given("twilio"), rest=web.rest)) == "CA9"


def test_a_client_of_its_own_is_closed_behind_each_request() -> None:
    nobody = account(provider("asterisk"), ENVIRONMENT | {"ASTERISK_ARI_URL": "http://127.0.0.1:9/ari"})
    flow = provider("asterisk").dial
    assert flow is not None
    with pytest.raises(UnavailableError):
        asyncio.run(Rest().run(flow(nobody, DIALLING), "Asterisk"))
