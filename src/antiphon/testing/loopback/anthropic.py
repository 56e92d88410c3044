"""Anthropic's messages."""

from typing import Any

from .http import HttpAnswer, HttpVendorServer, VendorRequest, asks_for_tool
from .server import KEY

__all__ = ["AnthropicMessages"]

MESSAGE: dict[str, Any] = {
    "id": "1",
    "type": "message",
    "role": "assistant",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
}


class AnthropicMessages(HttpVendorServer):
    """Claude by rule.

    https://docs.anthropic.com/en/api/messages-streaming
    """

    def check(self, request: VendorRequest) -> None:
        """Check the headers, and that user and assistant take turns."""
        assert (request.method, request.path) == ("POST", "/v1/messages"), request
        headers, asked = request.headers, request.json
        assert headers.get("x-api-key") == KEY or headers["authorization"] == f"Bearer {KEY}"
        assert headers["anthropic-version"] in ("2023-06-01", "2026-10-21"), headers
        if headers["anthropic-version"] > "2026":
            assert not asked.keys() & {"temperature", "top_p", "top_k"}, "removed in this version"
        assert asked["stream"] is True
        assert asked["max_tokens"] > 0, "max_tokens is required"
        assert [turn["role"] for turn in asked["messages"]][:2] in (["user"], ["user", "assistant"])
        open_calls: set[str] = set()
        for turn in asked["messages"]:
            turn["content"] = _blocks(turn["content"])
        for before, turn in zip([None, *asked["messages"]], asked["messages"], strict=False):
            assert before is None or before["role"] != turn["role"], "roles must alternate"
            assert turn["content"], "a turn is empty"
            for block in turn["content"]:
                assert block["type"] != "text" or block["text"].strip(), "a text is empty"
            answered = {b["tool_use_id"] for b in turn["content"] if b["type"] == "tool_result"}
            assert answered == open_calls, "every tool call is answered in the next turn, and no other"
            open_calls = {b["id"] for b in turn["content"] if b["type"] == "tool_use"}
            assert all(isinstance(b["input"], dict) for b in turn["content"] if b["type"] == "tool_use")
        assert not open_calls, "a tool call was not answered"
        blocks = _blocks(asked.get("system", []))
        blocks = [*blocks, *(block for turn in asked["messages"] for block in turn["content"])]
        points = sum("cache_control" in block for block in [asked, *blocks])
        assert points <= 4, "more than four cache breakpoints"
        for tool in asked.get("tools", ()):
            assert tool["input_schema"]["type"] == "object", tool

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with two words, or with a call of the first tool."""
        asked = request.json
        last = _blocks(asked["messages"][-1]["content"])[-1]
        await answer.begin("text/event-stream")
        usage = {"input_tokens": 4, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 2}
        message = MESSAGE | {"model": asked["model"], "usage": usage}
        await _tell(answer, {"type": "message_start", "message": message})
        await _tell(answer, {"type": "ping"})
        calls = last["type"] == "text" and asks_for_tool(last["text"], asked.get("tools"))
        block: dict[str, Any] = {"type": "text", "text": ""}
        pieces = [{"type": "text_delta", "text": text} for text in ("Good ", "day.")]
        if calls:
            block = {"type": "tool_use", "id": "toolu_1", "name": asked["tools"][0]["name"], "input": {}}
            parts = ("", '{"day": ', '"Monday"}')
            pieces = [{"type": "input_json_delta", "partial_json": part} for part in parts]
        await _tell(answer, {"type": "content_block_start", "index": 0, "content_block": block})
        for piece in pieces:
            await _tell(answer, {"type": "content_block_delta", "index": 0, "delta": piece})
        await _tell(answer, {"type": "content_block_stop", "index": 0})
        reason = "tool_use" if calls else "end_turn"
        delta = {"stop_reason": reason, "stop_sequence": None}
        await _tell(answer, {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3}})
        await _tell(answer, {"type": "message_stop"})


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


async def _tell(answer: HttpAnswer, told: dict[str, Any]) -> None:
    await answer.event(told, told["type"])
