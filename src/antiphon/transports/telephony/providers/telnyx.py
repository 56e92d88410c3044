"""Telnyx media streaming: incoming calls use TeXML, everything else Call Control.

https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from ....errors import TheyErred, UnavailableError
from ..json_events import Dialect, JsonEvents, ProviderMessage
from ..messages import audio_format, text_at, text_values
from ..port import (
    Abandoned,
    Account,
    CallDetails,
    DialRequest,
    Document,
    Flow,
    IncomingCall,
    Proof,
    Provider,
    RestRequest,
    TransferRequest,
    WebhookAnswer,
    WebhookRequest,
)
from ..rest import require_text
from ..signatures import account_secret, missing_package
from ..warm_transfer import RING

__all__ = ["PROVIDER"]

HOST = "https://api.telnyx.com/v2/calls"
FRESH = 300  # the age in seconds up to which a signed request is accepted
SPOKEN = 14  # characters of an announcement spoken in a second


def started(said: ProviderMessage) -> CallDetails:
    """Parse `start`.

    It lacks the format of our audio: our answer passes that on, and otherwise it is that of the caller's
    audio.
    """
    start = said.start or {}
    given = text_values(start.get("custom_parameters")) | _state(text_at(start, "client_state"))
    heard = audio_format(
        text_at(start, "media_format", "encoding"), text_at(start, "media_format", "sample_rate")
    )
    spoken = given.pop("spoken", "")
    return CallDetails(
        provider="telnyx",
        call=text_at(start, "call_control_id"),
        stream=said.stream_id if isinstance(said.stream_id, str) else "",
        account=text_at(start, "user_id"),
        caller=text_at(start, "from") or given.get("from", ""),
        called=text_at(start, "to") or given.get("to", ""),
        heard=heard,
        spoken=audio_format(spoken) if spoken else heard,
        parameters=given,
    )


def _state(coded: str) -> dict[str, str]:
    """Decode the parameters that `dial` passed on in the client state."""
    try:
        return text_values(json.loads(b64decode(coded, validate=True)))
    except (ValueError, RecursionError):
        return {}  # not set by us


DIALECT = Dialect(
    started=started,
    media='{"event":"media","media":{"payload":"DATA"}}',
    clear='{"event":"clear"}',
    mark='{"event":"mark","mark":{"name":NAME}}',
    ordered=False,
)


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify the Ed25519 signature of "timestamp|body".

    https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
    """
    key = account_secret(account, "public_key", "TELNYX_PUBLIC_KEY")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ModuleNotFoundError as error:
        raise missing_package("cryptography", "the verification of Telnyx signatures") from error
    stamp = asked.headers.get("telnyx-timestamp", "")
    if not stamp.isdecimal() or abs(asked.now - int(stamp[:12])) > FRESH:
        return False
    try:
        given = b64decode(asked.headers.get("telnyx-signature-ed25519", ""), validate=True)
        Ed25519PublicKey.from_public_bytes(b64decode(key)).verify(given, stamp.encode() + b"|" + asked.body)
    except (ValueError, InvalidSignature):
        return False
    return given.hex()


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the form of a TeXML webhook, or a Call Control event."""
    if payload := asked.data.get("data"):
        names = ("call_control_id", "from", "to")
        return IncomingCall(*(text_at(payload, "payload", name) for name in names))
    fields = asked.fields
    return IncomingCall(fields.get("CallSid", ""), fields.get("From", ""), fields.get("To", ""))


def answer(answer: WebhookAnswer) -> Document:
    """Make TeXML that connects the call with our websocket.

    Without `bidirectionalMode` our audio would be dropped.
    """
    parameters = "".join(
        f'<Parameter name="{escape(name)}" value="{escape(value)}"/>'
        for name, value in (dict(answer.parameters) | {"spoken": "PCMU"}).items()
    )
    stream = (
        f'<Stream url="{escape(answer.url)}" track="inbound_track" codec="PCMU" bidirectionalMode="rtp" '
        f'bidirectionalCodec="PCMU">{parameters}</Stream>'
    )
    return Document(f'<?xml version="1.0" encoding="UTF-8"?><Response><Connect>{stream}</Connect></Response>')


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call; the stream starts when it is answered."""
    given = dict(dialling.answer.parameters) | {"spoken": "PCMU"}
    data = _leg(account, dialling.to, dialling.caller, dialling.ring) | {
        "stream_url": dialling.answer.url,
        "stream_track": "inbound_track",
        "stream_codec": "PCMU",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "PCMU",
        "client_state": b64encode(json.dumps(given).encode()).decode(),
    }
    if dialling.status_url:
        data["webhook_url"] = dialling.status_url
    return require_text((yield _post(account, "", data)), "data", "call_control_id")


