"""Asterisk's chan_websocket: media in binary messages, control in text or JSON.

https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/

The dialplan does transfers: we set the variable ANTIPHON_TRANSFER of the caller's channel through ARI (the
channel variable `caller_channel` holds that channel's id) and close the websocket, after which the dialplan
continues behind Dial() with the option g.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from ....errors import BadResponseError, UsageError
from ..messages import LONGEST, audio_format, decode_message, json_string, key_pressed, text_at, text_values
from ..port import (
    Account,
    AudioFormat,
    CallDetails,
    CallerAudio,
    CallEvent,
    CallStarted,
    DialRequest,
    Flow,
    MarkPlayed,
    Provider,
    RestRequest,
    TransferRequest,
    WireMessage,
)
from ..rest import require_text
from ..signatures import basic_auth

__all__ = ["PROVIDER"]

SLIN = {"slin": 8000, "slin8": 8000, "slin16": 16000, "slin24": 24000, "slin32": 32000, "slin48": 48000}
MOST = 100  # outstanding marks in plain text, if the queue never becomes empty


class Asterisk:
    """The codec.

    The plain text form has no marks: all of them count as played when Asterisk's queue is empty.
    """

    packet = 0.02

    def __init__(self) -> None:
        self._json = False
        self._pending_marks: list[str] = []

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse media, or an event in either form of control."""
        if len(message) > LONGEST:
            raise BadResponseError(f"a message of {len(message)} bytes; the limit is {LONGEST}")
        if isinstance(message, bytes):
            return (CallerAudio(message),) if message else ()
        said = decode_message(_said, message) if message.lstrip().startswith("{") else _plain(message)
        match text_at(said, "event"):
            case "MEDIA_START":
                self._json = said.get("dialect") != "text"
                return (CallStarted(_call(said)),)
            case "DTMF_END":
                return (key_pressed(text_at(said, "digit")),)
            case "MEDIA_MARK_PROCESSED":
                return (MarkPlayed(text_at(said, "correlation_id")),)
            case "QUEUE_DRAINED":
                reached, self._pending_marks = self._pending_marks, []
                return [MarkPlayed(name) for name in reached]
            case _:
                return ()

    def media(self, data: bytes) -> bytes:
        """Return the media unchanged; Asterisk paces them."""
        return data

    def clear(self) -> str:
        """Return the command that discards queued audio."""
        self._pending_marks.clear()
        return self._command("FLUSH_MEDIA")

    def mark(self, name: str) -> str | None:
        """Return the command that asks for an event when the queue gets here.

        In plain text the event comes when the queue is empty.
        """
        if self._json:
            return f'{{"command":"MARK_MEDIA","correlation_id":{json_string(name)}}}'
        self._pending_marks = [*self._pending_marks[-MOST:], name]
        return "REPORT_QUEUE_DRAINED"

    def keys(self, keys: str) -> None:
        """Return None: keys are played as tones."""

    def end(self) -> str:
        """Return the command that hangs up."""
        return self._command("HANGUP")

    def transfer(self, to: str) -> None:
        """Return None: a REST request transfers the call."""

    def _command(self, command: str) -> str:
        return f'{{"command":"{command}"}}' if self._json else command


_said = msgspec.json.Decoder(dict[str, Any])


def _plain(message: str) -> dict[str, Any]:
    """Parse an event such as "MEDIA_START connection_id:1 format:ulaw"."""
    event, *words = message.split()[:50] or [""]
    pairs = (word.partition(":") for word in words)
    return {name: value for name, colon, value in pairs if colon} | {"event": event, "dialect": "text"}


def _call(said: dict[str, Any]) -> CallDetails:
    given = text_values(said.get("channel_variables"))
    written = text_at(said, "format")
    spoken = AudioFormat("l16", SLIN[written]) if written in SLIN else audio_format(written)
    return CallDetails(
        provider="asterisk",
        call=text_at(said, "channel_id") or text_at(said, "channel"),
        stream=text_at(said, "connection_id"),
        caller=given.get("from", ""),
        called=given.get("to", ""),
        heard=spoken,
        spoken=spoken,
        parameters=given,
        dialect=text_at(said, "dialect") or "json",
    )


def dial(account: Account, dialling: DialRequest) -> Flow:
    """Make a call through ARI, to the dialplan context that connects the websocket."""
    data = {
        "endpoint": account["endpoint"].replace("{to}", dialling.to),
        "context": account["context"],
        "extension": "s",
        "priority": 1,
        "callerId": dialling.caller or account.get("number", ""),
        "timeout": dialling.ring,
        "variables": dict(dialling.answer.parameters),
    }
    return require_text((yield _ari(account, "POST", "channels", data)), "id")


def transfer(account: Account, wish: TransferRequest) -> Flow:
    """Tell the dialplan where to transfer the caller."""
    if wish.warm:
        raise UsageError(
            "Asterisk makes warm transfers in its dialplan: transfer cold, and let Dial() announce it"
        )
    caller = wish.call.parameters.get("caller_channel") or wish.call.parameters.get("CALLER_CHANNEL")
    if not caller:
        raise UsageError(
            "Asterisk did not say which channel is the caller's: set the channel variable caller_channel"
        )
    path = f"channels/{quote(caller, safe='')}/variable"
    yield _ari(account, "POST", path, {"variable": "ANTIPHON_TRANSFER", "value": wish.to})
    return ""


def _ari(account: Account, method: str, path: str, data: dict[str, Any]) -> RestRequest:
    url = f"{account['url'].rstrip('/')}/{path}"
    return RestRequest(method, url, data=data, login=(account["ari_user"], account["ari_password"]))


PROVIDER = Provider(
    name="asterisk",
    title="Asterisk chan_websocket",
    docs="https://docs.asterisk.org/Configuration/Channel-Drivers/WebSocket/",
    audio="mu-law, A-law, G.722, L16 8 to 48 kHz",
    codec=Asterisk,
    environment={
        "url": "ASTERISK_ARI_URL",
        "ari_user": "ASTERISK_ARI_USER",
        "ari_password": "ASTERISK_ARI_PASSWORD",
        "endpoint": "ASTERISK_ENDPOINT",
        "context": "ASTERISK_CONTEXT",
        "number": "ASTERISK_NUMBER",
        "user": "ASTERISK_WEBSOCKET_USER",
        "password": "ASTERISK_WEBSOCKET_PASSWORD",
    },
    optional=frozenset(("endpoint", "context", "number", "user", "password")),
    signature="HTTP basic authentication of the handshake",
    signed=basic_auth(("user", "ASTERISK_WEBSOCKET_USER"), ("password", "ASTERISK_WEBSOCKET_PASSWORD")),
    dial=dial,
    transfer=transfer,
)
