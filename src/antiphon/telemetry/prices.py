"""The prices of services: those of `vendors/prices.toml`, a user's own first.

    [deepgram.stt]
    source = "https://deepgram.com/pricing"
    checked = "2026-08-31"
    "nova-3*" = { hour = 0.29 }

A row is found by vendor, port, and the model, or the longest pattern that fits it (`*` is any characters). A
file of one's own is named by ANTIPHON_PRICES, else it is `~/.config/antiphon/prices.toml`; its rows come
first, so a row `"*"` there replaces all of that vendor's.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import Any, cast

from ..errors import ConfigurationError
from ..vendors import record

__all__ = [
    "FREE",
    "Price",
    "PriceTable",
    "cost",
    "is_own",
    "load_prices",
    "own_prices_file",
    "package_prices",
    "parse_prices",
]

VARIABLE = "ANTIPHON_PRICES"
BILLED = {
    "stt": ("hour",),
    "llm": ("read", "written", "cached", "stored"),
    "tts": ("characters", "minute"),
    "realtime": (
        *("read", "written", "cached", "audio_read", "audio_written", "audio_cached"),
        *("image_read", "image_cached", "minute"),
    ),
}
"""The ports that have prices, and by what each is billed."""
NOTES = ("source", "checked")  # keys of a vendor's table that are no models
MILLION, HOUR, MINUTE = 1e6, 3600.0, 60.0
DATE = re.compile(r"(\d{4}-\d\d-\d\d)?")


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in US dollars; None for what is not known or not billed."""

    read: float | None = None
    """A million tokens that a language model reads."""
    written: float | None = None
    """A million tokens that it writes."""
    cached: float | None = None
    """A million tokens that it reads from its cache; None: as much as others."""
    stored: float | None = None
    """A million tokens that it reads and puts into its cache; None: as much as others."""
    hour: float | None = None
    """An hour of audio that speech to text hears, or of an open connection."""
    characters: float | None = None
    """A million characters that text to speech is given."""
    minute: float | None = None
    """A minute of speech that it makes, or of a conversation with a realtime model."""
    audio_read: float | None = None
    """A million tokens of sound that a realtime model hears; its `read` and `written` are of text."""
    audio_written: float | None = None
    """A million tokens of the voice that it speaks with."""
    audio_cached: float | None = None
    """A million tokens of sound that it reads from its cache; None: as much as others."""
    image_read: float | None = None
    """A million tokens of pictures that it sees."""
    image_cached: float | None = None
    """A million tokens of pictures that it reads from its cache; None: as much as others."""
    source: str = field(default="", compare=False)
    checked: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return the price in a few characters: "$0.29/h", "$0.4/$1.6"; "?" is not known.

        Of a realtime model's tokens it is that of sound.
        """
        if self.hour is not None:
            return f"${self.hour:g}/h"
        if self.characters is not None:
            return f"${self.characters:g}/Mchar"
        if self.minute is not None:
            return f"${self.minute:g}/min"
        sound = (self.audio_read, self.audio_written)
        tokens = (self.read, self.written) if sound == (None, None) else sound
        return "/".join("?" if one is None else f"${one:g}" for one in tokens)

    def of(self, usage: Mapping[str, float]) -> float | None:
        """Return what this usage costs, by its units; None if it needs an unknown price.

        It is None, too, if there were only answers whose tokens were not counted.
        """
        used = usage.get
        if "answers uncounted" in usage and "tokens read" not in usage and self.read != 0:
            return None
        cached, stored = used("tokens cached", 0.0), used("tokens stored", 0.0)
        parts = (
            (used("tokens read", 0.0) - cached - stored, self.read, MILLION),
            (cached, self.read if self.cached is None else self.cached, MILLION),
            (stored, self.read if self.stored is None else self.stored, MILLION),
            (used("tokens written", 0.0), self.written, MILLION),
            (used("seconds heard", 0.0) + used("seconds open", 0.0), self.hour, HOUR),
            *self._conversed(usage),
        )
        spoken = (
            (used("characters spoken", 0.0), self.characters, MILLION),
            (used("seconds spoken", 0.0), self.minute, MINUTE),
        )
        billed = [part for part in spoken if part[1] is not None] or list(spoken)
        total = 0.0
        for amount, price, per in (*parts, *billed):
            if amount > 0 and price is None:
                return None
            total += max(amount, 0.0) * (price or 0.0) / per
        return total

    def _conversed(self, usage: Mapping[str, float]) -> Iterator[tuple[float, float | None, float]]:
        """Yield amounts, prices and units of a conversation: minutes, else tokens."""
        if seconds := usage.get("seconds of conversation"):
            yield seconds, self.minute, MINUTE
            return
        for kind, read, written, stored in (
            ("text", self.read, self.written, self.cached),
            ("audio", self.audio_read, self.audio_written, self.audio_cached),
            ("image", self.image_read, None, self.image_cached),
        ):
            cached = usage.get(f"{kind} tokens cached", 0.0)
            yield usage.get(f"{kind} tokens read", 0.0) - cached, read, MILLION
            yield cached, read if stored is None else stored, MILLION
            yield usage.get(f"{kind} tokens written", 0.0), written, MILLION


@dataclass(frozen=True)
class PriceTable:
    """Rows of prices; `parts` of them, such as a user's own, come before others."""

    parts: tuple[Mapping[tuple[str, str], Mapping[str, Price]], ...]

    def price(self, vendor: str, port: str, model: str) -> Price | None:
        """Return the price of a model; None if it is not known.

        What runs on the user's own machines costs nothing.
        """
        for rows in self.parts:
            patterns = rows.get((vendor, port), {})
            if fitting := [pattern for pattern in patterns if fnmatchcase(model, pattern)]:
                return patterns[max(fitting, key=lambda pattern: (pattern == model, len(pattern)))]
        return FREE if is_own(vendor) else None

    def cost(self, vendor: str, port: str, model: str, usage: Mapping[str, float]) -> float | None:
        """Return what a usage costs in US dollars; None if no price is known."""
        price = self.price(vendor, port, model)
        return None if price is None else price.of(usage)


