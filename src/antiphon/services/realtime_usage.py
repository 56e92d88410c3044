"""The tokens that OpenAI's Realtime API and its dialects tell, by kind."""

from collections.abc import Iterator, Mapping
from typing import Any

from .realtime_vocabulary import Consumed
from .vendor_values import fields, number, token_count

__all__ = ["told_tokens", "told_transcription"]

KINDS = ("text", "audio", "image")
SIDES = (("input", "read"), ("output", "written"))


def told_tokens(usage: Mapping[str, Any], vendor: str = "", model: str = "") -> Iterator[Consumed]:
    """Yield the tokens of a usage object, by kind.

    Tokens whose kind is not told count as sound, which costs most.
    """
    for side, done in SIDES:
        details = fields(usage.get(f"{side}_token_details") or usage.get(f"{side}_tokens_details"))
        counts = {kind: token_count(details.get(f"{kind}_tokens")) for kind in KINDS}
        counts["audio"] += max(0, token_count(usage.get(f"{side}_tokens")) - sum(counts.values()))
        for kind, count in counts.items():
            if count:
                yield Consumed(f"{kind} tokens {done}", count, vendor, model)
        if side == "input" and (cached := token_count(details.get("cached_tokens"))):
            yield from _cached(cached, counts, fields(details.get("cached_tokens_details")), vendor, model)


def told_transcription(usage: Mapping[str, Any], vendor: str, model: str) -> Iterator[Consumed]:
    """Yield what the model used that writes down the user's words."""
    if (seconds := number(usage.get("seconds")) or 0.0) > 0:
        yield Consumed("seconds heard", seconds, vendor, model)
    yield from told_tokens(usage, vendor, model)


def _cached(
    cached: int, read: Mapping[str, int], details: Mapping[str, Any], vendor: str, model: str
) -> Iterator[Consumed]:
    """Yield the cached tokens; text stands first in what a model reads."""
    for kind in KINDS:
        told = details.get(f"{kind}_tokens")
        count = min(cached, read[kind] if told is None else token_count(told), read[kind])
        cached -= count
        if count:
            yield Consumed(f"{kind} tokens cached", count, vendor, model)
