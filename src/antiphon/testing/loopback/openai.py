"""OpenAI: speech, as all endpoints for it speak, and responses."""

from base64 import b64encode
from typing import Any

from ...services.wav import wav
from .http import HttpAnswer, HttpVendorServer, VendorRequest, asks_for_tool
from .server import KEY, Fault, spoken

__all__ = ["GroqSpeechServer", "OpenAIResponses", "OpenAISpeechServer", "TogetherSpeechServer"]


class OpenAISpeechServer(HttpVendorServer):
    """Voices by rule.

    https://platform.openai.com/docs/api-reference/audio/createSpeech
    """

    def check(self, request: VendorRequest) -> None:
        """Check key and fields."""
        assert (request.method, request.path) == ("POST", "/audio/speech"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert 0 < len(asked["input"]) <= 4096, asked
        assert asked["voice"], asked
        assert asked["model"], asked
        self.check_format(asked)

    def check_format(self, asked: dict[str, Any]) -> None:
        """Check what says the format of the audio."""
        assert asked["response_format"] == "pcm", asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send samples, cut at odd places."""
        if self.fault is Fault.MALFORMED:
            await answer.begin("application/json")
            await answer.send(b'{"message": "no audio today"}')
            return
        await answer.begin("audio/pcm")
        pcm = b"".join(spoken(request.json["input"], 24000))
        for at in range(0, len(pcm), 4801):
            await answer.send(pcm[at : at + 4801])


class GroqSpeechServer(OpenAISpeechServer):
    """Voices whose requests are short, and whose audio is a WAV file at 48 kHz.

    https://console.groq.com/docs/text-to-speech
    """

    def check_format(self, asked: dict[str, Any]) -> None:
        """Check what says the format of the audio."""
        assert asked["response_format"] == "wav", asked
        assert len(asked["input"]) <= 200, asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send a file."""
        if self.fault is Fault.MALFORMED:
            await super().answer(request, answer)
            return
        await answer.begin("audio/wav")
        await answer.send(wav(b"".join(spoken(request.json["input"], 48000)), 48000))


class TogetherSpeechServer(OpenAISpeechServer):
    """Voices whose audio comes in events.

    https://docs.together.ai/docs/inference/text-to-speech/streaming
    """

    def check_format(self, asked: dict[str, Any]) -> None:
        """Check what says the format of the audio."""
        assert asked["stream"] is True, asked
        assert (asked["response_format"], asked["response_encoding"]) == ("raw", "pcm_s16le"), asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send samples in events."""
        await answer.begin("text/event-stream")
        told = {"type": "conversation.item.audio_output.delta", "item_id": "tts_1"}
        for pcm in spoken(request.json["input"], 24000):
            await answer.event(told | {"delta": b64encode(pcm).decode()})
        await answer.event("[DONE]")


class OpenAIResponses(HttpVendorServer):
    """The Responses API by rule.

    https://platform.openai.com/docs/api-reference/responses-streaming
    """

    def check(self, request: VendorRequest) -> None:
        """Check the key, and that each call has its output."""
        assert (request.method, request.path) == ("POST", "/responses"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert asked["stream"] is True
        called: list[str] = []
        for item in asked["input"]:
            match item["type"]:
                case "message":
                    assert item["role"] in ("user", "assistant"), item
                    assert item["content"], "a message is empty"
                case "function_call":
                    called.append(item["call_id"])
                case "function_call_output":
                    called.remove(item["call_id"])
                case other:
                    raise AssertionError(f"not an item: {other}")
        assert not called, "a call has no output"
        assert all(tool["type"] == "function" and tool["name"] for tool in asked.get("tools", ()))

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with two words, or with a call of the first tool."""
        asked = request.json
        last = asked["input"][-1]
        said = last["content"][-1].get("text", "") if last.get("role") == "user" else ""
        await answer.begin("text/event-stream")
        await _tell(answer, "response.created", response={"id": "1"})
        if asks_for_tool(said, asked.get("tools")):
            item = {
                "type": "function_call",
                "id": "item",
                "call_id": "call",
                "name": asked["tools"][0]["name"],
            }
            await _tell(answer, "response.output_item.added", item=item | {"arguments": ""})
            for delta in ('{"day":', '"Monday"}'):
                await _tell(answer, "response.function_call_arguments.delta", item_id="item", delta=delta)
            await _tell(answer, "response.output_item.done", item=item | {"arguments": '{"day":"Monday"}'})
        else:
            await _tell(answer, "response.reasoning_summary_text.delta", delta="to think")
            for delta in ("Good ", "day."):
                await _tell(answer, "response.output_text.delta", item_id="item", delta=delta)
        usage = {"input_tokens": 12, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 8}}
        await _tell(answer, "response.completed", response={"id": "1", "usage": usage})


async def _tell(answer: HttpAnswer, kind: str, **told: object) -> None:
    await answer.event({"type": kind, **told}, kind)