FREE = replace(Price(), **dict.fromkeys(chain.from_iterable(BILLED.values()), 0.0))
"""The price of what runs on the user's own machines."""


def is_own(vendor: str) -> bool:
    """Return True if a vendor is the user's own machine."""
    try:
        return record(vendor).own
    except ConfigurationError:
        return False


def cost(vendor: str, port: str, model: str, usage: Mapping[str, float]) -> float | None:
    """Return what a usage costs in US dollars, by unit; None if no price is known.

    The units are those of the signal `Usage`. Raises ConfigurationError for a bad file of the user.
    """
    return load_prices().cost(vendor, port, model, usage)


def own_prices_file() -> Path | None:
    """Return the user's own file of prices; None if there is none.

    Raises ConfigurationError if ANTIPHON_PRICES names a file that does not exist.
    """
    if named := os.environ.get(VARIABLE):
        if not Path(named).is_file():
            raise ConfigurationError(f"{VARIABLE}={named}: there is no such file")
        return Path(named)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    own = home / "antiphon" / "prices.toml"
    return own if own.is_file() else None


def load_prices() -> PriceTable:
    """Return the prices of the package, behind those of the user's own file.

    Raises ConfigurationError, which names the file, the key and what is wrong.
    """
    own = own_prices_file()
    if own is None:
        return package_prices()
    known = {vendor for part in package_prices().parts for vendor, _ in part}
    read = _read(own)
    for vendor in sorted({vendor for vendor, _ in read} - known):  # one of the user's own need not be known
        if not _is_vendor(vendor) and (near := get_close_matches(vendor, known, 1, 0.8)):
            raise ConfigurationError(
                f"the prices {own}: there is no vendor {vendor}; did you mean {near[0]}?"
            )
    return PriceTable((read, *package_prices().parts))


def _is_vendor(name: str) -> bool:
    try:
        record(name)
    except ConfigurationError:
        return False
    return True


@cache
def package_prices() -> PriceTable:
    """Return the prices of the package alone."""
    return PriceTable((parse_prices(files("antiphon.vendors").joinpath("prices.toml").read_text("utf-8")),))


def _read(path: Path) -> Mapping[tuple[str, str], Mapping[str, Price]]:
    try:
        return parse_prices(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the prices {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the prices {path} are not text in UTF-8") from error
    except ConfigurationError as error:
        raise ConfigurationError(f"the prices {path}: {error}") from error


def parse_prices(text: str) -> Mapping[tuple[str, str], Mapping[str, Price]]:
    """Read rows of prices, by vendor and port, then pattern.

    Raises ConfigurationError.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"not TOML: {error}") from error
    rows: dict[tuple[str, str], dict[str, Price]] = {}
    for vendor, ports in content.items():
        for port, table in _table(ports, vendor).items():
            where = f"{vendor}.{port}"
            if port not in BILLED:
                raise ConfigurationError(f"{where}: there is no such port; write {' or '.join(BILLED)}")
            rows[vendor, port] = _rows(_table(table, where), where, BILLED[port])
    return rows


def _rows(table: dict[str, Any], where: str, units: Sequence[str]) -> dict[str, Price]:
    source, checked = table.get("source", ""), table.get("checked", "")
    if not isinstance(source, str):
        raise ConfigurationError(f"{where}.source must be a text: the address of the page with the prices")
    if not isinstance(checked, str) or not DATE.fullmatch(checked):
        raise ConfigurationError(f'{where}.checked must be a date such as "2026-11-30"')
    known = Price(source=source, checked=checked)
    return {
        pattern: replace(known, **_prices(row, f'{where}."{pattern}"', units))
        for pattern, row in table.items()
        if pattern not in NOTES
    }


def _prices(row: Any, where: str, units: Sequence[str]) -> dict[str, Any]:
    for name, value in _table(row, where).items():
        if name not in units:
            near = get_close_matches(name, units, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(f"{where}: there is no price {name}{meant} (known: {', '.join(units)})")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not isfinite(value) or value < 0:
            raise ConfigurationError(f"{where}.{name} must be a number of US dollars, not {value!r}")
    return row


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} must be a table: write [VENDOR.PORT] and rows of models below it")
    return cast(dict[str, Any], value)
