"""Proofs that a request came from whom it says. All comparisons take the same time, right or wrong."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping

from ...errors import ConfigurationError
from .port import Proof, WebhookRequest

__all__ = ["basic", "digest", "same", "secret", "unspoken"]


def secret(account: Mapping[str, str], name: str, variable: str) -> str:
    """What an account holds under a name. Raises ConfigurationError, naming its environment variable."""
    if value := account.get(name):
        return value
    raise ConfigurationError(f"requests cannot be checked without {variable}: set it in the environment")


def same(one: str, other: str) -> bool:
    """Whether two texts are equal."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def unspoken(asked: WebhookRequest) -> bool:
    """Whether there is a body that a signature of a form's fields says nothing of."""
    return bool(asked.body) and "urlencoded" not in asked.headers.get("content-type", "").lower()


def needs(package: str, what: str) -> ConfigurationError:
    """What to raise where a package is missing."""
    return ConfigurationError(
        f'{what} needs {package}, which is not installed: pip install "antiphon[server]"'
    )


def digest(key: str, text: str, name: str) -> str:
    """The HMAC of a text in base64, by the name of its hash."""
    return b64encode(hmac.new(key.encode(), text.encode(), getattr(hashlib, name)).digest()).decode()


def basic(
    user: tuple[str, str], password: tuple[str, str]
) -> Callable[[WebhookRequest, Mapping[str, str]], Proof]:
    """A check of HTTP's basic authentication: each is a name in the account and its environment variable."""

    def signed(asked: WebhookRequest, account: Mapping[str, str]) -> bool:
        wanted = secret(account, *user), secret(account, *password)
        given = asked.login
        return same(given[0], wanted[0]) & same(given[1], wanted[1])

    return signed
