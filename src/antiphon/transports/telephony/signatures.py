"""Verification of webhook signatures. All comparisons take constant time."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping

from ...errors import ConfigurationError
from .port import Proof, WebhookRequest

__all__ = ["account_secret", "basic_auth", "equal", "has_unsigned_body", "hmac_base64", "missing_package"]


def account_secret(account: Mapping[str, str], name: str, variable: str) -> str:
    """Return a secret of the account.

    Raises ConfigurationError, which names the environment variable, if it is not set.
    """
    if value := account.get(name):
        return value
    raise ConfigurationError(f"requests cannot be checked without {variable}: set it in the environment")


def equal(one: str, other: str) -> bool:
    """Compare two texts in constant time."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def has_unsigned_body(asked: WebhookRequest) -> bool:
    """Return True if the body is not covered by a signature over form fields."""
    return bool(asked.body) and "urlencoded" not in asked.headers.get("content-type", "").lower()


def missing_package(package: str, what: str) -> ConfigurationError:
    """Return the error to raise if a package that `what` needs is not installed."""
    return ConfigurationError(
        f'{what} needs {package}, which is not installed: pip install "antiphon[server]"'
    )


def hmac_base64(key: str, text: str, hash_name: str) -> str:
    """Return the HMAC of a text in base64.

    `hash_name` is an attribute of hashlib, such as "sha1".
    """
    return b64encode(hmac.new(key.encode(), text.encode(), getattr(hashlib, hash_name)).digest()).decode()


def basic_auth(
    user: tuple[str, str], password: tuple[str, str]
) -> Callable[[WebhookRequest, Mapping[str, str]], Proof]:
    """Return a check of HTTP basic authentication for `Provider.signed`.

    Each argument is a value's name in the account, and its environment variable.
    """

    def signed(asked: WebhookRequest, account: Mapping[str, str]) -> bool:
        wanted = account_secret(account, *user), account_secret(account, *password)
        given = asked.login
        return equal(given[0], wanted[0]) & equal(given[1], wanted[1])

    return signed
