"""Deepgram: Nova, Flux and Aura."""

from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer, spoken

__all__ = ["DeepgramFlux", "DeepgramFluxSpeak", "DeepgramListen", "DeepgramSpeak"]

MODEL = {"name": "general-nova-3", "version": "2025-04-17.21547", "arch": "nova-3"}
METADATA: dict[str, object] = {
    "type": "Metadata",
    "transaction_key": "deprecated",
    "request_id": "1",
    "sha256": "0",
    "created": "2026-11-30T12:00:00.000Z",
    "channels": 1,
}


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
                        await connection.send(_results(heard.words, heard.seconds, final=False))
                case {"type": "Finalize"}:
                    told = _results(heard.answer(), heard.seconds, final=True)
                    await connection.send(told | {"from_finalize": True})
                case {"type": "CloseStream"}:
                    await connection.send(_results(heard.answer(), heard.seconds, final=True))
                    await connection.send(METADATA | {"duration": heard.seconds})
                    await connection.close()
                case {"type": "KeepAlive"}:
                    pass
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _results(words: str, seconds: float, *, final: bool) -> dict[str, object]:
    alternative = {"transcript": words, "confidence": 0.9, "words": [], "languages": ["en"]}
    return {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 0.0,
        "duration": seconds,
        "is_final": final,
        "speech_final": False,
        "from_finalize": False,
        "channel": {"alternatives": [alternative]},
        "metadata": {"request_id": "1", "model_info": MODEL, "model_uuid": "2"},
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
        assert query["encoding"] == "linear16", query
        assert query["sample_rate"] == "16000", query
        eager, certain = query.get("eager_eot_threshold"), float(query["eot_threshold"])
        assert eager is None or 0.3 <= float(eager) <= certain <= 1, query

    async def talk(self, connection: Connection) -> None:
        """Tell all words of a turn every 240 ms, when it begins and when it ends."""
        heard, begun, eager, turn = HeardAudio(), False, False, 0
        await connection.greet({"type": "Connected", "request_id": "1", "sequence_id": 0})
        async for message in connection:
            match message:
                case bytes():
                    seconds = heard.seconds
                    heard.feed(message)
                    event = "Update"
                    if heard.loud and not begun:
                        event, begun = "StartOfTurn", True
                    elif heard.loud and heard.quiet >= 0.4:
                        event, begun, eager = "EndOfTurn", False, False
                    elif heard.loud and heard.quiet >= 0.2 and not eager:
                        event, eager = "EagerEndOfTurn", True
                    elif not heard.quiet and eager:
                        event, eager = "TurnResumed", False
                    elif int(heard.seconds / 0.24) == int(seconds / 0.24):
                        continue
                    await connection.send(_turn(event, heard, turn))
                    turn += event == "EndOfTurn"
                case {"type": "ForceEndTurn"} if begun:
                    await connection.send(_turn("EndOfTurn", heard, turn) | {"trigger": "manual"})
                    begun, eager, turn = False, False, turn + 1
                case {"type": "ForceEndTurn"}:
                    said = {"code": "FORCE_END_TURN_NO_ACTIVE_TURN", "description": "There is no turn."}
                    await connection.send({"type": "Warning", **said})
                case {"type": "CloseStream"}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _turn(event: str, heard: HeardAudio, turn: int) -> dict[str, object]:
    told: dict[str, object] = {
        "type": "TurnInfo",
        "request_id": "1",
        "sequence_id": turn + 1,
        "event": event,
        "turn_index": turn,
        "audio_window_start": 0.0,
        "audio_window_end": heard.seconds,
        "transcript": heard.answer() if event == "EndOfTurn" else heard.words,
        "words": [],
        "end_of_turn_confidence": 0.8 if event.endswith("EndOfTurn") else 0.1,
    }
    return told | ({"trigger": "model"} if event == "EndOfTurn" else {})


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
        about = {"model_name": "aura", "model_version": "1", "model_uuid": "2"}
        await connection.greet({"type": "Metadata", "request_id": "1", **about})
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
                case {"type": "Close"}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class DeepgramFluxSpeak(DeepgramSpeak):
    """Flux: https://developers.deepgram.com/reference/text-to-speech/speak-flux"""

    path = "/v2/speak"
    models = "flux"
    rates = ("8000", "16000", "24000", "32000", "44100", "48000")

    async def talk(self, connection: Connection) -> None:
        """Speak each text at once, within turns that are named."""
        told, name = "", {"speech_id": "dg_sp_1"}
        about = {"model_name": "flux", "model_version": "1", "model_uuids": ["2"]}
        await connection.greet({"type": "Connected", "request_id": "1", **about})
        async for message in connection:
            match message:
                case {"type": "Speak", "text": str(text)}:
                    if not told:
                        await connection.greet({"type": "SpeechStarted", **name})
                    told += text
                    for pcm in spoken(text.strip(), self.sample_rate):
                        await connection.send(pcm)
                case {"type": "Flush"} if told:
                    await connection.send({"type": "Flushed", **name})
                    await connection.send({"type": "SpeechMetadata", **name, **_billed(told)})
                    told = ""
                case {"type": "Interrupt"} if told:
                    self.cancelled += 1
                    ended = {"audio_played_ms": 0, "metadata": {**name, **_billed(told)}}
                    await connection.send({"type": "SpeechInterrupted", **ended})
                    told = ""
                case {"type": "Interrupt"}:
                    self.cancelled += 1
                    said = {"code": "NO_ACTIVE_SPEECH", "description": "There is no speech."}
                    await connection.send({"type": "Warning", **said})
                case {"type": "Close"}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _billed(text: str) -> dict[str, object]:
    counts = {"input_character_count": len(text), "billable_character_count": len(text)}
    controls = {"pronunciations_applied": 0, "breaks_applied": 0, "pronunciation_warnings": 0}
    return {"audio_duration_ms": len(text) * 50, **counts, "controls_applied": controls}
