"""The voices of a vendor, from the endpoint that lists them.

A vendor's endpoint is a row, a `VoiceListing`: where it is, and where in its answer a voice's id, name and
language stand. What comes is bounded, and shown as plain characters.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

from ..errors import BadResponseError
from .http_client import HttpClient, body
from .keys import VendorKey, filled_in
from .vendor_values import address, fields, items, json_object, string

__all__ = ["VoiceInfo", "VoiceListing", "fetch_voices"]

WITHIN = 15.0  # seconds
LARGEST = 1 << 24  # bytes of an answer
MOST_PAGES = 20
LONGEST = 200  # characters of a value


@dataclass(frozen=True, slots=True)
class VoiceInfo:
    """A voice: what to write for it, its name, its language, and more about it."""

    id: str
    name: str = ""
    language: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class VoiceListing:
    """An endpoint that lists voices.

    A dotted path such as "labels.gender" leads into objects.
    """

    vendor: str
    url: str
    """The address; names in braces are variables of the environment."""
    docs: str = ""
    voices: str = "voices"
    """The path to the voices: a list, or an object with their ids; "" if the answer is that.

    It may lead through a list, such as "models.voices" for the voices of each model.
    """
    id: str = "id"
    name: str = "name"
    language: str = "language"
    about: Sequence[str] = ("gender", "description")
    query: Mapping[str, object] = field(default_factory=dict[str, object])
    key_header: str = "Authorization"
    key_prefix: str = "Bearer "
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, object] | None = None
    """What is sent; None for a GET."""
    are_models: bool = False
    """True if the voices stand for models, although others of the vendor are options of models."""
    page: str = ""
    """The parameter for the next page, if the answer comes in pages."""
    cursor: str = ""
    """The path to its value; "" if pages are counted, from 0 or as `query` says."""


async def fetch_voices(listing: VoiceListing, key: VendorKey) -> list[VoiceInfo]:
    """Return the voices that a vendor lists, at most twenty pages of them.

    Raises TheyErred.
    """
    http = HttpClient(listing.vendor, extra="services", key_name=key.name)
    voices: dict[VoiceInfo, None] = {}
    try:
        async with aclosing(_pages(listing, http, key)) as pages:
            async for page in pages:
                known = len(voices)
                voices |= dict.fromkeys(page)
                if len(voices) == known:  # no end is told, or the same page comes again
                    break
    finally:
        await http.close()
    return list(voices)


async def _pages(listing: VoiceListing, http: HttpClient, key: VendorKey) -> AsyncGenerator[list[VoiceInfo]]:
    url, query = filled_in(listing.vendor, listing.url), dict(listing.query)
    secret = key.value
    headers = dict(listing.headers)
    if secret:
        headers[listing.key_header] = listing.key_prefix + secret
    for _ in range(MOST_PAGES):
        method = "GET" if listing.body is None else "POST"
        async with http.stream(
            method, address(url, query), headers=headers, json=listing.body, within=WITHIN
        ) as response:
            read = await body(response, LARGEST)
        told = json_object(b'{"": %s}' % read if not listing.voices else read, "a list of voices")
        yield [voice for item in _items(told, listing.voices) if (voice := _voice(listing, item)).id]
        if not listing.page:
            return
        following = _at(told, listing.cursor) if listing.cursor else int(str(query.get(listing.page, 0))) + 1
        if not following or not isinstance(following, str | int):
            return
        query[listing.page] = following


def _items(told: dict[str, Any], path: str) -> list[Any]:
    """Return the voices in an answer; those of an object by id get their id as "id"."""
    found: Any = told
    for name in path.split("."):
        if isinstance(found, list):
            found = [one for item in items(cast(object, found)) for one in items(fields(item).get(name))]
        else:
            found = fields(found).get(name)
    if isinstance(found, dict):
        return [{"id": name, **fields(about)} for name, about in cast(dict[str, Any], found).items()]
    if not isinstance(found, list):
        raise BadResponseError(f"there is no list of voices at {path or 'the top'!r} of the answer")
    return items(cast(object, found))


def _voice(listing: VoiceListing, item: Any) -> VoiceInfo:
    if isinstance(item, str):
        return VoiceInfo(_plain(item))
    about = (_plain(_at(fields(item), path)) for path in listing.about)
    id_, name, language = (
        _plain(_at(fields(item), path)) for path in (listing.id, listing.name, listing.language)
    )
    return VoiceInfo(id_, name, language, ", ".join(filter(None, about)))


def _at(value: dict[str, Any], path: str) -> Any:
    """Return what stands at a dotted path; None if there is nothing."""
    found: Any = value
    for name in path.split("."):
        found = fields(found).get(name)
    return found


def _plain(value: Any) -> str:
    """Return a value as a line of plain characters.

    The texts of a list have commas between them.
    """
    if isinstance(value, list):
        value = ", ".join(filter(None, map(string, cast(list[object], value)[:LONGEST])))
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else string(value)
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())[:LONGEST]
