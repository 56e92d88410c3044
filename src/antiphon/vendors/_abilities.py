"""What a vendor's service can do, of what not all can.

The record says it (`Vendor.can`), except what the vendor's codec shows by itself.
"""

import sys
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Any, TypeVar

from ..services.realtime_codec import RealtimeCodec
from ..services.recognition_codec import RecognitionCodec
from ..services.voice_codec import VoiceCodec

__all__ = ["ABILITIES", "codec_abilities", "model_abilities", "talk_limit"]

AnyCodec = TypeVar("AnyCodec", RecognitionCodec, VoiceCodec)

ABILITIES = {
    "interim": "words come while somebody is still speaking",
    "turns": "it can decide when a turn is over",
    "our turns": "the session can decide when a turn is over",
    "heard": "it is told how much was heard of an answer that was cut off, and forgets the rest",
    "text": "it can answer with text alone, which another voice says",
    "word times": "it tells when each word is spoken, so that it is known what was heard",
    "cancel": "a reply that is cut off is stopped by a message, on a connection that stays; else by closing",
    "tools": "tools can be called",
    "images": "pictures can be sent, which the model must be able to read",
    "direct": "it does not reason before it answers, or as little as the model allows",
}
"""Everything that a service can be said to do, and what it means."""


def codec_abilities(module: str) -> Iterator[str]:
    """Yield what the codecs in the module of a service can do, all of them."""
    heard = list(_codecs(module, RecognitionCodec))
    if heard and all(codec.tells_interim for codec in heard):
        yield "interim"
    spoken = list(_codecs(module, VoiceCodec))
    if spoken and all(codec.cancel is not VoiceCodec.cancel for codec in spoken):
        yield "cancel"


def model_abilities(model: Callable[..., Any], module: str) -> Iterator[str]:
    """Yield what the class of a realtime model and its codecs show."""
    detection = getattr(model, "detection", "either")
    if detection != "ours":
        yield "turns"
    if detection != "theirs":
        yield "our turns"
    if getattr(model, "calls_tools", True):
        yield "tools"
    if getattr(model, "sees", "nothing") != "nothing":
        yield "images"
    if "speaks" in signature(model).parameters:
        yield "text"
    if any(getattr(codec, "truncates", False) for codec in _talking(module)):
        yield "heard"


def talk_limit(module: str) -> float | None:
    """Return the seconds after which a vendor ends a connection, at the least.

    None if it is not known that it ends one.
    """
    limits = [codec.lasts for codec in _talking(module) if codec.lasts is not None]
    return min(limits, default=None)


def _talking(module: str) -> list[type[RealtimeCodec]]:
    """Return the codecs of a realtime model that are the nearest to its page."""
    found = [
        one
        for one in vars(sys.modules[module]).values()
        if isinstance(one, type) and issubclass(one, RealtimeCodec)
    ]
    return [one for one in found if not any(other is not one and issubclass(other, one) for other in found)]


def _codecs(module: str, kind: type[AnyCodec]) -> Iterator[type[AnyCodec]]:
    for found in vars(sys.modules[module]).values():
        if isinstance(found, type) and issubclass(found, kind) and found is not kind:
            yield found
