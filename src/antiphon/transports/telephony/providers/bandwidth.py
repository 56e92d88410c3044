"""Bandwidth Programmable Voice: a bidirectional StartStream.

https://dev.bandwidth.com/docs/voice/programmable-voice/bxml/startStream
"""

from binascii import b2a_base64
from collections.abc import Generator, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

import msgspec

from ....errors import BadResponseError
from ..messages import decode_base64, decode_message, text_at, text_values
from ..port import (
    Account,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    CallStopped,
    DialRequest,
    Document,
    Flow,
    IncomingCall,
    Provider,
    RestRequest,
    TransferRequest,
    WebhookAnswer,
    WebhookRequest,
    WireMessage,
)
from ..rest import require_text
from ..signatures import basic_auth
from ..warm_transfer import RING, WarmTransfer, publisher, put_through

__all__ = ["PROVIDER"]

VOICE = "https://voice.bandwidth.com/api/v2/accounts"
TOKEN = "https://api.bandwidth.com/api/v1/oauth2/token"
STREAM = "antiphon"
MEDIA = '{"eventType":"playAudio","media":{"contentType":"audio/pcmu","payload":"', '"}}'


class BandwidthMessage(msgspec.Struct, rename="camel"):
    """A message, with the fields of all kinds."""

    event_type: str
    track: str = "inbound"
    payload: str | None = None
    metadata: dict[str, Any] | None = None
    stream_params: Any = None


class Bandwidth:
    """The codec of the media stream."""

    packet = 0.02

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse a message. Raises BadResponseError if it is malformed."""
        said: BandwidthMessage = decode_message(_said, message)
        match said:
            case BandwidthMessage(event_type="media", payload=str(payload)):
                data = decode_base64(payload) if said.track == "inbound" else b""
                return (CallerAudio(data),) if data else ()
            case BandwidthMessage(event_type="start", metadata=dict()):
                return (CallStarted(_call(said)),)
            case BandwidthMessage(event_type="stop"):
                return (CallStopped(),)
            case BandwidthMessage(event_type="media" | "start"):
                raise BadResponseError(f"an event {said.event_type!r} lacks its contents")
            case _:
                return ()

    def media(self, data: bytes) -> str:
        """Return the message that plays audio."""
        return MEDIA[0] + b2a_base64(data, newline=False).decode("ascii") + MEDIA[1]

    def clear(self) -> str:
        """Return the message that discards queued audio."""
        return '{"eventType":"clear"}'

    def mark(self, name: str) -> None:
        """Return None: the protocol has no marks."""

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> None:
        """Return None: a REST request ends the call."""

    def transfer(self, to: str) -> None:
        """Return None: a REST request transfers the call."""


_said = msgspec.json.Decoder(BandwidthMessage)


def _call(said: BandwidthMessage) -> CallDetails:
    about = said.metadata or {}
    given = text_values(said.stream_params) or text_values(about.get("streamParams"))
    return CallDetails(
        provider="bandwidth",
        call=text_at(about, "callId"),
        stream=text_at(about, "streamId"),
        account=text_at(about, "accountId"),
        caller=text_at(about, "from") or given.get("from", ""),
        called=text_at(about, "to") or given.get("to", ""),
        parameters=given,
    )


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the webhook of a call, which is JSON."""
    fields = asked.fields
    return IncomingCall(fields.get("callId", ""), fields.get("from", ""), fields.get("to", ""))


def answer(answer: WebhookAnswer) -> Document:
    """Make BXML that streams both ways.

    It continues only when our websocket has been closed.
    """
    parameters = "".join(
        f'<StreamParam name="{escape(name)}" value="{escape(value)}"/>'
        for name, value in answer.parameters.items()
    )
    ways = 'mode="bidirectional" tracks="inbound"'
    start = f'<StartStream name="{STREAM}" {ways} destination="{escape(answer.url)}">'
    return bxml(f'{start}{parameters}</StartStream><StopStream name="{STREAM}" wait="true"/>', "Response")


