"""Twilio Media Streams.

https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from urllib.parse import parse_qsl, quote, urlsplit

from ..json_events import Dialect, JsonEvents, ProviderMessage
from ..messages import audio_format, text_at, text_values
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
from ..warm_transfer import RING, WarmTransfer, put_through

__all__ = ["DIALECT", "PROVIDER", "TwilioCalls", "answer", "incoming", "started", "twiml"]

HOST = "https://api.twilio.com/2010-04-01"
OVER = frozenset(("busy", "failed", "no-answer", "canceled", "completed"))


def started(said: ProviderMessage) -> CallDetails:
    """Parse `start`.

    The caller's number is not in it, so our answer document passes that on.
    """
    start = said.start or {}
    given = text_values(start.get("customParameters"))
    spoken = audio_format(
        text_at(start, "mediaFormat", "encoding"), text_at(start, "mediaFormat", "sampleRate")
    )
    return CallDetails(
        provider="twilio",
        call=text_at(start, "callSid"),
        stream=text_at(start, "streamSid"),
        account=text_at(start, "accountSid"),
        caller=given.get("from", ""),
        called=given.get("to", ""),
        heard=spoken,
        spoken=spoken,
        parameters=given,
    )


DIALECT = Dialect(
    started=started,
    media='{"event":"media","streamSid":STREAM,"media":{"payload":"DATA"}}',
    clear='{"event":"clear","streamSid":STREAM}',
    mark='{"event":"mark","streamSid":STREAM,"mark":{"name":NAME}}',
)


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify X-Twilio-Signature, an HMAC-SHA1 of the URL and the form fields.

    The key is the account's token, and the fields are sorted. A JSON body is covered by its hash in the URL.
    Twilio signs the URL with or without the port. https://www.twilio.com/docs/usage/security
    """
    token = account_secret(account, "token", "TWILIO_AUTH_TOKEN")
    given = asked.headers.get("x-twilio-signature", "")
    parts = urlsplit(asked.url)
    wanted = dict(parse_qsl(parts.query)).get("bodySHA256")
    fields = "" if wanted else "".join(name + value for name, value in sorted(set(asked.form)))
    host, default = parts.hostname or "", 80 if parts.scheme in ("http", "ws") else 443
    urls = [asked.url, *(parts._replace(netloc=at).geturl() for at in (host, f"{host}:{default}"))]
    proven = [equal(given, hmac_base64(token, url + fields, "sha1")) for url in urls]
    intact = equal(wanted, hashlib.sha256(asked.body).hexdigest()) if wanted else not has_unsigned_body(asked)
    return given if any(proven) and intact else False


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the webhook of a call."""
    fields = asked.fields
    return IncomingCall(fields.get("CallSid", ""), fields.get("From", ""), fields.get("To", ""))


def answer(answer: WebhookAnswer) -> Document:
    """Make TwiML that connects the call with our websocket, both ways."""
    parameters = "".join(
        f'<Parameter name="{escape(name)}" value="{escape(value)}"/>'
        for name, value in answer.parameters.items()
    )
    return twiml(f'<Connect><Stream url="{escape(answer.url)}">{parameters}</Stream></Connect>')


def twiml(verbs: str) -> Document:
    """Make a document of TwiML verbs."""
    return Document(f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>')


def twiml_room(name: str) -> str:
    """Make the verb that moves a call to a conference.

    The conference ends when a participant leaves.
    """
    conference = f'<Conference beep="false" endConferenceOnExit="true">{escape(name)}</Conference>'
    return f"<Dial>{conference}</Dial>"


class TwilioCalls:
    """The REST API for calls: https://www.twilio.com/docs/voice/api/call-resource"""

    def __init__(self, base: Callable[[Account], str], user: str = "sid") -> None:
        self.base = base
        self.user = user

    def dial(self, account: Account, dialling: DialRequest) -> Flow:
        """Make a call; the answer document is part of the request."""
        form = {
            "To": dialling.to,
            "From": dialling.caller or account["number"],
            "Twiml": answer(dialling.answer).body,
            "Timeout": str(dialling.ring),
        }
        if dialling.status_url:
            form["StatusCallback"] = dialling.status_url
        return require_text((yield self._post(account, "", form)), "sid")

    def hang_up(self, account: Account, call: CallDetails) -> Flow:
        """End a call; if it is over already, that is not a failure."""
        yield self._post(account, call.call, {"Status": "completed"}, allow=(400, 404))
        return ""

    def transfer(self, account: Account, wish: TransferRequest) -> Flow:
        """Transfer the call.

        For a cold transfer the call dials the target; for a warm one the third party waits in a conference.
        """
        if not wish.warm:
            yield self._post(
                account, wish.call.call, {"Twiml": twiml(f"<Dial>{_target(wish.to)}</Dial>").body}
            )
            return ""
        room = twiml_room(wish.call.call)
        said = f"<Say>{escape(wish.announcement)}</Say>" if wish.announcement else ""
        form = {
            "To": wish.to,
            "From": account.get("number") or wish.call.called,
            "Twiml": twiml(said + room).body,
            "Timeout": str(RING),
        }
        warm = WarmTransfer(
            to=wish.to,
            dial=self._post(account, "", form),
            name=("sid",),
            look=lambda other: self._request(account, "GET", other),
            status=("status",),
            answered=frozenset(("in-progress",)),
            over=OVER,
            join=lambda other: self._post(account, wish.call.call, {"Twiml": twiml(room).body}),
            drop=lambda other: self._post(account, other, {"Status": "completed"}),
        )
        return (yield from put_through(warm))

    def _post(
        self, account: Account, call: str, form: Mapping[str, str], allow: tuple[int, ...] = ()
    ) -> RestRequest:
        return replace(self._request(account, "POST", call), form=form, allow=allow)

    def _request(self, account: Account, method: str, call: str) -> RestRequest:
        url = f"{self.base(account)}/Calls{'/' * bool(call)}{quote(call, safe='')}.json"
        return RestRequest(method, url, login=(account[self.user], account["token"]))


def _target(to: str) -> str:
    kind = "Sip" if to.startswith(("sip:", "sips:")) else "Number"
    return f"<{kind}>{escape(to)}</{kind}>"


CALLS = TwilioCalls(lambda account: f"{HOST}/Accounts/{quote(account['sid'], safe='')}")

PROVIDER = Provider(
    name="twilio",
    title="Twilio",
    docs="https://www.twilio.com/docs/voice/media-streams",
    audio="mu-law 8 kHz",
    codec=lambda: JsonEvents(DIALECT),
    environment={"sid": "TWILIO_ACCOUNT_SID", "token": "TWILIO_AUTH_TOKEN", "number": "TWILIO_NUMBER"},
    optional=frozenset(("number",)),
    signature="HMAC-SHA1 of address and form",
    signed=signed,
    incoming=incoming,
    answer=answer,
    dial=CALLS.dial,
    hang_up=CALLS.hang_up,
    transfer=CALLS.transfer,
)
