"""Vonage Voice: a websocket as an endpoint of the call.

Binary messages are PCM, text messages JSON.

https://developer.vonage.com/en/voice/voice-api/concepts/websockets
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec

from ....errors import BadResponseError, ConfigurationError
from ..messages import LONGEST, audio_format, decode_message, json_string, key_pressed, text_values
from ..port import (
    Account,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    DialRequest,
    Document,
    Flow,
    IncomingCall,
    MarkPlayed,
    Proof,
    Provider,
    RestRequest,
    TransferRequest,
    WebhookAnswer,
    WebhookRequest,
    WireMessage,
)
from ..rest import require_text
from ..signatures import account_secret, equal, missing_package
from ..warm_transfer import RING, WarmTransfer, put_through

__all__ = ["PROVIDER", "mac"]

CALLS = "https://api.nexmo.com/v1/calls"
CONTENT = "audio/l16;rate=16000"
FRESH = 300  # the age in seconds up to which a signed request is accepted
OVER = frozenset(("busy", "cancelled", "completed", "failed", "rejected", "timeout", "unanswered"))


class Vonage:
    """The codec of the media stream."""

    packet = 0.02

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse audio or an event."""
        if isinstance(message, bytes):
            if len(message) > LONGEST:
                raise BadResponseError(f"a message of {len(message)} bytes; the limit is {LONGEST}")
            return (CallerAudio(message),) if message else ()
        said: dict[str, Any] = decode_message(_said, message)
        match said.get("event"):
            case "websocket:connected":
                return (CallStarted(_call(said)),)
            case "websocket:dtmf":
                digit = said.get("digit") or text_values(said.get("dtmf")).get("digit", "")
                return (key_pressed(digit if isinstance(digit, str | int) else ""),)
            case "websocket:notify":
                return (MarkPlayed(text_values(said.get("payload")).get("name", "")),)
            case _:
                return ()

    def media(self, data: bytes) -> bytes:
        """Return the samples unchanged."""
        return data

    def clear(self) -> str:
        """Return the message that discards queued audio."""
        return '{"action":"clear"}'

    def mark(self, name: str) -> str:
        """Return a notification that comes back once the audio before it was played."""
        return '{"action":"notify","payload":{"name":' + json_string(name) + "}}"

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> None:
        """Return None: a REST request ends the call."""

    def transfer(self, to: str) -> None:
        """Return None: a REST request transfers the call."""


_said = msgspec.json.Decoder(dict[str, Any])


def _call(said: Mapping[str, Any]) -> CallDetails:
    given = text_values(said)
    spoken = audio_format(given.pop("content-type", CONTENT), default="l16")
    given.pop("event", None)
    return CallDetails(
        provider="vonage",
        call=given.get("call") or given.get("uuid", ""),
        caller=given.get("from", ""),
        called=given.get("to", ""),
        heard=spoken,
        spoken=spoken,
        parameters=given,
    )


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify the bearer token, a JWT signed by HMAC-SHA256.

    It contains the hash of the body.
    https://developer.vonage.com/en/getting-started/concepts/webhooks#validating-signed-webhooks
    """
    shared = account_secret(account, "signature", "VONAGE_SIGNATURE_SECRET")
    token = asked.headers.get("authorization", "").removeprefix("Bearer ").strip()
    head, _, mark = token.rpartition(".")
    if not equal(mark, mac(shared.encode(), head)):
        return False
    try:
        kind, claims = (json.loads(urlsafe_b64decode(part + "==")) for part in head.split("."))
        algorithm, issued, expires = (
            kind["alg"],
            float(claims["iat"]),
            float(claims.get("exp", asked.now + 1)),
        )
        hashed = claims.get("payload_hash")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    intact = not (asked.body or hashed) or equal(str(hashed), hashlib.sha256(asked.body).hexdigest())
    is_fresh = abs(asked.now - issued) < FRESH and asked.now < expires
    return mark if algorithm == "HS256" and is_fresh and intact else False


def mac(shared: bytes, head: str) -> str:
    """Return the HS256 signature of a JWT's header and claims."""
    return _base64url(hmac.new(shared, head.encode(errors="replace"), hashlib.sha256).digest())


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the answer webhook, which is a query or JSON."""
    fields = asked.fields
    return IncomingCall(fields.get("uuid", ""), fields.get("from", ""), fields.get("to", ""))


def answer(answer: WebhookAnswer) -> Document:
    """Make an NCCO that connects the call with our websocket."""
    return Document(json.dumps(_connect(answer)), "application/json")


def _connect(answer: WebhookAnswer) -> list[dict[str, Any]]:
    endpoint = {
        "type": "websocket",
        "uri": answer.url,
        "content-type": CONTENT,
        "headers": dict(answer.parameters),
    }
    return [{"action": "connect", "endpoint": [endpoint]}]


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call; the NCCO is part of the request."""
    data: dict[str, Any] = {
        "to": [_endpoint(dialling.to)],
        "from": _endpoint(dialling.caller or account["number"]),
        "ncco": _connect(dialling.answer),
        "ringing_timer": dialling.ring,
    }
    if dialling.status_url:
        data["event_url"] = [dialling.status_url]
    return require_text((yield _request(account, "POST", "", data)), "uuid")


