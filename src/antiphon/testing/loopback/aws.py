"""AWS Transcribe."""

import json
import re
import struct
import zlib
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["AwsTranscribe"]


class AwsTranscribe(VendorServer):
    """Transcribe: https://docs.aws.amazon.com/transcribe/latest/dg/websocket.html"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and the form of the signature."""
        assert path == "/stream-transcription-websocket", path
        assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256", query
        scope = r"/\d{8}/eu-central-1/transcribe/aws4_request"
        assert re.fullmatch(KEY + scope, query["X-Amz-Credential"]), query
        assert re.fullmatch(r"\d{8}T\d{6}Z", query["X-Amz-Date"]), query
        assert 0 < int(query["X-Amz-Expires"]) <= 300, query
        assert query["X-Amz-SignedHeaders"] == "host", query
        assert re.fullmatch("[0-9a-f]{64}", query["X-Amz-Signature"]), query
        assert query["media-encoding"] == "pcm", query
        assert query["sample-rate"] == "16000", query
        assert query["language-code"] == "en-US", query

    async def talk(self, connection: Connection) -> None:
        """Tell partial results, and final ones after 0.7 s of quiet or at the end."""
        connection.novelty = _event("NovelEvent", {})
        heard = HeardAudio()
        async for message in connection:
            pcm = _audio(message)
            heard.feed(pcm)
            if heard.loud and (heard.quiet >= 0.7 or not pcm):
                await connection.send(_transcript(heard.answer(), partial=False))
            elif heard.due():
                await connection.send(_transcript(heard.words, partial=True))
            if not pcm:
                await connection.close()


def _audio(message: bytes | str) -> bytes:
    """Return the audio of an event, of which all parts are checked."""
    assert isinstance(message, bytes), "events are binary"
    length, head = struct.unpack(">II", message[:8])
    assert length == len(message), message
    assert struct.unpack(">I", message[8:12])[0] == zlib.crc32(message[:8]), "the prelude's checksum"
    assert struct.unpack(">I", message[-4:])[0] == zlib.crc32(message[:-4]), "the message's checksum"
    headers = message[12 : 12 + head]
    for name, value in (
        (b":message-type", b"event"),
        (b":event-type", b"AudioEvent"),
        (b":content-type", b"application/octet-stream"),
    ):
        wanted = bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
        assert wanted in headers, f"{name.decode()} is missing"
    return message[12 + head : -4]


def _transcript(words: str, *, partial: bool) -> bytes:
    result: dict[str, Any] = {
        "ResultId": "1",
        "IsPartial": partial,
        "Alternatives": [{"Transcript": words, "Items": []}],
    }
    return _event("TranscriptEvent", {"Transcript": {"Results": [result]}})


def _event(kind: str, payload: dict[str, Any]) -> bytes:
    head = b""
    for name, value in ((b":message-type", b"event"), (b":event-type", kind.encode())):
        head += bytes([len(name)]) + name + b"\x07" + struct.pack(">H", len(value)) + value
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(head) + len(body), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + head + body
    return message + struct.pack(">I", zlib.crc32(message))
