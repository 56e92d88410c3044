"""Exotel AgentStream (the voicebot applet).

https://developer.exotel.com/docs/agentstream/websocket-protocol
"""

import json
from urllib.parse import quote, urlencode

from ..json_events import Dialect, JsonEvents, ProviderMessage
from ..messages import audio_format, text_at, text_values
from ..port import (
    Account,
    CallDetails,
    DialRequest,
    Document,
    Flow,
    IncomingCall,
    Provider,
    RestRequest,
    WebhookAnswer,
    WebhookRequest,
)
from ..rest import require_text
from ..signatures import basic_auth

__all__ = ["PROVIDER"]

KNOWN = frozenset(("call", "from", "to"))  # `start` has these anyway
MOST_PARAMETERS = 3  # in the query of the websocket's address
LONGEST_QUERY = 256  # characters


def started(said: ProviderMessage) -> CallDetails:
    """Parse the `start` message.

    The encoding "audio/x-raw" is PCM, and so is any name that is not a codec's, such as "base64".
    """
    start = said.start or {}
    encoding, rate = (text_at(start, "media_format", name) for name in ("encoding", "sample_rate"))
    spoken = audio_format(encoding, rate, default="l16")
    return CallDetails(
        provider="exotel",
        call=text_at(start, "call_sid"),
        stream=text_at(start, "stream_sid"),
        account=text_at(start, "account_sid"),
        caller=text_at(start, "from"),
        called=text_at(start, "to"),
        heard=spoken,
        spoken=spoken,
        parameters=text_values(start.get("custom_parameters")),
    )


DIALECT = Dialect(
    started=started,
    media='{"event":"media","stream_sid":STREAM,"media":{"payload":"DATA"}}',
    clear='{"event":"clear","stream_sid":STREAM}',
    mark='{"event":"mark","stream_sid":STREAM,"mark":{"name":NAME}}',
    packet=0.2,  # the minimum is 3200 bytes, in multiples of 320
)


def incoming(asked: WebhookRequest) -> IncomingCall:
    """Parse the request for the websocket's address.

    Its query describes the call.
    """
    fields = asked.fields
    caller, called = fields.get("CallFrom") or fields.get("From"), fields.get("CallTo") or fields.get("To")
    return IncomingCall(fields.get("CallSid", ""), caller or "", called or "")


def answer(answer: WebhookAnswer) -> Document:
    """Make JSON with our websocket's address, for an applet that fetches it."""
    return Document(json.dumps({"url": _address(answer)}), "application/json")


def _address(answer: WebhookAnswer) -> str:
    given = [(name, value) for name, value in answer.parameters.items() if name not in KNOWN]
    query = urlencode(given[:MOST_PARAMETERS])
    return f"{answer.url}?{query}" if query and len(query) <= LONGEST_QUERY else answer.url


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call that is streamed when it is answered.

    https://developer.exotel.com/docs/agentstream/developer-guide
    """
    form = {
        "from": dialling.to,
        "callerid": dialling.caller or account["number"],
        "streamurl": _address(dialling.answer),
        "streamtype": "bidirectional",
    }
    if dialling.status_url:
        form |= {"statuscallback": dialling.status_url, "statuscallbackevents[]": "terminal"}
    host = account.get("host") or "api.exotel.com"
    url = f"https://{host}/v1/accounts/{quote(account['sid'], safe='')}/calls/connect"
    return require_text(
        (yield RestRequest("POST", url, form=form, login=(account["key"], account["token"]))), "call", "sid"
    )


PROVIDER = Provider(
    name="exotel",
    title="Exotel",
    docs="https://developer.exotel.com/docs/agentstream/developer-guide",
    audio="L16 8, 16 or 24 kHz",
    codec=lambda: JsonEvents(DIALECT),
    environment={
        "sid": "EXOTEL_ACCOUNT_SID",
        "key": "EXOTEL_API_KEY",
        "token": "EXOTEL_API_TOKEN",
        "host": "EXOTEL_HOST",
        "number": "EXOTEL_NUMBER",
        "user": "EXOTEL_WEBHOOK_USER",
        "password": "EXOTEL_WEBHOOK_PASSWORD",
    },
    optional=frozenset(("host", "number", "user", "password")),
    signature="HTTP basic authentication",
    signed=basic_auth(("user", "EXOTEL_WEBHOOK_USER"), ("password", "EXOTEL_WEBHOOK_PASSWORD")),
    incoming=incoming,
    answer=answer,
    dial=dial,
    lead=0.4,
)
