"""Parsing and validation of messages from any provider.

Everything here comes from outside, so each function either returns a checked value or raises
BadResponseError.
"""

import logging
import re
from binascii import a2b_base64
from typing import Any

import msgspec

from ...errors import BadResponseError
from .port import AudioFormat, Encoding, KeyPressed, WireMessage

__all__ = [
    "LONGEST",
    "audio_format",
    "decode_base64",
    "decode_message",
    "json_string",
    "key_pressed",
    "text_at",
    "text_values",
]

logger = logging.getLogger("antiphon.telephony")

LONGEST = 1 << 18
"""The most characters or bytes in a message; five seconds of audio need less."""
KEYS = frozenset("0123456789*#ABCD")
ENCODINGS: dict[str, Any] = {
    **dict.fromkeys(("audio/x-mulaw", "pcmu", "mulaw", "ulaw", "audio/pcmu"), "mulaw"),
    **dict.fromkeys(("audio/x-alaw", "pcma", "alaw", "audio/pcma"), "alaw"),
    **dict.fromkeys(("audio/x-l16", "audio/l16", "audio/x-raw", "raw/slin", "slin", "l16", "pcm"), "l16"),
    "g722": "g722",
    "opus": "opus",
}
"""The providers' names for each encoding of `AudioFormat`."""
OTHERS = re.compile("g\\.?72[236689]|gsm|ilbc|amr|evs|silk|speex|mpeg|mp3|aac|vorbis|flac")
"""Codecs that are not supported; any other unknown name is no codec's, and says nothing."""
RATES = frozenset((8000, 16000, 24000, 32000, 48000))
HERTZ = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*(k?)", re.IGNORECASE)
FROM_URL_SAFE = str.maketrans("-_", "+/", " \t\r\n")


def decode_message(decoder: "msgspec.json.Decoder[Any]", message: WireMessage) -> Any:
    """Decode a JSON message to the decoder's type.

    Raises BadResponseError if it does not fit.
    """
    if len(message) > LONGEST:
        raise BadResponseError(f"a message of {len(message)} characters; the limit is {LONGEST}")
    try:
        return decoder.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadResponseError(f"a message does not follow the protocol: {str(error)[:200]}") from error


def decode_base64(payload: str) -> bytes:
    """Decodes audio in base64: in lines or not, padded or not, in either alphabet.

    Raises BadResponseError if it is malformed.
    """
    try:
        return a2b_base64(payload, strict_mode=True)
    except ValueError:
        pass
    text = payload.translate(FROM_URL_SAFE).rstrip("=")
    try:
        return a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except ValueError as error:
        raise BadResponseError(f"audio is not base64: {error}") from error


def key_pressed(digit: str | int) -> KeyPressed:
    """Check a DTMF digit. Raises BadResponseError if no telephone has such a key."""
    if (pressed := str(digit).upper()) not in KEYS:
        raise BadResponseError(f"{pressed[:20]!r} is no key of a telephone")
    return KeyPressed(pressed)


def text_at(data: Any, *path: str) -> str:
    """Return the string or integer at a path of nested objects, as text.

    Returns "" if there is none.
    """
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return str(data) if isinstance(data, str | int) and not isinstance(data, bool) else ""  # pyright: ignore[reportUnknownArgumentType]


def text_values(data: Any) -> dict[str, str]:
    """Return an object's string and integer values, as text.

    Other values are left out.
    """
    if not isinstance(data, dict):
        return {}
    return {str(name): text_at(data, name) for name in data if text_at(data, name)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def audio_format(encoding: str, rate: str | int = "", *, default: Encoding = "mulaw") -> AudioFormat:
    """Parses a provider's name of a format, such as "audio/l16;rate=16000" or "PCMU".

    A name that is no codec's ("base64") means the protocol's own encoding, the `default`. `rate` is used if
    the name has none, and 8000 Hz if neither is given. Raises BadResponseError for a codec or a rate that we
    do not support.
    """
    word, _, rest = encoding.lower().replace("@", ";").partition(";")
    word = word.strip()
    sample_rate = _hertz(rest.partition(";")[0]) or _hertz(str(rate)) or 8000
    known: Encoding | None = ENCODINGS.get(word)
    if known is None and OTHERS.search(word) is None:
        known = default
        if word:
            logger.warning("a provider calls its audio %r, no codec: it is read as %s", word[:40], default)
    if known == "g722":
        sample_rate = 16000  # RTP, and so many providers, state 8000 (RFC 3551 section 4.5.2)
    if known is None or sample_rate not in RATES:
        raise BadResponseError(f"audio as {encoding[:40]!r} at {sample_rate} Hz is not supported")
    return AudioFormat(known, sample_rate)


def _hertz(text: str) -> int:
    """Reads a sample rate, also one in kHz ("16", "16 kHz"); 0 if there is none."""
    found = HERTZ.search(text)
    if found is None:
        return 0
    value = float(found[1])
    return round(value * 1000 if found[2] or value < 100 else value)


def json_string(value: str) -> str:
    """Encode a JSON string with its quotes, to be inserted into a larger message."""
    return msgspec.json.encode(value).decode()
