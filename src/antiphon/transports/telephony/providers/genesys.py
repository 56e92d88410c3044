"""Genesys Cloud AudioHook, for the Audio Connector.

A flow in Genesys opens the websocket, and goes on with the call when it is closed.

https://developer.genesys.cloud/devapps/audiohook/protocol-reference
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec

from ....errors import BadResponseError
from ..messages import LONGEST, decode_message, key_pressed, text_at, text_values
from ..port import (
    Account,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    CallStopped,
    Proof,
    Provider,
    SendBack,
    WebhookRequest,
    WireMessage,
)
from ..signatures import account_secret, equal

__all__ = ["PROVIDER"]

PROBE = "00000000-0000-0000-0000-000000000000"  # the conversation id in a connection test
FRESH = 300  # the age in seconds up to which a signed handshake is accepted
SKEW = 30  # seconds that clocks may differ


class GenesysMessage(msgspec.Struct):
    """A message from Genesys, with the fields of all kinds."""

    type: str
    id: str = ""
    seq: int = 0
    parameters: dict[str, Any] | None = None


class Genesys:
    """The codec: mu-law at 8 kHz.

    The messages of each direction are numbered, and acknowledge the last number of the other.
    """

    packet = 0.2  # smaller packets would exceed its rate limit

    def __init__(self) -> None:
        self._session = ""
        self._received_number = 0
        self._sent_number = 0
        self._is_probe = False
        self._channels = 1

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse audio or an event."""
        if isinstance(message, bytes):
            if len(message) > LONGEST:
                raise BadResponseError(f"a message of {len(message)} bytes; the limit is {LONGEST}")
            heard = message[:: self._channels]  # with two interleaved channels, the caller's is the first
            return (CallerAudio(heard),) if heard else ()
        said: GenesysMessage = decode_message(_said, message)
        self._received_number = max(self._received_number, said.seq)
        match said.type:
            case "open":
                return self._open(said)
            case "ping":
                return (SendBack(self._message("pong")),)
            case "dtmf":
                return (key_pressed(text_at(said.parameters, "digit")),)
            case "close":
                reason = "it was a probe" if self._is_probe else "the caller hung up"
                return SendBack(self._message("closed")), CallStopped(reason)
            case "error":
                raise BadResponseError(f"Genesys reports: {text_at(said.parameters, 'message')[:200]}")
            case _:
                return ()

    def media(self, data: bytes) -> bytes:
        """Return the audio unchanged."""
        return data

    def clear(self) -> str:
        """Return the barge-in event, which discards queued audio."""
        return self._message("event", {"entities": [{"type": "barge_in", "data": {}}]})

    def mark(self, name: str) -> None:
        """Return None: the protocol has no marks."""

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> str:
        """Return the message that hands the call back to the flow."""
        return self._disconnect({"action": "finished"})

    def transfer(self, to: str) -> str:
        """Return the message that hands the call back to the flow, to transfer it.

        A variable holds the target of the transfer.
        """
        return self._disconnect({"action": "transfer", "transfer_to": to})

    def _disconnect(self, variables: dict[str, str]) -> str:
        return self._message("disconnect", {"reason": "completed", "outputVariables": variables})

    def _open(self, said: GenesysMessage) -> Sequence[CallEvent]:
        about = said.parameters or {}
        spoken = [offer for offer in _listed(about.get("media")) if _is_supported(offer)]
        chosen = min(spoken, key=lambda offer: len(offer["channels"]), default=None)
        self._session = said.id
        if chosen is None:
            raise BadResponseError("Genesys offers no PCMU of the external channel at 8 kHz")
        self._channels = len(chosen["channels"])
        media = {name: chosen[name] for name in ("type", "format", "channels", "rate")}
        opened = SendBack(self._message("opened", {"startPaused": False, "media": [media]}))
        conversation = text_at(about, "conversationId")
        if conversation == PROBE:
            self._is_probe = True
            return (opened,)
        call = CallDetails(
            provider="genesys",
            call=conversation,
            stream=said.id,
            account=text_at(about, "organizationId"),
            caller=text_at(about, "participant", "ani").removeprefix("tel:"),
            called=text_at(about, "participant", "dnis").removeprefix("tel:"),
            parameters=text_values(about.get("inputVariables")),
        )
        return opened, CallStarted(call)

    def _message(self, kind: str, parameters: dict[str, Any] | None = None) -> str:
        self._sent_number += 1
        message = {
            "version": "2",
            "type": kind,
            "seq": self._sent_number,
            "clientseq": self._received_number,
            "id": self._session,
            "parameters": parameters or {},
        }
        return msgspec.json.encode(message).decode()


_said = msgspec.json.Decoder(GenesysMessage)


def _listed(offers: Any) -> list[Any]:
    return cast(list[Any], offers) if isinstance(offers, list) else []


def _is_supported(offer: Any) -> bool:
    match offer:
        case {
            "type": "audio",
            "format": "PCMU",
            "rate": 8000,
            "channels": ["external"] | ["external", "internal"],
        }:
            return True
        case _:
            return False


def signed(asked: WebhookRequest, account: Account) -> Proof:
    """Verify the API key and the HTTP message signature of the handshake.

    The signature follows an early draft of RFC 9421.
    https://developer.genesys.cloud/devapps/audiohook/security
    """
    wanted_key = account_secret(account, "key", "GENESYS_API_KEY")
    shared = account_secret(account, "secret", "GENESYS_CLIENT_SECRET")
    given = asked.headers.get("signature-input", "")
    parsed = re.fullmatch(r'([\w-]+)=(\(([^()]*)\)((?:;\w+=(?:"[^"]*"|\d+))*))', given)
    if parsed is None or not equal(asked.headers.get("x-api-key", ""), wanted_key):
        return False
    label, params, names, rest = parsed.groups()
    covered = re.findall(r'"([^"]+)"', names)
    settings: dict[str, str] = dict(re.findall(r';(\w+)="?([^";]*)"?', rest))
    if not set(covered) >= COVERED or not _is_fresh(settings, asked.now):
        return False
    parts = urlsplit(asked.url)
    target = parts._replace(scheme="", netloc="").geturl()
    derived = {"@request-target": target, "@authority": asked.headers.get("host", parts.netloc)}
    lines = [f'"{name}": {derived.get(name, asked.headers.get(name, ""))}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {params}'])
    mac = b64encode(hmac.new(_bytes(shared), base.encode(errors="replace"), hashlib.sha256).digest()).decode()
    return mac if equal(asked.headers.get("signature", ""), f"{label}=:{mac}:") else False


COVERED = frozenset(
    (
        "@request-target",
        "@authority",
        "audiohook-organization-id",
        "audiohook-session-id",
        "audiohook-correlation-id",
        "x-api-key",
    )
)
"""What a signature must cover."""


def _is_fresh(settings: dict[str, str], now: float) -> bool:
    created, expires = settings.get("created", ""), settings.get("expires", "")
    if not created.isdecimal() or abs(now - int(created[:12])) > FRESH:
        return False
    return not expires or (expires.isdecimal() and now < int(expires[:12]) + SKEW)


def _bytes(shared: str) -> bytes:
    try:
        return b64decode(shared, validate=True)
    except ValueError:
        return shared.encode()


PROVIDER = Provider(
    name="genesys",
    title="Genesys AudioHook",
    docs="https://developer.genesys.cloud/devapps/audiohook",
    audio="mu-law 8 kHz",
    codec=Genesys,
    environment={"key": "GENESYS_API_KEY", "secret": "GENESYS_CLIENT_SECRET"},
    signature="HTTP message signature of the handshake",
    signed=signed,
    lead=0.4,
)
