"""Language models by a plugin of LiveKit."""

from base64 import b64encode
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

from ...context import AgentSaid, Context, Entry, ToolAnswered, ToolCall, UserSaid
from ...errors import NothingSaidError, UsageError
from ...services.chat_messages import INTERRUPTED
from ...services.ports import LanguageModel, TextDelta, TokenUsage
from ...services.streams import has_words
from ...services.vendor_values import token_count
from .plugin import PluginService

REMEMBERED = 256  # calls whose further values are kept for the next request


class LLM(PluginService, LanguageModel):
    """A plugin: "groq/openai/gpt-oss-120b" with its parameters, or its object."""

    port = "LLM"

    def __init__(self, plugin: object, **options: Any) -> None:
        super().__init__(plugin, **options)
        self._extras = OrderedDict[str, Any]()  # by the id of a call: the thought signatures of Gemini

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the model's answer to the conversation so far."""
        await self.open()
        chat = import_module("livekit.agents.llm")
        asked = chat.ChatContext(list(self._items(context, chat)))
        tools = [_tool(tool.name, tool.description, tool.parameters, chat) for tool in context.tools]
        said, usage = False, None
        async with self._plugin.stream(self._plugin.object.chat, chat_ctx=asked, tools=tools) as stream:
            async for chunk in stream:
                usage = chunk.usage or usage
                if chunk.delta is None:
                    continue
                if text := chunk.delta.content:
                    said |= has_words(text, voiced=False)
                    yield TextDelta(text)
                for call in chunk.delta.tool_calls:
                    said = True
                    self._remember(call)
                    yield ToolCall(call.call_id, call.name, call.arguments or "{}")
        if usage is not None:
            counts = (usage.prompt_tokens, usage.completion_tokens, usage.prompt_cached_tokens)
            yield TokenUsage(*map(token_count, counts))
        if not said:
            raise NothingSaidError(f"{self._plugin.vendor} ended its answer without a word")

    def _remember(self, call: Any) -> None:
        if call.extra:
            self._extras[call.call_id] = call.extra
            while len(self._extras) > REMEMBERED:
                self._extras.popitem(last=False)

    def _items(self, context: Context, chat: Any) -> Iterator[Any]:
        yield chat.ChatMessage(role="system", content=[context.instructions])
        for entry in context.entries:
            yield from self._of(entry, chat)

    def _of(self, entry: Entry, chat: Any) -> Iterator[Any]:
        match entry:
            case UserSaid(text, pictures):
                urls = [f"data:{one.media_type};base64,{b64encode(one.data).decode()}" for one in pictures]
                shown = [chat.ImageContent(image=url) for url in urls]
                yield chat.ChatMessage(role="user", content=[*([text] if text else []), *shown])
            case AgentSaid(text, calls, interrupted, pictures):
                if pictures:
                    raise UsageError("LiveKit's plugins take pictures of the user, none of the agent")
                if text:
                    yield chat.ChatMessage(role="assistant", content=[text + INTERRUPTED * interrupted])
                for call in calls:
                    extra = self._extras.get(call.id, {})
                    yield chat.FunctionCall(
                        call_id=call.id, name=call.name, arguments=call.arguments, extra=extra
                    )
            case ToolAnswered(call, result):
                yield chat.FunctionCallOutput(call_id=call.id, name=call.name, output=result, is_error=False)


def _tool(name: str, description: str, parameters: dict[str, Any], chat: Any) -> Any:
    """Return a tool that LiveKit describes to the model and never calls."""

    async def left_to_antiphon(raw_arguments: dict[str, object]) -> None:
        pass

    schema = {"name": name, "description": description, "parameters": parameters}
    return chat.function_tool(left_to_antiphon, raw_schema=schema)
