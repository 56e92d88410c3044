"""The vendors, found by name: a module or folder each, or a row of a table.

`create("llm", "openai/gpt-4.1-mini")` imports the module `openai` of this folder, or the one that an
installed package has registered as the entry point `openai` of the group "antiphon.vendors", and makes the
service that its `VENDOR` record names. A vendor that is just another endpoint like OpenAI's is a row of
`_chat_endpoints.py` or `_speech_endpoints.py`; both may add to what a module provides.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from itertools import chain
from pkgutil import iter_modules
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from ..services.keys import variables_in
from ..services.ports import CLEANING, PORTS, Vendor

if TYPE_CHECKING:
    from ..services.http_stt import TranscriptionEndpoint
    from ..services.openai_compatible import ChatEndpoint
    from ..services.openai_speech import SpeechEndpoint
    from ..services.voice_list import VoiceInfo

__all__ = [
    "abilities",
    "available",
    "connection_limit",
    "create",
    "is_resident",
    "missing",
    "needed",
    "ports_meant",
    "record",
    "vendor_of",
    "voice_spec",
    "voices",
]

GROUP = "antiphon.vendors"
OPTIONS = {"tts": "voice", "stt": "language"}  # what a row's model may have behind a colon
ROW = "a row"  # provides a port by a row of a table, in place of a class
ROWS_CHECKED = "2026-11-30"  # when the rows were last compared with their documentation
WORDS = {name: port.words for name, port in {**PORTS, "cleaning": CLEANING}.items()}


def create(port: str, spec: str) -> Any:
    """Make the service of a port that a text like "vendor/model:option" names.

    The option is the voice of a text to speech, or the language of a speech to text. Raises
    ConfigurationError if there is no such name, or if the vendor lacks what it needs.
    """
    name, model = _parts(spec)
    vendor = record(name)
    if port not in vendor.provides:
        others = ", ".join(one.name for one in available() if port in one.provides)
        raise ConfigurationError(
            f"{name} provides {_listed(vendor)}, not {WORDS.get(port, port)}; for that there are: {others}"
        )
    options: dict[str, str] = {}
    default = (vendor.default or {}).get(port)
    if option := _option(vendor, port):
        model, value = _without_option(model, default or "")
        options = {option: value} if value else {}
    elif model.startswith(":") or (default and model.startswith(f"{default}:")):
        written = f": a model is written {name}/{model[1:]}" if model.startswith(":") else ""
        raise ConfigurationError(
            f"{spec!r}: {name} has no option behind a colon for {WORDS.get(port, port)}{written}"
        )
    model = model or default or ""
    if not model and default is not None:
        raise ConfigurationError(f"{name} needs a model: write {name}/MODEL")
    make, arguments = _maker(vendor, port), (model,) if model else ()
    try:
        signature(make).bind(*arguments, **options)
    except TypeError as error:
        raise ConfigurationError(
            f"{spec!r} says more than {name} lets choose for {WORDS.get(port, port)} ({error}): {vendor.docs}"
        ) from error
    service = make(*arguments, **options)
    if getattr(service, "vendor", None) == "":  # a class without a driver, which would set it
        service.vendor, service.model = name, model
    return service


def _parts(spec: str) -> tuple[str, str]:
    """Split "vendor/model:option" or "vendor:option" behind the vendor's name."""
    name, _, model = spec.partition("/")
    name, colon, option = name.partition(":")
    return name, f":{option}" if colon else model


def _option(vendor: Vendor, port: str) -> str | None:
    """Return the parameter that is written behind a colon; None if there is none."""
    known = OPTIONS if vendor.provides.get(port) == ROW else vendor.options or {}
    return known.get(port)


def _without_option(model: str, default: str) -> tuple[str, str]:
    """Split "model:option".

    The name of the default model may have a colon of its own, as "bulbul:v3" has.
    """
    if default and (model == default or model.startswith(f"{default}:")):
        return default, model[len(default) + 1 :]
    name, _, option = model.partition(":")
    return name, option


def vendor_of(spec: str) -> str:
    """Return the name of the vendor in "vendor/model:option"."""
    return _parts(spec)[0]


def ports_meant(spec: str) -> list[str]:
    """Return the ports of a vendor that "vendor/model:option" may be meant for.

    That is the one whose default model it names, else all; those with an option, if there is no model.
    """
    name, model = _parts(spec)
    vendor = record(name)
    ports = [port for port in PORTS if port in vendor.provides]
    if model.startswith(":"):
        return [port for port in ports if _option(vendor, port)] or ports
    default = vendor.default or {}
    named = [
        port
        for port in ports
        if model and _without_option(model, default.get(port, ""))[0] == default.get(port)
    ]
    return named if len(named) == 1 else ports


def needed(vendor: Vendor, ports: Iterable[str] | None = None) -> list[str]:
    """Return the variables that a vendor needs, for these of its ports or for all."""
    of_ports = (vendor.port_env.get(port, vendor.env) for port in ports or vendor.provides)
    return list(dict.fromkeys(name for names in of_ports for name in names))


def missing(vendor: Vendor, ports: Iterable[str] | None = None) -> list[str]:
    """Return the variables that a vendor needs and the environment lacks."""
    return [name for name in needed(vendor, ports) if not os.environ.get(name)]


