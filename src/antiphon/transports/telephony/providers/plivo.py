"""Plivo audio streaming.

https://www.plivo.com/docs/voice/audio-streaming/audio-streaming
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from ..json_events import Dialect, JsonEvents, ProviderMessage
from ..messages import audio_format, text_at
from ..port import (
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
from ..signatures import account_secret, equal, has_unsigned_body, hmac_base64
from ..warm_transfer import RING, WarmTransfer, publisher, put_through

__all__ = ["PROVIDER"]

HOST = "https://api.plivo.com/v1/Account"


def started(said: ProviderMessage) -> CallDetails:
    """Parse `start`. Parameters are headers, in the form "a=b;c=d" or "{X-PH-a: b}"."""
    start = said.start or {}
    pairs = re.findall(
        r"(?:X-PH-)?([^\s{},;=:]+)\s*[=:]\s*([^,;}]*)",
        said.extra_headers if isinstance(said.extra_headers, str) else "",
    )
    given = {name: unquote(value.strip()) for name, value in pairs}
    spoken = audio_format(
        text_at(start, "mediaFormat", "encoding"), text_at(start, "mediaFormat", "sampleRate")
    )
    return CallDetails(
        provider="plivo",
        call=text_at(start, "callId"),
        stream=text_at(start, "streamId"),
        account=text_at(start, "accountId"),
        caller=given.get("from", ""),
        called=given.get("to", ""),
        heard=spoken,
        spoken=spoken,
        parameters=given,
    )


DIALECT = Dialect(
    started=started,
    media='{"event":"playAudio","media":{"contentType":CONTENT,"sampleRate":RATE,"payload":"DATA"}}',
    clear='{"event":"clearAudio","streamId":STREAM}',
    mark='{"event":"checkpoint","streamId":STREAM,"name":NAME}',
    keys='{"event":"sendDTMF","dtmf":KEYS}',
)


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify X-Plivo-Signature-V3: HMAC-SHA256 of URL, sorted fields and nonce.

    While a token is being rotated there are several signatures.

    https://www.plivo.com/docs/voice/concepts/signature-validation
    """
    token = account_secret(account, "token", "PLIVO_AUTH_TOKEN")
    parts = urlsplit(asked.url)
    query = _sorted(parse_qs(parts.query, keep_blank_values=True).items(), "=", "&")
    fields: dict[str, list[str]] = {}
    for name, value in asked.form:
        fields.setdefault(name, []).append(value)
    signs = "?" * bool(query or fields), "." * bool(query and fields)
    base = f"{parts.scheme}://{parts.netloc}{parts.path}{signs[0]}{query}{signs[1]}{_sorted(fields.items())}"
    wanted = hmac_base64(token, f"{base}.{asked.headers.get('x-plivo-signature-v3-nonce', '')}", "sha256")
    given = asked.headers.get("x-plivo-signature-v3", "").split(",")
    proven = any(equal(one.strip(), wanted) for one in given)
    return wanted if proven and not has_unsigned_body(asked) else False


def _sorted(fields: Iterable[tuple[str, list[str]]], between: str = "", after: str = "") -> str:
    return after.join(
        after.join(f"{name}{between}{value}" for value in sorted(values)) for name, values in sorted(fields)
    )


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the webhook of a call."""
    fields = asked.fields
    return IncomingCall(fields.get("CallUUID", ""), fields.get("From", ""), fields.get("To", ""))


def answer(answer: WebhookAnswer) -> Document:
    """Make XML that connects the call with our websocket while that is open."""
    pairs = ",".join(f"{name}={quote(value, safe='+')}" for name, value in answer.parameters.items())
    headers = f' extraHeaders="{escape(pairs)}"' if pairs else ""
    kind = 'bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000"'
    return xml(f"<Stream {kind}{headers}>{escape(answer.url)}</Stream>")


def xml(verbs: str) -> Document:
    """Make a document of XML verbs."""
    return Document(f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>')


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call; Plivo fetches `answer_url` when it is answered."""
    data: dict[str, Any] = {
        "from": dialling.caller or account["number"],
        "to": dialling.to,
        "answer_url": dialling.answer_url,
        "answer_method": "POST",
        "ring_timeout": dialling.ring,
    }
    if dialling.status_url:
        data |= {"hangup_url": dialling.status_url, "ring_url": dialling.status_url}
    return require_text((yield _request(account, "POST", "", data)), "request_uuid")


def hang_up(account: Account, call: CallDetails) -> Flow:
    """End a call; if it is over already, that is not a failure."""
    yield replace(_request(account, "DELETE", call.call), allow=(404,))
    return ""


def transfer(account: Account, wish: TransferRequest) -> Flow:
    """Redirect the call to a document that transfers it.

    The document dials the target, or for a warm transfer enters a conference in which the third party waits.
    """
    publish = publisher(wish, "Plivo")
    if not wish.warm:
        target = (
            f"<User>{escape(wish.to)}</User>"
            if wish.to.startswith("sip:")
            else f"<Number>{escape(wish.to)}</Number>"
        )
        yield _move(account, wish.call.call, publish(xml(f"<Dial>{target}</Dial>")))
        return ""
    room = f'<Conference endConferenceOnExit="true">{escape(wish.call.call)}</Conference>'
    said = f"<Speak>{escape(wish.announcement)}</Speak>" if wish.announcement else ""
    leg = {
        "from": account.get("number") or wish.call.called,
        "to": wish.to,
        "answer_url": publish(xml(said + room)),
        "answer_method": "GET",
        "ring_timeout": RING,
    }
    warm = WarmTransfer(
        to=wish.to,
        dial=_request(account, "POST", "", leg),
        name=("request_uuid",),
        look=lambda other: replace(_request(account, "GET", other, query="?status=live"), allow=(404,)),
        status=("call_status",),
        answered=frozenset(("in-progress",)),
        over=frozenset(("completed",)),
        join=lambda other: _move(account, wish.call.call, publish(xml(room))),
        drop=lambda other: _request(account, "DELETE", other),
    )
    return (yield from put_through(warm))


def _move(account: Account, call: str, url: str) -> RestRequest:
    return _request(account, "POST", call, {"legs": "aleg", "aleg_url": url, "aleg_method": "GET"})


def _request(
    account: Account, method: str, call: str, data: dict[str, Any] | None = None, query: str = ""
) -> RestRequest:
    path = f"{quote(call, safe='')}{'/' * bool(call)}{query}"
    url = f"{HOST}/{quote(account['id'], safe='')}/Call/{path}"
    return RestRequest(method, url, data=data, login=(account["id"], account["token"]))


PROVIDER = Provider(
    name="plivo",
    title="Plivo",
    docs="https://www.plivo.com/docs/voice/audio-streaming/audio-streaming",
    audio="mu-law 8 kHz, L16 8 or 16 kHz",
    codec=lambda: JsonEvents(DIALECT),
    environment={"id": "PLIVO_AUTH_ID", "token": "PLIVO_AUTH_TOKEN", "number": "PLIVO_NUMBER"},
    optional=frozenset(("number",)),
    signature="HMAC-SHA256 of address, form and nonce",
    signed=signed,
    incoming=incoming,
    answer=answer,
    dial=dial,
    hang_up=hang_up,
    transfer=transfer,
)
