"""Google's Gemini."""

import re
from typing import Any

from .http import HttpAnswer, HttpVendorServer, VendorRequest, asks_for_tool
from .server import KEY

__all__ = ["GeminiServer", "proto_field"]


class GeminiServer(HttpVendorServer):
    """Gemini by rule.

    https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
    """

    def check(self, request: VendorRequest) -> None:
        """Check path and key, and that user and model take turns."""
        assert request.method == "POST", request
        assert request.path.startswith(("/v1beta/models/gemini", "/v1/models/gemini")), request.path
        assert request.path.endswith(":streamGenerateContent"), request.path
        assert request.query["alt"] == "sse", request.query
        assert request.headers["x-goog-api-key"] == KEY
        asked = request.json
        turns = asked["contents"]
        assert turns[0]["role"] == "user", "the user begins"
        expected: list[str] = []
        for before, turn in zip([None, *turns], turns, strict=False):
            assert before is None or before["role"] != turn["role"], "roles must alternate"
            assert turn["parts"], "a turn is empty"
            for part in turn["parts"]:
                assert "functionCall" not in part or part.get("thoughtSignature"), "a signature is missing"
            answered = [p["functionResponse"]["name"] for p in turn["parts"] if "functionResponse" in p]
            assert answered == expected, "every call is answered in the next turn"
            expected = [p["functionCall"]["name"] for p in turn["parts"] if "functionCall" in p]
        for tool in asked.get("tools", ()):
            assert all(proto_field(one, "parametersJsonSchema") for one in tool["functionDeclarations"]), tool

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer with two words, or with a call of the first tool."""
        asked = request.json
        last = asked["contents"][-1]["parts"][-1]
        await answer.begin("text/event-stream")
        if asks_for_tool(last.get("text", ""), asked.get("tools")):
            name = asked["tools"][0]["functionDeclarations"][0]["name"]
            call = {"functionCall": {"name": name, "args": {"day": "Monday"}}, "thoughtSignature": "c2ln"}
            await answer.event(_chunk(call))
        else:
            await answer.event(_chunk({"text": "to think", "thought": True}))
            await answer.event(_chunk({"text": "Good "}))
            await answer.event(_chunk({"text": "day."}))
        usage = {"promptTokenCount": 12, "candidatesTokenCount": 3, "cachedContentTokenCount": 8}
        await answer.event({"candidates": [{"finishReason": "STOP"}], "usageMetadata": usage})


def proto_field(message: dict[str, Any], name: str) -> Any:
    """Return a field, by its name in JSON or in the protocol buffer."""
    return message.get(name) or message[re.sub("([A-Z])", r"_\1", name).lower()]


def _chunk(part: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": [part]}}]}