def hang_up(account: Account, call: CallDetails) -> Flow:
    """End a call; if it is over already, that is not a failure."""
    yield _post(account, f"/{quote(call.call, safe='')}/actions/hangup", {}, allow=(404, 422))
    return ""


def transfer(account: Account, wish: TransferRequest) -> Flow:
    """Transfer the call.

    Telnyx makes a cold transfer itself. A warm one is another call, an announcement to it, and a bridge.
    """
    caller = f"/{quote(wish.call.call, safe='')}/actions"
    if not wish.warm:
        yield _post(account, f"{caller}/transfer", {"to": wish.to})
        return ""
    leg = _leg(account, wish.to, account.get("number") or wish.call.called, RING)
    other = require_text((yield _post(account, "", leg)), "data", "call_control_id")
    path = f"/{quote(other, safe='')}"
    words = wish.announcement or "You are being connected."
    try:
        yield from _announced(account, wish.to, path, words)
    except (TheyErred, Abandoned):
        yield _post(account, f"{path}/actions/hangup", {}, allow=(404, 422))
        raise
    yield _post(account, f"{caller}/bridge", {"call_control_id": other})
    return other


def _announced(account: Account, to: str, path: str, words: str) -> Flow:
    """Wait until the third party has heard the words.

    Telnyx refuses to speak to a call that still rings.
    """
    speech = {"payload": words, "voice": "female", "language": account.get("language") or "en-US"}
    for _ in range(RING + 5):
        yield 1.0
        state = yield RestRequest("GET", HOST + path, headers=_key(account), allow=(404,))
        if state.get("data", {}).get("is_alive") is not True:
            raise UnavailableError(f"{to} did not take the call")
        if (yield _post(account, f"{path}/actions/speak", speech, allow=(422,))).get("data"):
            yield len(words) / SPOKEN + 1.0
            return ""
    raise UnavailableError(f"{to} did not answer")


def _leg(account: Account, to: str, caller: str, ring: int) -> dict[str, Any]:
    return {
        "connection_id": account["connection"],
        "to": to,
        "from": caller or account["number"],
        "timeout_secs": ring,
    }


def _key(account: Account) -> dict[str, str]:
    return {"Authorization": f"Bearer {account['key']}"}


def _post(account: Account, path: str, data: Mapping[str, Any], allow: tuple[int, ...] = ()) -> RestRequest:
    return RestRequest("POST", HOST + path, data=dict(data), headers=_key(account), allow=allow)


PROVIDER = Provider(
    name="telnyx",
    title="Telnyx",
    docs="https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming",
    audio="mu-law, A-law, G.722, Opus, L16",
    codec=lambda: JsonEvents(DIALECT),
    environment={
        "key": "TELNYX_API_KEY",
        "connection": "TELNYX_CONNECTION_ID",
        "public_key": "TELNYX_PUBLIC_KEY",
        "number": "TELNYX_NUMBER",
        "language": "TELNYX_LANGUAGE",
    },
    optional=frozenset(("connection", "public_key", "number", "language")),
    signature="Ed25519 of time and body",
    signed=signed,
    incoming=incoming,
    answer=answer,
    dial=dial,
    hang_up=hang_up,
    transfer=transfer,
)
