"""OpenAI: chat and speech, as all endpoints for them speak, and responses."""

from base64 import b64encode
from typing import Any

from ...services.wav import wav
from .http import HttpAnswer, HttpVendorServer, VendorRequest, asks_for_tool
from .server import KEY, Fault, spoken

__all__ = ["GroqSpeechServer", "OpenAIChat", "OpenAIResponses", "OpenAISpeechServer", "TogetherSpeechServer"]


class OpenAIChat(HttpVendorServer):
    """Chat completions by rule.

    https://platform.openai.com/docs/api-reference/chat-streaming
    """

    def check(self, request: VendorRequest) -> None:
        """Check the key, and that each call of a tool is answered at once."""
        assert (request.method, request.path.removeprefix("/v1")) == ("POST", "/chat/completions"), request
        assert request.headers["authorization"] == f"Bearer {KEY}"
        asked = request.json
        assert asked["model"], asked
        assert asked["stream"] is True, asked
        assert asked["messages"], "there are no messages"
        open_calls: list[str] = []
        for message in asked["messages"]:
            if message["role"] == "tool":
                open_calls.remove(message["tool_call_id"])
                continue
            assert not open_calls, "a tool call was not answered"
            assert message["role"] in ("system", "developer", "user", "assistant"), message
            assert message.get("content") or message.get("tool_calls"), "a message is empty"
            open_calls = [call["id"] for call in message.get("tool_calls") or ()]
        assert not open_calls, "a tool call was not answered"
        assert all(tool["type"] == "function" for tool in asked.get("tools", ())), asked
        assert all(tool["function"]["name"] for tool in asked.get("tools", ())), asked

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with two words, or with a call of the first tool."""
        asked = request.json
        last = asked["messages"][-1]
        content = last["content"] if last["role"] == "user" else ""
        said = content if isinstance(content, str) else content[-1].get("text", "")
        await answer.begin("text/event-stream")
        deltas: list[dict[str, Any]] = [{"content": "Good "}, {"content": "day."}]
        calls = asks_for_tool(said, asked.get("tools"))
        if calls:
            named = {"name": asked["tools"][0]["function"]["name"], "arguments": ""}
            call = {"index": 0, "id": "call", "type": "function", "function": named}
            parts = [{"index": 0, "function": {"arguments": part}} for part in ('{"day": ', '"Monday"}')]
            deltas = [{"tool_calls": [one]} for one in (call, *parts)]
        chunk: dict[str, Any] = {
            "id": "1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": asked["model"],
            "system_fingerprint": "fp_1",
        }
        for delta in ({"role": "assistant", "content": "" if not calls else None}, *deltas, {}):
            finish = None if delta else "tool_calls" if calls else "stop"
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            await answer.event(chunk | {"choices": [choice]})
        if asked.get("stream_options", {}).get("include_usage"):
            usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
            usage |= {"prompt_tokens_details": {"cached_tokens": 8}}
            await answer.event(chunk | {"choices": [], "usage": usage})
        await answer.event("[DONE]")


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
        assert 0 < len(asked.get("prompt_cache_key", "a key")) <= 64, asked
        called: list[str] = []
        for item in asked["input"]:
            match item.get("type", "message"):
                case "message":
                    assert item["role"] in ("user", "assistant", "system", "developer"), item
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
        content = last["content"] if last.get("role") == "user" else ""
        said = content if isinstance(content, str) else content[-1].get("text", "")
        response: dict[str, Any] = {
            "id": "1", "object": "response", "created_at": 1, "model": asked["model"], "output": [],
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": asked.get("tools", []),
        }  # fmt: skip
        told: list[dict[str, Any]] = [{"type": "response.created", "response": response}]
        if asks_for_tool(said, asked.get("tools")):
            item = {
                "type": "function_call",
                "id": "item",
                "call_id": "call",
                "name": asked["tools"][0]["name"],
            }
            told.append({"type": "response.output_item.added", "item": item | {"arguments": ""}})
            name = {"type": "response.function_call_arguments.delta", "item_id": "item"}
            told += [name | {"delta": delta} for delta in ('{"day":', '"Monday"}')]
            done = item | {"arguments": '{"day":"Monday"}'}
            told.append({"type": "response.output_item.done", "item": done})
        else:
            thought = {"item_id": "thought", "summary_index": 0, "delta": "to think"}
            told.append({"type": "response.reasoning_summary_text.delta", **thought})
            for delta in ("Good ", "day."):
                text: dict[str, Any] = {"item_id": "item", "content_index": 0, "delta": delta, "logprobs": []}
                told.append({"type": "response.output_text.delta", **text})
        usage = {"input_tokens": 14, "output_tokens": 3, "total_tokens": 17,
                 "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 2},
                 "output_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
        told.append({"type": "response.completed", "response": response | {"usage": usage}})
        await answer.begin("text/event-stream")
        for number, event in enumerate(told):
            await answer.event({"sequence_number": number, "output_index": 0, **event}, event["type"])
