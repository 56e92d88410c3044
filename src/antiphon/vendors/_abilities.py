"""What a vendor's service can do, of what not all can.

The record says it (`Vendor.can`), except what the vendor's codec shows by itself.
"""

import sys
from collections.abc import Iterator
from typing import TypeVar

from ..services.recognition_codec import RecognitionCodec
from ..services.voice_codec import VoiceCodec

__all__ = ["ABILITIES", "codec_abilities"]

AnyCodec = TypeVar("AnyCodec", RecognitionCodec, VoiceCodec)

ABILITIES = {
    "interim": "words come while somebody is still speaking",
    "turns": "it can decide when a turn is over",
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


def _codecs(module: str, kind: type[AnyCodec]) -> Iterator[type[AnyCodec]]:
    for found in vars(sys.modules[module]).values():
        if isinstance(found, type) and issubclass(found, kind) and found is not kind:
            yield found
