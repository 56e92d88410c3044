"""What a server may be told."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.server.settings import ServerSettings, is_loopback

KEYS: dict[str, Any] = {"public_keys": ("pk_0123456789abcdef",), "private_keys": ("sk_0123456789abcdef",)}


def test_the_environment_sets_what_is_not_chosen() -> None:
    environment = {
        "ANTIPHON_PORT": "8000",
        "ANTIPHON_CAPACITY": "7",
        "ANTIPHON_DRAIN": "1.5",
        "ANTIPHON_PAGE": "no",
        "ANTIPHON_ORIGINS": "https://a.example, https://b.example,",
        "ANTIPHON_ISOLATION": "process",
        "UNRELATED": "x",
    }
    settings = ServerSettings.from_environment(environment, port=9000, host=None)
    assert (settings.port, settings.capacity, settings.drain, settings.page) == (9000, 7, 1.5, False)
    assert settings.origins == ("https://a.example", "https://b.example")
    assert (settings.host, settings.isolation) == ("127.0.0.1", "process")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "http"), ("PAGE", "perhaps"), ("ISOLATION", "threads"), ("DRAIN", ""), ("CAPACITY", "0")],
)
def test_what_the_environment_cannot_mean_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"(?i){name}"):
        ServerSettings.from_environment({f"ANTIPHON_{name}": value})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"host": "0.0.0.0"}, "without keys"),
        ({"host": "voice.example.com"}, "without keys"),
        ({"public_keys": ("short",)}, "can be guessed"),
        ({"public_keys": ("k" * 20,), "private_keys": ("k" * 20,)}, "public and private"),
        ({"tls_cert": "cert.pem"}, "TLS needs both"),
        ({"proxies": ("*",)}, "list them"),
        ({"turn": "turn:t.example"}, "TURN needs both"),
        ({"udp_ports": "50000"}, "50000-50999"),
        ({"public_url": "voice.example.com"}, "https://"),
        ({"burst": 0}, "1 or more"),
        ({"port": 99999}, "1 to 65535"),
        ({"port": 0}, "1 to 65535"),
        ({"port": -1}, "1 to 65535"),
        ({"audiosocket": "127.0.0.1:99999"}, "127.0.0.1:9092"),
        ({"audiosocket": "9092"}, "127.0.0.1:9092"),
        ({"sip": "127.0.0.1:0"}, "127.0.0.1:5060"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ServerSettings(**wrong)  # pyright: ignore[reportArgumentType]


def test_with_keys_it_may_listen_everywhere() -> None:
    assert ServerSettings(host="0.0.0.0", **KEYS).keyed


def test_secrets_are_not_shown() -> None:
    settings = ServerSettings(**KEYS, turn="turn:t.example", turn_secret="hush hush")
    assert settings.secret not in repr(settings)
    assert "0123456789abcdef" not in repr(settings)
    assert "hush" not in repr(settings)
    assert settings.secret != ServerSettings(**KEYS).secret


def test_who_may_observe() -> None:
    assert ServerSettings().observed
    assert not ServerSettings(**KEYS).observed
    assert ServerSettings(**KEYS, observe="always").observed
    assert not ServerSettings(observe="never").observed


def test_this_machine() -> None:
    for host in ("localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"):
        assert is_loopback(host)
    for host in ("0.0.0.0", "192.0.2.1", "localhost.example", "", "::"):
        assert not is_loopback(host)


def test_every_setting_can_be_set_by_the_environment() -> None:
    plain = ServerSettings()
    for field in fields(ServerSettings):
        value = getattr(plain, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            read = ServerSettings.from_environment({f"ANTIPHON_{field.name.upper()}": "9"})
            assert getattr(read, field.name) == 9


def test_the_guide_has_every_setting() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "serve.md").read_text()
    for field in fields(ServerSettings):
        assert f"`ANTIPHON_{field.name.upper()}`" in guide, field.name


def test_with_keys_clients_are_told_the_names_of_tools_alone() -> None:
    assert ServerSettings().reported == "full"
    assert ServerSettings(**KEYS).reported == "name"
    assert ServerSettings(**KEYS, report="full").reported == "full"
    assert ServerSettings(report="none").reported == "none"