async def voices(name: str) -> "list[VoiceInfo]":
    """Return the voices of a vendor, asking it if it has an endpoint that lists them.

    Raises ConfigurationError if neither the vendor nor its documentation lists any.
    """
    from ..services.keys import VendorKey
    from ..services.voice_list import VoiceInfo, fetch_voices
    from ._voice_lists import PRINTED_VOICES, VOICE_LISTINGS

    vendor = record(name)
    if vendor.voices is not None:
        return await _named(vendor, vendor.voices)()
    if name in VOICE_LISTINGS:
        return await fetch_voices(VOICE_LISTINGS[name], VendorKey(name, next(iter(vendor.env), None)))
    if name in PRINTED_VOICES:
        return [VoiceInfo(voice) for voice in PRINTED_VOICES[name].split()]
    raise ConfigurationError(f"{name} has no list of voices that can be asked for: {vendor.docs}")


def voice_spec(name: str, voice: str) -> str:
    """Return what to write for a voice.

    That is "vendor:voice", or "vendor/voice" if it stands for a model.
    """
    from ._voice_lists import VOICE_LISTINGS

    listing = VOICE_LISTINGS.get(name)
    is_model = _option(record(name), "tts") is None or (listing is not None and listing.are_models)
    return f"{name}{'/' if is_model else ':'}{voice}"


def is_resident(port: str, spec: str) -> bool:
    """Return True if the vendor's record says that the service cannot be forked.

    `spec` is "vendor" or "vendor/model".
    """
    return port in record(vendor_of(spec)).resident


def available() -> list[Vendor]:
    """Return the records of all vendors, sorted by name."""
    return [record(name) for name in sorted(_names())]


def abilities(vendor: Vendor, port: str) -> tuple[str, ...]:
    """Return what a vendor's service can do, of the words in `ABILITIES`."""
    from ._abilities import ABILITIES, codec_abilities, model_abilities

    can = {*vendor.can.get(port, ())}
    if port == "realtime":
        made = _maker(vendor, port)
        can |= {*model_abilities(made, made.__module__)}
    if port in ("stt", "tts") and vendor.provides[port] != ROW:
        can |= {*codec_abilities(_maker(vendor, port).__module__)}
    return tuple(one for one in ABILITIES if one in can)


def connection_limit(vendor: Vendor) -> float | None:
    """Return the seconds that a connection of a realtime model may last.

    None if it ends none, or does not say.
    """
    from ._abilities import talk_limit

    return talk_limit(_maker(vendor, "realtime").__module__)


@cache
def record(name: str) -> Vendor:
    """Return the record of a vendor: of its module, and of rows of the tables.

    Raises ConfigurationError, which names the nearest vendor, if there is none.
    """
    module = _module(name)
    vendor: Vendor | None = None if module is None else module.VENDOR
    for port, rows in _tables().items():
        if (row := rows.get(name)) is not None and (vendor is None or port not in vendor.provides):
            env, own = _env(row), row.key_variable is None
            vendor = vendor or Vendor(name, {}, row.docs, env, own, "services", {}, checked=ROWS_CHECKED)
            provides, default = {**vendor.provides, port: ROW}, {**(vendor.default or {}), port: row.default}
            can = {**vendor.can, port: getattr(row, "can", ())}
            vendor = replace(vendor, provides=provides, default=default, can=can)
    if vendor is None:
        near = get_close_matches(name, _names(), 1)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(_names()))}"
        raise ConfigurationError(f"there is no vendor {name!r}. {hint}")
    return vendor


def _env(row: "ChatEndpoint | TranscriptionEndpoint | SpeechEndpoint") -> tuple[str, ...]:
    """Return the variables of the environment that a row needs, the key first."""
    return (*((row.key_variable,) if row.key_variable else ()), *variables_in(row.base_url))


def _maker(vendor: Vendor, port: str) -> Callable[..., Any]:
    """Return what makes the service: a class of the vendor, or a row's driver."""
    if (place := vendor.provides[port]) == ROW:
        return partial(_drivers()[port], endpoint=_tables()[port][vendor.name])
    return _named(vendor, place)


def _named(vendor: Vendor, place: str) -> Any:
    """Return what a record names by its place: "TTS", or "tts.TTS" in a folder."""
    home, _, name = place.rpartition(".")
    module = _module(vendor.name)
    assert module is not None, vendor
    return getattr(import_module(f"{module.__name__}.{home}") if home else module, name)


@cache
def _tables() -> "Mapping[str, Mapping[str, ChatEndpoint | TranscriptionEndpoint | SpeechEndpoint]]":
    """Return the rows of each port, by the name of the vendor."""
    from ._chat_endpoints import CHAT_ENDPOINTS
    from ._speech_endpoints import SPEECH_ENDPOINTS, TRANSCRIPTION_ENDPOINTS

    return {"llm": CHAT_ENDPOINTS, "stt": TRANSCRIPTION_ENDPOINTS, "tts": SPEECH_ENDPOINTS}


def _drivers() -> Mapping[str, Callable[..., Any]]:
    """Return the class that makes a service of a row, by its port."""
    from ..services.http_stt import HttpSTT
    from ..services.openai_compatible import ChatCompletions
    from ..services.openai_speech import OpenAISpeech

    return {"llm": ChatCompletions, "stt": HttpSTT, "tts": OpenAISpeech}


@cache
def _names() -> frozenset[str]:
    own = (found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    return frozenset(
        [*own, *chain.from_iterable(_tables().values()), *(entry.name for entry in entry_points(group=GROUP))]
    )


@cache
def _module(name: str) -> ModuleType | None:
    """Return the module of a vendor; None if it has none."""
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    own = {found.name for found in iter_modules(__path__)}
    return import_module(f"{__name__}.{name}") if name in own and not name.startswith("_") else None


def _listed(vendor: Vendor) -> str:
    return ", ".join(WORDS.get(port, port) for port in vendor.provides)
