"""AWS's Bedrock."""

import json
from typing import Any

from ...services.aws_event_stream import encode_event
from .http import HttpAnswer, HttpVendorServer, VendorRequest, asks_for_tool
from .server import KEY, Fault

__all__ = ["BedrockServer"]


class BedrockServer(HttpVendorServer):
    """Bedrock by rule.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
    """

    def check(self, request: VendorRequest) -> None:
        """Check the signature's form, and that user and assistant take turns."""
        assert request.method == "POST", request
        assert request.path.startswith("/model/"), request.path
        assert request.path.endswith("/converse-stream"), request.path
        assert "/" not in request.path.removeprefix("/model/").removesuffix("/converse-stream")
        signed = request.headers["authorization"]
        assert signed.startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/"), signed
        assert "/eu-west-1/bedrock/aws4_request" in signed, signed
        assert "host;x-amz-date" in signed, signed
        asked = request.json
        expected: list[str] = []
        for before, turn in zip([None, *asked["messages"]], asked["messages"], strict=False):
            assert turn["role"] == (
                "user" if before is None or before["role"] == "assistant" else "assistant"
            )
            assert turn["content"], "a turn is empty"
            answered = [b["toolResult"]["toolUseId"] for b in turn["content"] if "toolResult" in b]
            assert answered == expected, "every call is answered in the next turn"
            expected = [b["toolUse"]["toolUseId"] for b in turn["content"] if "toolUse" in b]
            assert not expected or asked["toolConfig"], "a history with calls needs tools"
        blocks = [asked.get("system", []), *(turn["content"] for turn in asked["messages"])]
        points = [at for content in blocks for at, block in enumerate(content) if "cachePoint" in block]
        assert len(points) <= 4, "more than four cache points"
        assert 0 not in points, "a cache point stands behind what is cached"

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with two words, or with a call of the first tool."""
        asked = request.json
        last = [block for block in asked["messages"][-1]["content"] if "cachePoint" not in block][-1]
        await answer.begin("application/vnd.amazon.eventstream")
        await _tell(answer, "messageStart", role="assistant")
        reason = "end_turn"
        if asks_for_tool(last.get("text", ""), asked.get("toolConfig")):
            reason = "tool_use"
            name = asked["toolConfig"]["tools"][0]["toolSpec"]["name"]
            start = {"toolUse": {"toolUseId": "tool-1", "name": name}}
            await _tell(answer, "contentBlockStart", contentBlockIndex=0, start=start)
            for part in ('{"day": ', '"Monday"}'):
                await _tell(
                    answer, "contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": part}}
                )
        else:
            for text in ("Good ", "day."):
                await _tell(answer, "contentBlockDelta", contentBlockIndex=0, delta={"text": text})
        await _tell(answer, "contentBlockStop", contentBlockIndex=0)
        await _tell(answer, "messageStop", stopReason=reason)
        usage = {"inputTokens": 4, "outputTokens": 3, "cacheReadInputTokens": 8, "cacheWriteInputTokens": 2}
        await _tell(answer, "metadata", usage=usage, metrics={"latencyMs": 1})


async def _tell(answer: HttpAnswer, kind: str, **told: Any) -> None:
    payload = json.dumps(told | ({"novel": 1} if answer.fault is Fault.STRANGE else {})).encode()
    event = encode_event(payload, message_type="event", event_type=kind, content_type="application/json")
    if answer.fault is Fault.MALFORMED:
        event = event[:-1] + bytes([event[-1] ^ 1])
    if answer.fault is Fault.STRANGE:
        await answer.send(encode_event(b"{}", message_type="event", event_type="novelty"))
    half = len(event) // 2
    await answer.send(event[:half])
    await answer.send(event[half:])
