"""The endpoints for chat completions that need no file of their own: a row each.

A row says what sets an endpoint apart from OpenAI's. `fields` are what its requests have besides, by what
the model's name contains; most of them turn reasoning off, which would delay the first word.
"""

from ..services.openai_compatible import ChatEndpoint

__all__ = ["CHAT_ENDPOINTS"]

NO_EFFORT = {"reasoning_effort": "none"}
NO_THINKING = {"thinking": {"type": "disabled"}}
TEMPLATE = {"chat_template_kwargs": {"enable_thinking": False}}

_ROWS = (
    ChatEndpoint(
        "azure_openai", "https://{AZURE_OPENAI_RESOURCE}.openai.azure.com/openai/v1", "AZURE_OPENAI_API_KEY",
        docs="https://learn.microsoft.com/azure/ai-foundry/openai/reference",
        key_header="api-key", key_prefix="", cache_key=True,
    ),
    ChatEndpoint(
        "groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "openai/gpt-oss-120b",
        "https://console.groq.com/docs/api-reference",
        fields={"gpt-oss": {"reasoning_effort": "low"}, "qwen3": NO_EFFORT},
    ),
    ChatEndpoint(
        "together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", "zai-org/GLM-5.1",
        "https://docs.together.ai/reference/chat-completions",
        fields={"GLM": {"reasoning": {"enabled": False}}},
    ),
    ChatEndpoint(
        "fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY",
        docs="https://docs.fireworks.ai/api-reference/post-chatcompletions", sends_usage=False,
    ),
    ChatEndpoint(
        "deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY",
        docs="https://deepinfra.com/docs/openai_api",
    ),
    ChatEndpoint(
        "cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY", "gpt-oss-120b",
        "https://inference-docs.cerebras.ai/api-reference/chat-completions",
        fields={"gpt-oss": {"reasoning_effort": "low"}, "glm": {"disable_reasoning": True}},
    ),
    ChatEndpoint(
        "deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY", "deepseek-v4-flash",
        "https://api-docs.deepseek.com/api/create-chat-completion", fields={"": NO_THINKING},
    ),
    ChatEndpoint(
        "mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral-small-latest",
        "https://docs.mistral.ai/api/#tag/chat", sends_usage=False,
    ),
    ChatEndpoint(
        "openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY",
        docs="https://openrouter.ai/docs/api-reference/chat-completion",
        fields={"": {"reasoning": {"effort": "none"}}},
    ),
    ChatEndpoint(
        "xai", "https://api.x.ai/v1", "XAI_API_KEY", "grok-4.20-non-reasoning",
        "https://docs.x.ai/docs/api-reference", fields={"grok-4.3": NO_EFFORT},
    ),
    ChatEndpoint(
        "perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", "sonar",
        "https://docs.perplexity.ai/api-reference", sends_usage=False, tools=False, strict_turns=True,
    ),
    ChatEndpoint(
        "nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", "nvidia/nemotron-3-nano-30b-a3b",
        "https://docs.api.nvidia.com/nim/reference/llm-apis", fields={"": TEMPLATE},
    ),
    ChatEndpoint(
        "sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY",
        docs="https://docs.sambanova.ai/cloud/api-reference",
    ),
    ChatEndpoint(
        "nebius", "https://api.tokenfactory.nebius.com/v1", "NEBIUS_API_KEY",
        "Qwen/Qwen3-30B-A3B-Instruct-2507",
        "https://docs.tokenfactory.nebius.com/api-reference",
    ),
    ChatEndpoint(
        "baseten", "https://inference.baseten.co/v1", "BASETEN_API_KEY", "moonshotai/Kimi-K2.6",
        "https://docs.baseten.co/reference/inference-api",
        fields={"": {"chat_template_args": {"enable_thinking": False}}},
    ),
    ChatEndpoint(
        "qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY", "qwen-plus",
        "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        fields={"": {"enable_thinking": False}},
    ),
    ChatEndpoint(
        "moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", "kimi-k2.6",
        "https://platform.moonshot.ai/docs/api/chat", fields={"": NO_THINKING},
    ),
    ChatEndpoint(
        "zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", "glm-4.7",
        "https://docs.z.ai/api-reference/llm/chat-completion",
        fields={"glm-4": NO_THINKING | {"tool_stream": True}},
    ),
    ChatEndpoint(
        "minimax", "https://api.minimax.io/v1", "MINIMAX_API_KEY", "MiniMax-M3",
        "https://platform.minimax.io/docs/api-reference/text-openai-api",
        fields={"": {"reasoning_split": True}, "M3": NO_THINKING},
    ),
    ChatEndpoint(
        "inception", "https://api.inceptionlabs.ai/v1", "INCEPTION_API_KEY", "mercury-2",
        "https://docs.inceptionlabs.ai", fields={"": {"reasoning_effort": "instant"}},
    ),
    ChatEndpoint(
        "novita", "https://api.novita.ai/openai", "NOVITA_API_KEY", "moonshotai/kimi-k2.5",
        "https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
    ),
    ChatEndpoint(
        "sarvam", "https://api.sarvam.ai/v2", "SARVAM_API_KEY", "sarvam-105b",
        "https://docs.sarvam.ai/api-reference-docs/chat",
        key_header="api-subscription-key", key_prefix="", sends_usage=False,
    ),
    ChatEndpoint(
        "cloudflare", "https://api.cloudflare.com/client/v4/accounts/{CLOUDFLARE_ACCOUNT_ID}/ai/v1",
        "CLOUDFLARE_API_TOKEN",
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility",
    ),
    ChatEndpoint(
        "github_models", "https://models.github.ai/inference", "GITHUB_TOKEN",
        docs="https://docs.github.com/rest/models/inference",
    ),
    ChatEndpoint(
        "huggingface", "https://router.huggingface.co/v1", "HF_TOKEN",
        docs="https://huggingface.co/docs/inference-providers",
    ),
    ChatEndpoint(
        "ollama", "http://localhost:11434/v1", None, docs="https://docs.ollama.com/api/openai-compatibility",
        fields={"": NO_EFFORT},
    ),
    ChatEndpoint(
        "vllm", "http://localhost:8000/v1", None,
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server",
        fields={"": TEMPLATE},
    ),
    ChatEndpoint(
        "sglang", "http://localhost:30000/v1", None,
        docs="https://docs.sglang.ai/basic_usage/openai_api_completions.html",
        fields={"": TEMPLATE},
    ),
    ChatEndpoint(
        "llama_cpp", "http://127.0.0.1:8080/v1", None, "default",
        "https://github.com/ggml-org/llama.cpp/tree/master/tools/server", fields={"": TEMPLATE},
    ),
    ChatEndpoint(
        "lm_studio", "http://127.0.0.1:1234/v1", None, docs="https://lmstudio.ai/docs/developer/openai-compat",
    ),
)  # fmt: skip

CHAT_ENDPOINTS = {row.vendor: row for row in _ROWS}
"""The endpoints by the name of their vendor, as in `llm="groq/openai/gpt-oss-120b"`."""