def hang_up(account: Account, call: CallDetails) -> Flow:
    """End a call; if it is over already, that is not a failure."""
    yield _request(account, "PUT", call.call, {"action": "hangup"}, allow=(400, 404))
    return ""


def transfer(account: Account, wish: TransferRequest) -> Flow:
    """Give the caller's leg an NCCO that transfers it.

    The NCCO dials the target, or for a warm transfer enters a conversation in which the third party waits.
    """
    if not wish.warm:
        yield _move(account, wish.call.call, [{"action": "connect", "endpoint": [_endpoint(wish.to)]}])
        return ""
    room = {"action": "conversation", "name": wish.call.call, "endOnExit": True}
    said = [{"action": "talk", "text": wish.announcement}] if wish.announcement else []
    leg = {
        "to": [_endpoint(wish.to)],
        "from": _endpoint(account.get("number") or wish.call.called),
        "ncco": [*said, room],
        "ringing_timer": RING,
    }
    warm = WarmTransfer(
        to=wish.to,
        dial=_request(account, "POST", "", leg),
        name=("uuid",),
        look=lambda other: _request(account, "GET", other),
        status=("status",),
        answered=frozenset(("answered",)),
        over=OVER,
        join=lambda other: _move(account, wish.call.call, [room]),
        drop=lambda other: _request(account, "PUT", other, {"action": "hangup"}),
    )
    return (yield from put_through(warm))


def _endpoint(to: str) -> dict[str, str]:
    return {"type": "sip", "uri": to} if to.startswith("sip") else {"type": "phone", "number": to.lstrip("+")}


def _move(account: Account, call: str, ncco: list[dict[str, Any]]) -> RestRequest:
    data = {"action": "transfer", "destination": {"type": "ncco", "ncco": ncco}}
    return _request(account, "PUT", call, data)


def _request(
    account: Account,
    method: str,
    call: str,
    data: dict[str, Any] | None = None,
    allow: tuple[int, ...] = (),
) -> RestRequest:
    url = f"{CALLS}{'/' * bool(call)}{quote(call, safe='')}"
    return RestRequest(method, url, data=data, bearer=lambda now: _token(account, now), allow=allow)


def _token(account: Account, now: float) -> str:
    """Make a JWT for the application, signed by RSA with SHA-256.

    The private key is PEM, or the path of a PEM file.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ModuleNotFoundError as error:
        raise missing_package("cryptography", "a request to Vonage") from error
    given = account["private_key"]
    try:
        pem = given if "-----BEGIN" in given else Path(given).read_text("ascii")
        private = load_pem_private_key(pem.replace("\\n", "\n").encode(), None)
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"VONAGE_PRIVATE_KEY is neither a PEM key nor a file of one: {error}"
        ) from error
    if not isinstance(private, RSAPrivateKey):
        raise ConfigurationError("VONAGE_PRIVATE_KEY is not an RSA key")
    claims = {
        "application_id": account["application"],
        "iat": int(now),
        "exp": int(now) + 300,
        "jti": str(uuid4()),
    }
    parts = [_base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    head = ".".join(parts)
    return f"{head}.{_base64url(private.sign(head.encode(), PKCS1v15(), SHA256()))}"


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


PROVIDER = Provider(
    name="vonage",
    title="Vonage",
    docs="https://developer.vonage.com/en/voice/voice-api/concepts/websockets",
    audio="L16 8, 16 or 24 kHz",
    codec=Vonage,
    environment={
        "application": "VONAGE_APPLICATION_ID",
        "private_key": "VONAGE_PRIVATE_KEY",
        "signature": "VONAGE_SIGNATURE_SECRET",
        "number": "VONAGE_NUMBER",
    },
    optional=frozenset(("signature", "number")),
    signature="JWT by HMAC-SHA256, with the body's hash",
    signed=signed,
    incoming=incoming,
    answer=answer,
    dial=dial,
    hang_up=hang_up,
    transfer=transfer,
)