def bxml(verbs: str, root: str = "Bxml") -> Document:
    """Make a BXML document of verbs."""
    return Document(f'<?xml version="1.0" encoding="UTF-8"?><{root}>{verbs}</{root}>', "application/xml")


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call; Bandwidth fetches `answer_url` when it is answered."""
    headers = yield from _authorised(account)
    data = {
        "applicationId": account["application"],
        "from": dialling.caller or account["number"],
        "to": dialling.to,
        "answerUrl": dialling.answer_url,
        "callTimeout": dialling.ring,
    }
    if dialling.status_url:
        data["disconnectUrl"] = dialling.status_url
    return require_text((yield RestRequest("POST", _url(account), data=data, headers=headers)), "callId")


def hang_up(account: Account, call: CallDetails) -> Flow:
    """End a call; if it is over already, that is not a failure."""
    headers = yield from _authorised(account)
    data = {"state": "completed"}
    yield RestRequest("POST", _url(account, call.call), data=data, headers=headers, allow=(404, 409))
    return ""


def transfer(account: Account, wish: TransferRequest) -> Flow:
    """Replace the caller's BXML by a transfer.

    A warm one uses a conference, in which the third party waits.
    """
    headers = yield from _authorised(account)

    def replaced(verbs: str) -> RestRequest:
        url = f"{_url(account, wish.call.call)}/bxml"
        kind = {"Content-Type": "application/xml"}
        return RestRequest("PUT", url, text=bxml(verbs).body, headers=headers | kind)

    if not wish.warm:
        kind = "SipUri" if wish.to.startswith("sip") else "PhoneNumber"
        yield replaced(f"<Transfer><{kind}>{escape(wish.to)}</{kind}></Transfer>")
        return ""
    room = f"<Conference>{escape(wish.call.call)}</Conference>"
    said = f"<SpeakSentence>{escape(wish.announcement)}</SpeakSentence>" if wish.announcement else ""
    leg = {
        "applicationId": account["application"],
        "from": account.get("number") or wish.call.called,
        "to": wish.to,
        "answerUrl": publisher(wish, "Bandwidth")(bxml(said + room, "Response")),
        "answerMethod": "GET",
        "callTimeout": RING,
    }
    warm = WarmTransfer(
        to=wish.to,
        dial=RestRequest("POST", _url(account), data=leg, headers=headers),
        name=("callId",),
        look=lambda other: RestRequest("GET", _url(account, other), headers=headers, allow=(404,)),
        status=("state",),
        answered=frozenset(("answered", "active")),
        over=frozenset(("completed", "disconnected")),
        join=lambda other: replaced(room),
        drop=lambda other: RestRequest(
            "POST", _url(account, other), data={"state": "completed"}, headers=headers
        ),
    )
    return (yield from put_through(warm))


def _authorised(account: Account) -> Generator[RestRequest | float, dict[str, Any], dict[str, str]]:
    """Get a token by OAuth client credentials, and return the header for it.

    https://dev.bandwidth.com/docs/credentials
    """
    login = account["client_id"], account["client_secret"]
    token = yield RestRequest("POST", TOKEN, form={"grant_type": "client_credentials"}, login=login)
    return {"Authorization": f"Bearer {require_text(token, 'access_token')}"}


def _url(account: Account, call: str = "") -> str:
    return f"{VOICE}/{quote(account['account'], safe='')}/calls{'/' * bool(call)}{quote(call, safe='')}"


PROVIDER = Provider(
    name="bandwidth",
    title="Bandwidth",
    docs="https://dev.bandwidth.com/docs/voice/programmable-voice/bxml/startStream",
    audio="mu-law 8 kHz",
    codec=Bandwidth,
    environment={
        "account": "BANDWIDTH_ACCOUNT_ID",
        "client_id": "BANDWIDTH_CLIENT_ID",
        "client_secret": "BANDWIDTH_CLIENT_SECRET",
        "application": "BANDWIDTH_APPLICATION_ID",
        "number": "BANDWIDTH_NUMBER",
        "user": "BANDWIDTH_WEBHOOK_USER",
        "password": "BANDWIDTH_WEBHOOK_PASSWORD",
    },
    optional=frozenset(("application", "number", "user", "password")),
    signature="HTTP basic authentication",
    signed=basic_auth(("user", "BANDWIDTH_WEBHOOK_USER"), ("password", "BANDWIDTH_WEBHOOK_PASSWORD")),
    incoming=incoming,
    answer=answer,
    dial=dial,
    hang_up=hang_up,
    transfer=transfer,
)
