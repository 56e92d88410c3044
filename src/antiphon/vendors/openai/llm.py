"""OpenAI's chat models, and every other endpoint for chat completions.

https://platform.openai.com/docs/api-reference/chat

`base_url` or OPENAI_BASE_URL sets another endpoint (a local server, a gateway), which may need no key.
"""

import os
from typing import Any

from ...services.openai_compatible import ChatCompletions, ChatEndpoint

__all__ = ["LLM"]

OFFICIAL = "https://api.openai.com/v1"


class LLM(ChatCompletions):
    """A chat model.

    `options` are further fields of each request, such as temperature. An option replaces what would be sent
    under its name; None leaves that field out: `stream_options=None`.
    """

    def __init__(
        self,
        model: str = "gpt-4.1-mini",
        *,
        base_url: str | None = None,
        key: str | None = None,
        answer_within: float = 30.0,
        strict_turns: bool = False,
        **options: Any,
    ) -> None:
        base_url = (base_url or os.environ.get("OPENAI_BASE_URL") or OFFICIAL).rstrip("/")
        endpoint = ChatEndpoint(
            "openai",
            base_url,
            "OPENAI_API_KEY" if base_url == OFFICIAL else None,
            strict_turns=strict_turns,
            cache_key=base_url == OFFICIAL,
        )
        key = key or os.environ.get("OPENAI_API_KEY")
        super().__init__(model, endpoint, key=key, answer_within=answer_within, options=options)
