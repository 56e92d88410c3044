"""What stands in the way of serving is told in one sentence, before anything is loaded."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from antiphon import Agent
from antiphon.errors import ConfigurationError
from antiphon.server.app import app
from antiphon.server.run import configured, serve
from antiphon.server.settings import ServerSettings
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

KEYS: dict[str, Any] = {"private_keys": ("sk_0123456789abcdef",)}
AGENT = Agent("Be brief.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), vad=None, eot=None)


@pytest.fixture
def taken() -> Generator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one.getsockname()[1]


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def write_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    form = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return key


def write_certificate(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def refused(settings: ServerSettings, starting: list[str]) -> str:
    """How a server with these settings ends."""

    @contextmanager
    def start() -> Generator[None]:
        starting.append("loaded")
        yield

    with pytest.raises(ConfigurationError) as caught:
        serve(app({"shop": AGENT}, settings), settings, starting=start)
    return str(caught.value)


def test_a_taken_port_is_told_before_models_load(taken: int, caplog: pytest.LogCaptureFixture) -> None:
    loaded: list[str] = []
    said = refused(ServerSettings(port=taken), loaded)
    assert f"127.0.0.1 port {taken} (Address already in use): choose others" in said
    assert (loaded, caplog.text) == ([], "")
    assert "cannot listen on a..b" in refused(ServerSettings(host="a..b", port=free(), **KEYS), loaded)


def test_a_missing_file_for_tls_is_named_before_models_load(tmp_path: Path) -> None:
    loaded: list[str] = []
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    said = refused(ServerSettings(port=free(), tls_cert=cert, tls_key=key), loaded)
    assert cert in said and "No such file" in said
    assert loaded == []


def test_a_key_of_another_certificate_is_told(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    settings = ServerSettings(tls_cert=str(cert), tls_key=str(key))
    own = write_key(key)
    write_certificate(cert, own)
    assert configured(app({"shop": AGENT}, settings), settings).is_ssl
    write_key(key)
    with pytest.raises(ConfigurationError, match="name a certificate and its own key"):
        configured(app({"shop": AGENT}, settings), settings)
    key.write_text("no key at all")
    with pytest.raises(ConfigurationError, match="name a certificate and its own key"):
        configured(app({"shop": AGENT}, settings), settings)


def test_a_taken_port_of_audiosocket_is_not_blamed_on_the_web(
    taken: int, caplog: pytest.LogCaptureFixture
) -> None:
    said = refused(ServerSettings(port=free(), audiosocket=f"127.0.0.1:{taken}"), [])
    assert f"AudioSocket cannot listen on 127.0.0.1:{taken}" in said
    assert "ANTIPHON_AUDIOSOCKET" in said
    assert "Traceback" not in caplog.text
