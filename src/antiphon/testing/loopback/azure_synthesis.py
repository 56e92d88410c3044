"""Azure's speech synthesis."""

import json
from collections.abc import Mapping
from xml.etree import ElementTree

from .azure import speech_message, speech_parts
from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["AzureSynthesis"]

SSML = "{http://www.w3.org/2001/10/synthesis}"


def spoken_text(ssml: str) -> str:
    """Return the text of a document with one voice, which may have a prosody."""
    speak = ElementTree.fromstring(ssml)
    assert speak.tag == f"{SSML}speak", ssml
    assert speak.attrib["version"] == "1.0", ssml
    assert speak.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == "en-US", ssml
    [voice] = speak
    assert voice.tag == f"{SSML}voice", ssml
    assert voice.attrib["name"], ssml
    return "".join(voice.itertext())


class AzureSynthesis(VendorServer):
    """Synthesis by turns, by the messages of Microsoft's clients.

    https://github.com/microsoft/cognitive-services-speech-sdk-js
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/tts/cognitiveservices/websocket/v1", path
        assert headers["ocp-apim-subscription-key"] == KEY
        assert len(headers["x-connectionid"]) == 32, headers

    async def talk(self, connection: Connection) -> None:
        """Speak one turn after the other."""
        paths, context = list[str](), ""
        async for message in connection:
            assert isinstance(message, str), "messages are text"
            headers, body = speech_parts(message)
            assert headers["x-timestamp"].endswith("Z"), headers
            paths.append(headers["path"])
            assert paths[0] == "speech.config", paths
            request = headers.get("x-requestid", "")
            assert len(request) == 32 or headers["path"] == "speech.config", headers
            match headers["path"]:
                case "speech.config" | "telemetry":
                    json.loads(body)
                case "synthesis.context":
                    audio = json.loads(body)["synthesis"]["audio"]
                    assert audio["outputFormat"] == "raw-24khz-16bit-mono-pcm", audio
                    context = request
                case "ssml":
                    assert headers["content-type"] == "application/ssml+xml", headers
                    assert request == context, "a turn has one request id"
                    await self._turn(connection, request, spoken_text(body.decode()))
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _turn(self, connection: Connection, request: str, text: str) -> None:
        await connection.send(speech_message("turn.start", request, {"context": {"serviceTag": "1"}}))
        for word, start, end in zip(*word_times(text), strict=True):
            said = {"Text": word, "Length": len(word), "BoundaryType": "WordBoundary"}
            data = {"Offset": int(start * 1e7), "Duration": int((end - start) * 1e7), "text": said}
            told: dict[str, object] = {"Metadata": [{"Type": "WordBoundary", "Data": data}]}
            await connection.send(speech_message("audio.metadata", request, told))
        head = f"X-RequestId:{request}\r\nX-StreamId:1\r\nPath:audio\r\n".encode()
        for pcm in (*spoken(text.strip(), 24000), b""):
            await connection.send(len(head).to_bytes(2) + head + pcm)
        await connection.send(speech_message("turn.end", request, {}))
