"""SignalWire: Twilio's protocol and requests, at the account's own address.

https://developer.signalwire.com/compatibility-api/cxml/voice/stream/
"""

import hashlib
import hmac
from dataclasses import replace
from urllib.parse import quote

from ..json_events import JsonEvents, ProviderMessage
from ..port import Account, CallDetails, Proof, Provider, WebhookRequest
from ..signatures import account_secret, equal, has_unsigned_body, hmac_base64
from .twilio import DIALECT, TwilioCalls, answer, incoming
from .twilio import started as as_twilio

__all__ = ["PROVIDER"]


def started(said: ProviderMessage) -> CallDetails:
    """Parse `start`."""
    return replace(as_twilio(said), provider="signalwire")


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify X-SignalWire-Signature, an HMAC-SHA1.

    That of a form is as Twilio's; otherwise it is the hex digest of the URL and the body.
    https://developer.signalwire.com/guides/how-to-secure-your-webhooks/
    """
    key = account_secret(account, "signing_key", "SIGNALWIRE_SIGNING_KEY")
    given = asked.headers.get("x-signalwire-signature") or asked.headers.get("x-twilio-signature", "")
    fields = "".join(name + value for name, value in sorted(set(asked.form)))
    form = hmac_base64(key, asked.url + fields, "sha1")
    whole = hmac.new(key.encode(), asked.url.encode() + asked.body, hashlib.sha1).hexdigest()
    if not (equal(given, whole) or (equal(given, form) and not has_unsigned_body(asked))):
        return False
    return form if fields else whole  # the same if a replay leaves out either header


CALLS = TwilioCalls(
    lambda account: (
        f"https://{account['space']}/api/laml/2010-04-01/Accounts/{quote(account['project'], safe='')}"
    ),
    user="project",
)

PROVIDER = Provider(
    name="signalwire",
    title="SignalWire",
    docs="https://developer.signalwire.com/compatibility-api/cxml/voice/stream/",
    audio="mu-law 8 kHz",
    codec=lambda: JsonEvents(replace(DIALECT, started=started)),
    environment={
        "space": "SIGNALWIRE_SPACE",
        "project": "SIGNALWIRE_PROJECT",
        "token": "SIGNALWIRE_TOKEN",
        "signing_key": "SIGNALWIRE_SIGNING_KEY",
        "number": "SIGNALWIRE_NUMBER",
    },
    optional=frozenset(("signing_key", "number")),
    signature="HMAC-SHA1 of address and form",
    signed=signed,
    incoming=incoming,
    answer=answer,
    dial=CALLS.dial,
    hang_up=CALLS.hang_up,
    transfer=CALLS.transfer,
)
