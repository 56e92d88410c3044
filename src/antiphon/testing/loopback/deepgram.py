"""Deepgram: Nova, Flux and Aura."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer, spoken

__all__ = ["DeepgramFlux", "DeepgramFluxSpeak", "DeepgramListen", "DeepgramSpeak"]


class DeepgramListen(VendorServer):
    """Nova: https://developers.deepgram.com/reference/speech-to-text/listen-streaming"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/listen", path
        assert headers["authorization"] == f"Token {KEY}"
        assert query["encoding"] == "linear16", query
        assert query["sample_rate"] == "16000", query
        assert query["model"].startswith("nova"), query

    async def talk(self, connection: Connection) -> None:
        """Answer audio with interim words, Finalize with final ones."""
        heard, since = HeardAudio(), 0.0
        async for message in connection:
            match message:
                case bytes():
                    assert message, "an empty message would close the stream"
                    heard.feed(message)
                    if heard.seconds - since >= 0.3:
                        since = heard.seconds
                        await connection.send(_results(heard.words, final=False))
                case {"type": "Finalize"}:
                    await connection.send(_results(heard.answer(), final=True, finalized=True))
                case {"type": "CloseStream"}:
                    await connection.send(_results(heard.answer(), final=True))
                    await connection.send({"type": "Metadata", "request_id": "1", "duration": heard.seconds})
                    await connection.close()
                case {"type": "KeepAlive"}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _results(words: str, *, final: bool, finalized: bool = False) -> dict[str, object]:
    alternative = {"transcript": words, "confidence": 0.9, "words": [], "languages": ["en"]}
    return {
        "type": "Results",
        "is_final": final,
        "speech_final": False,
        "from_finalize": finalized,
        "channel": {"alternatives": [alternative]},
    }


class DeepgramFlux(VendorServer):
    """Flux: https://developers.deepgram.com/reference/speech-to-text/listen-flux

    A turn ends after 0.4 s of quiet, and eagerly after 0.2 s.
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v2/listen", path
        assert headers["authorization"] == f"Token {KEY}"
        assert query["model"].startswith("flux"), query
        eager, certain = query.get("eager_eot_threshold"), float(query["eot_threshold"])
        assert eager is None or 0.3 <= float(eager) <= certain <= 1, query

    async def talk(self, connection: Connection) -> None:
        """Tell all words of the turn every 240 ms of audio, and when it ends."""
        heard, quiet, eager, turn = HeardAudio(), 0.0, False, 0
        await connection.greet({"type": "Connected", "request_id": "1", "sequence_id": 0})
        async for message in connection:
            match message:
                case bytes():
                    seconds = heard.seconds
                    now = HeardAudio()
                    now.feed(message)
                    heard.feed(message)
                    quiet = 0.0 if now.loud else quiet + now.seconds
                    event = "Update"
                    if heard.loud and not now.loud and quiet >= 0.2 and not eager:
                        event, eager = "EagerEndOfTurn", True
                    elif heard.loud and quiet >= 0.4:
                        event = "EndOfTurn"
                    elif now.loud and eager:
                        event, eager = "TurnResumed", False
                    elif int(heard.seconds / 0.24) == int(seconds / 0.24):
                        continue
                    await connection.send(_turn(event, heard.words, turn))
                    if event == "EndOfTurn":
                        heard.answer()
                        eager, turn = False, turn + 1
                case {"type": "ForceEndTurn"}:
                    if heard.loud:
                        await connection.send(
                            _turn("EndOfTurn", heard.answer(), turn) | {"trigger": "manual"}
                        )
                        eager, turn = False, turn + 1
                case {"type": "CloseStream"}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _turn(event: str, words: str, turn: int) -> dict[str, object]:
    return {
        "type": "TurnInfo",
        "event": event,
        "turn_index": turn,
        "transcript": words,
        "words": [],
        "end_of_turn_confidence": 0.8 if event.endswith("EndOfTurn") else 0.1,
    }


class DeepgramSpeak(VendorServer):
    """Aura: https://developers.deepgram.com/reference/text-to-speech/speak-streaming"""

    path = "/v1/speak"
    models = "aura"
    rates = ("8000", "16000", "24000", "32000", "48000")

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == self.path, path
        assert headers["authorization"] == f"Token {KEY}"
        assert query["model"].startswith(self.models), query
        assert query["encoding"] == "linear16", query
        assert query["sample_rate"] in self.rates, query
        self.sample_rate = int(query["sample_rate"])

    async def talk(self, connection: Connection) -> None:
        """Speak what is flushed; a Clear is confirmed."""
        waiting, flushes = "", 0
        await connection.greet({"type": "Metadata", "request_id": "1", "model_name": "aura"})
        async for message in connection:
            match message:
                case {"type": "Speak", "text": str(text)}:
                    assert 0 < len(text) <= 2001, len(text)
                    waiting += text
                case {"type": "Flush"}:
                    flushes += 1
                    assert flushes <= 20, "more flushes than a minute may have"
                    for pcm in spoken(waiting.strip(), self.sample_rate):
                        await connection.send(pcm)
                    await connection.send({"type": "Flushed", "sequence_id": flushes - 1})
                    waiting = ""
                case {"type": "Clear"}:
                    self.cancelled += 1
                    waiting = ""
                    await connection.send({"type": "Cleared", "sequence_id": 0})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class DeepgramFluxSpeak(DeepgramSpeak):
    """Flux: https://developers.deepgram.com/reference/text-to-speech/speak-flux"""

    path = "/v2/speak"
    models = "flux"
    rates = ("8000", "16000", "24000", "32000", "44100", "48000")

    async def talk(self, connection: Connection) -> None:
        """Speak each text at once, within turns that are named."""
        speaking = False
        await connection.greet({"type": "Connected", "request_id": "1", "model_name": "flux"})
        async for message in connection:
            match message:
                case {"type": "Speak", "text": str(text)}:
                    if not speaking:
                        await connection.greet({"type": "SpeechStarted", "speech_id": "dg_sp_1"})
                    speaking = True
                    for pcm in spoken(text.strip(), self.sample_rate):
                        await connection.send(pcm)
                case {"type": "Flush"} if speaking:
                    speaking = False
                    ended = {"type": "SpeechMetadata", "speech_id": "dg_sp_1", "audio_duration_ms": 1}
                    await connection.send({"type": "Flushed"})
                    await connection.send(ended)
                case {"type": "Interrupt"}:
                    self.cancelled += 1
                    ended = {"type": "SpeechInterrupted", "audio_played_ms": 0}
                    quiet = {"type": "Warning", "code": "NO_ACTIVE_SPEECH"}
                    await connection.send(ended if speaking else quiet)
                    speaking = False
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
