"""Azure's speech recognition."""

import json
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["AzureRecognition", "speech_message", "speech_parts"]

JSON = "application/json"


class AzureRecognition(VendorServer):
    """Recognition of a conversation, by the messages of Microsoft's clients.

    https://github.com/microsoft/cognitive-services-speech-sdk-js
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/speech/recognition/conversation/cognitiveservices/v1", path
        assert headers["ocp-apim-subscription-key"] == KEY
        assert len(headers["x-connectionid"]) == 32, headers
        assert query["language"] == "en-US", query
        assert query.get("format", "simple") in ("simple", "detailed"), query

    async def talk(self, connection: Connection) -> None:
        """Tell hypotheses, and a phrase after 0.5 s of quiet."""
        connection.novelty = "Path: novelty\r\n\r\n{}"
        heard, request, paths = HeardAudio(), "", list[str]()
        async for message in connection:
            headers, body = speech_parts(message)
            assert headers["x-timestamp"].endswith("Z"), headers
            if headers["path"] == "telemetry":
                json.loads(body)
                continue
            paths.append(headers["path"])
            if headers["path"] != "speech.config" or "x-requestid" in headers:
                assert len(headers["x-requestid"]) == 32, headers
                request = request or headers["x-requestid"]
                assert headers["x-requestid"] == request, "one turn, one request"
            if isinstance(message, str):
                assert headers.get("content-type", JSON).startswith(JSON), headers
                json.loads(body)
                continue
            assert headers["path"] == "audio", headers
            if len(paths) == 3:
                assert paths == ["speech.config", "speech.context", "audio"], paths
                assert body[:4] == b"RIFF", "the first audio is the head of a WAV file"
                assert len(body) == 44, "the first audio is the head of a WAV file"
                await connection.greet(
                    speech_message("turn.start", request, {"context": {"serviceTag": "1"}})
                )
                continue
            heard.feed(body)
            if heard.loud and (heard.quiet >= 0.5 or not body):
                phrase: dict[str, object] = {
                    "RecognitionStatus": "Success",
                    "DisplayText": heard.answer(),
                    "Offset": 0,
                }
                await connection.send(speech_message("speech.phrase", request, phrase))
            elif heard.due():
                await connection.send(speech_message("speech.hypothesis", request, {"Text": heard.words}))
            if not body:
                await connection.send(speech_message("turn.end", request, {}))


def speech_parts(message: bytes | str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a message."""
    if isinstance(message, str):
        head, body = message.split("\r\n\r\n", 1)[0], message.split("\r\n\r\n", 1)[1].encode()
    else:
        ends = 2 + int.from_bytes(message[:2])
        assert message[:ends].endswith(b"\r\n"), "each header ends with a line"
        head, body = message[2:ends].decode(), message[ends:]
    pairs = (line.split(":", 1) for line in head.strip().split("\r\n"))
    return {name.lower(): value.strip() for name, value in pairs}, body


def speech_message(path: str, request: str, body: dict[str, object]) -> str:
    """Return a message of the service."""
    head = f"X-RequestId:{request}\r\nContent-Type:application/json; charset=utf-8\r\nPath:{path}\r\n\r\n"
    return head + json.dumps(body)
