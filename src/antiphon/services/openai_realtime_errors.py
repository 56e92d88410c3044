"""Errors, as the protocol of OpenAI's Realtime API and its dialects tell them.

https://platform.openai.com/docs/api-reference/realtime-server-events/error
"""

from typing import Any

from ..errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from .vendor_values import fields, string

__all__ = ["code_and_words", "error_in", "is_benign", "known_error"]

BENIGN = ("response_cancel_not_active", "conversation_already_has_active_response",
          "input_audio_buffer_commit_empty", "item_truncate_invalid", "item_delete_invalid",
          "unsupported_content_type")  # fmt: skip
NOTHING_TO_CANCEL = ("no active response", "no ongoing response")
REFUSALS = ("invalid_api_key", "authentication_error", "insufficient_quota", "credit_balance_exhausted")
NO_SUCH_MODEL = ("invalid_model", "model_not_found")


def error_in(told: dict[str, Any]) -> dict[str, Any]:
    """Return the error that a message holds.

    It is an object, a text, or some fields of the message itself.
    """
    error = told.get("error")
    if isinstance(error, str):
        return {"message": error}
    return fields(error) or {name: told[name] for name in ("code", "message") if name in told}


def code_and_words(error: dict[str, Any]) -> tuple[str, str]:
    """Return the code or type of an error, and its message."""
    code = string(error.get("code")) or string(error.get("type"))
    return code[:100], string(error.get("message"))[:300]


def is_benign(code: str, said: str) -> bool:
    """Return whether a message only came too late, or had nothing to do."""
    return code.startswith(BENIGN) or any(words in said.lower() for words in NOTHING_TO_CANCEL)


def known_error(vendor: str, code: str, said: str) -> TheyErred:
    """Return the error of a code; raises one that ends the conversation."""
    words = f"{vendor}: {': '.join(part for part in (code, said) if part) or 'an error without a reason'}"
    if code in REFUSALS:
        raise AuthenticationError(f"{words}. Check the key and its account.")
    if code in NO_SUCH_MODEL:
        raise BadResponseError(f"{words}. Choose a model that this account may use.")
    if code == "session_expired":
        raise UnavailableError(words)
    return RateLimitError(words) if "rate_limit" in code else BadResponseError(words)
