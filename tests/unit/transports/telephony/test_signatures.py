"""Signatures, by the providers' own examples where they publish some; and whatever was changed is refused."""

import hashlib
import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from antiphon.errors import ConfigurationError
from antiphon.transports.telephony.port import WebhookRequest
from antiphon.transports.telephony.providers import account, available, provider

NOW = 1_750_000_000.0
FORM = {"content-type": "application/x-www-form-urlencoded"}


def is_signed(name: str, asked: WebhookRequest, account: dict[str, str]) -> bool:
    check = provider(name).signed
    assert check is not None
    return bool(check(asked, account))


# Twilio: https://www.twilio.com/docs/usage/security ---------------------------------------------------

TWILIO = WebhookRequest(
    "https://mycompany.com/myapp.php?foo=1&bar=2",
    NOW,
    FORM | {"x-twilio-signature": "GvWf1cFY/Q7PnoempGyD5oXAezc="},
    urlencode(
        {
            "CallSid": "CA1234567890ABCDE",
            "Caller": "+14158675310",
            "Digits": "1234",
            "From": "+14158675310",
            "To": "+18005551212",
        }
    ).encode(),
)
TOKEN = {"token": "12345"}


def test_twilio() -> None:
    assert is_signed("twilio", TWILIO, TOKEN)
    assert not is_signed("twilio", TWILIO, {"token": "12346"})
    assert not is_signed("twilio", replace(TWILIO, url=TWILIO.url + "3"), TOKEN)
    assert not is_signed("twilio", replace(TWILIO, body=TWILIO.body + b"&x=y"), TOKEN)
    assert not is_signed("twilio", replace(TWILIO, headers=FORM), TOKEN)


def test_twilio_counts_the_port_or_not() -> None:
    assert is_signed("twilio", replace(TWILIO, url=TWILIO.url.replace(".com/", ".com:443/")), TOKEN)
    assert is_signed("twilio", replace(TWILIO, url=TWILIO.url.replace(".com/", ".com:8443/")), TOKEN)


def test_twilio_signs_a_json_body_by_its_hash() -> None:
    body = b'{"CallSid":"CA1234567890ABCDE","Caller":"+12349013030"}'
    url = f"https://example.com/myapp?bodySHA256={hashlib.sha256(body).hexdigest()}"
    mac = b64encode(hmac.new(b"12345", url.encode(), "sha1").digest()).decode()
    headers = {"content-type": "application/json", "x-twilio-signature": mac}
    assert is_signed("twilio", WebhookRequest(url, NOW, headers, body), TOKEN)
    assert not is_signed("twilio", WebhookRequest(url, NOW, headers, body + b" "), TOKEN)


def test_twilio_signs_the_handshake_of_its_socket() -> None:
    url = "wss://example.com/phone/twilio/abc"
    mac = b64encode(hmac.new(b"12345", url.encode(), "sha1").digest()).decode()
    assert is_signed("twilio", WebhookRequest(url, NOW, {"x-twilio-signature": mac}, method="GET"), TOKEN)


# SignalWire ------------------------------------------------------------------------------------------


def test_signalwire() -> None:
    key = {"signing_key": "12345"}
    headers = FORM | {"x-signalwire-signature": "GvWf1cFY/Q7PnoempGyD5oXAezc="}
    assert is_signed("signalwire", replace(TWILIO, headers=headers), key)
    assert not is_signed("signalwire", replace(TWILIO, headers=headers, body=b""), key)
    body = b'{"call":1}'
    mac = hmac.new(b"12345", b"https://x.y/z" + body, "sha1").hexdigest()
    asked = WebhookRequest("https://x.y/z", NOW, {"x-signalwire-signature": mac}, body)
    assert is_signed("signalwire", asked, key)
    assert not is_signed("signalwire", replace(asked, body=b'{"call":2}'), key)


def test_signalwires_proof_is_the_same_by_whichever_header() -> None:
    key = {"signing_key": "12345"}
    whole = hmac.new(b"12345", TWILIO.url.encode() + TWILIO.body, "sha1").hexdigest()
    form = "GvWf1cFY/Q7PnoempGyD5oXAezc="
    signed = provider("signalwire").signed
    assert signed is not None
    proofs = {
        signed(replace(TWILIO, headers=FORM | headers), key)
        for headers in (
            {"x-signalwire-signature": whole, "x-twilio-signature": form},
            {"x-twilio-signature": form},
        )
    }
    assert len(proofs) == 1 and all(proofs)


# Plivo: the strings are those that its own packages sign -----------------------------------------------


def plivo(url: str, signed: str, body: dict[str, str], method: str = "POST") -> WebhookRequest:
    mac = b64encode(hmac.new(b"token", f"{signed}.12345".encode(), "sha256").digest()).decode()
    headers = FORM | {"x-plivo-signature-v3": f"AAAA,{mac}", "x-plivo-signature-v3-nonce": "12345"}
    return WebhookRequest(url, NOW, headers, urlencode(body).encode(), method)


@pytest.mark.parametrize(
    ("url", "signed", "body"),
    [
        ("https://answer.url", "https://answer.url", {}),
        ("https://answer.url/a", "https://answer.url/a?CallUUID1To2", {"To": "2", "CallUUID": "1"}),
        ("https://answer.url/a?c=3&b=4", "https://answer.url/a?b=4&c=3.To2", {"To": "2"}),
        ("https://answer.url/a?c=3&b=4", "https://answer.url/a?b=4&c=3", {}),
    ],
)
def test_plivo(url: str, signed: str, body: dict[str, str]) -> None:
    asked = plivo(url, signed, body)
    assert is_signed("plivo", asked, {"token": "token"})
    assert not is_signed("plivo", asked, {"token": "tokens"})
    assert not is_signed("plivo", replace(asked, body=asked.body + b"&x=y"), {"token": "token"})
    assert not is_signed("plivo", replace(asked, headers=FORM), {"token": "token"})


# Telnyx ----------------------------------------------------------------------------------------------


def test_telnyx() -> None:
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key = {"public_key": b64encode(private.public_key().public_bytes_raw()).decode()}
    body, stamp = b'{"data":{"event_type":"call.initiated"}}', str(int(NOW) - 5)
    mark = b64encode(private.sign(stamp.encode() + b"|" + body)).decode()
    asked = WebhookRequest(
        "https://x", NOW, {"telnyx-signature-ed25519": mark, "telnyx-timestamp": stamp}, body
    )
    assert is_signed("telnyx", asked, key)
    assert not is_signed("telnyx", replace(asked, body=b"{}"), key)
    assert not is_signed("telnyx", replace(asked, now=NOW + 600), key), "it is too old"
    for name, wrong in [
        ("telnyx-timestamp", "soon"),
        ("telnyx-signature-ed25519", "?"),
        ("telnyx-signature-ed25519", ""),
    ]:
        assert not is_signed("telnyx", replace(asked, headers=dict(asked.headers) | {name: wrong}), key)


# Vonage ----------------------------------------------------------------------------------------------


def jwt(claims: dict[str, Any], secret: bytes = b"secret", algorithm: str = "HS256") -> str:
    def coded(data: bytes) -> str:
        return urlsafe_b64encode(data).rstrip(b"=").decode()

    head = ".".join(coded(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims))
    return f"{head}.{coded(hmac.new(secret, head.encode(), 'sha256').digest())}"


def test_hs256_by_its_own_example() -> None:
    """RFC 7515 appendix A.1: the token is good, and far too old."""
    from antiphon.transports.telephony.providers import vonage

    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    from base64 import urlsafe_b64decode

    head, _, mark = token.rpartition(".")
    assert vonage.mac(urlsafe_b64decode(key + "=="), head) == mark


def test_vonage() -> None:
    body = b'{"uuid":"1"}'
    claims = {"iat": NOW - 2, "jti": "1", "payload_hash": hashlib.sha256(body).hexdigest()}
    asked = WebhookRequest("https://x/y", NOW, {"authorization": f"Bearer {jwt(claims)}"}, body)
    key = {"signature": "secret"}
    assert is_signed("vonage", asked, key)
    assert not is_signed("vonage", asked, {"signature": "other"})
    assert not is_signed("vonage", replace(asked, body=b'{"uuid":"2"}'), key)
    assert not is_signed("vonage", replace(asked, now=NOW + 600), key)

    def carries(token: str, body: bytes = b"") -> bool:
        return is_signed(
            "vonage", WebhookRequest("https://x/y", NOW, {"authorization": f"Bearer {token}"}, body), key
        )

    assert carries(jwt({"iat": NOW})), "a webhook without a body"
    assert not carries(jwt({"iat": NOW}), body), "a body that nobody vouches for"
    assert not carries(jwt(claims | {"exp": NOW - 1}), body)
    assert not carries(jwt(claims, algorithm="none"), body)
    assert not carries(jwt(claims).rpartition(".")[0] + ".", body)
    for token in ("", ".", "..", "a.b.c", "é.é.é", jwt({}), jwt({"iat": "soon"})):
        assert not carries(token)


# Genesys: https://developer.genesys.cloud/devapps/audiohook/security -----------------------------------

GENESYS = WebhookRequest(
    "wss://audiohook.example.com/api/v1/voicebiometrics/ws",
    1641013205.0,
    {
        "host": "audiohook.example.com",
        "audiohook-organization-id": "d7934305-0972-4844-938e-9060eef73d05",
        "audiohook-session-id": "30b0e395-84d3-4570-ac13-9a62d8f514c0",
        "audiohook-correlation-id": "e160e428-53e2-487c-977d-96989bf5c99d",
        "x-api-key": "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh",
        "signature": "sig1=:NZBwyBHRRyRoeLqy1IzOa9VYBuI8TgMFt2GRDkDuJh4=:",
        "signature-input": 'sig1=("@request-target" "@authority" "audiohook-organization-id" '
        '"audiohook-session-id" "audiohook-correlation-id" "x-api-key");'
        'keyid="SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh";nonce="VGhpc0lzQVVuaXF1ZU5vbmNl";'
        'alg="hmac-sha256";created=1641013200;expires=3282026430',
    },
    method="GET",
)
SHARED = {
    "key": "SGVsbG8sIEkgYW0gdGhlIEFQSSBrZXkh",
    "secret": "TXlTdXBlclNlY3JldEtleVRlbGxOby0xITJAMyM0JDU=",
}


def test_genesys() -> None:
    assert is_signed("genesys", GENESYS, SHARED)
    assert not is_signed("genesys", GENESYS, SHARED | {"secret": "AAAA"})
    assert not is_signed("genesys", GENESYS, SHARED | {"key": "other"})
    assert not is_signed("genesys", replace(GENESYS, now=GENESYS.now + 600), SHARED), "it is too old"
    assert not is_signed("genesys", replace(GENESYS, url=GENESYS.url + "x"), SHARED)
    for name in GENESYS.headers:
        headers = dict(GENESYS.headers) | {name: GENESYS.headers[name] + "x"}
        assert not is_signed("genesys", replace(GENESYS, headers=headers), SHARED), name
        del headers[name]
        if name != "host":  # which the address tells as well
            assert not is_signed("genesys", replace(GENESYS, headers=headers), SHARED), name


def test_a_signature_that_speaks_of_too_little_proves_nothing() -> None:
    params = '("x-api-key");created=1641013200'
    base = f'"x-api-key": {SHARED["key"]}\n"@signature-params": {params}'
    mac = b64encode(hmac.new(b"MySuperSecretKeyTellNo-1!2@3#4$5", base.encode(), "sha256").digest()).decode()
    headers = dict(GENESYS.headers) | {"signature-input": f"sig1={params}", "signature": f"sig1=:{mac}:"}
    assert not is_signed("genesys", replace(GENESYS, headers=headers), SHARED)


# Basic authentication --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["exotel", "bandwidth", "asterisk", "freeswitch"])
def test_basic(name: str) -> None:
    def asked(text: str) -> WebhookRequest:
        return WebhookRequest("wss://x", NOW, {"authorization": text})

    key = {"user": "me", "password": "p:w"}
    good = b64encode(b"me:p:w").decode()
    assert is_signed(name, asked(f"Basic {good}"), key)
    for wrong in (
        "",
        "Basic",
        "Basic !",
        f"Bearer {good}",
        "Basic " + b64encode(b"me:pw").decode(),
        "Basic " + b64encode(b"\xff:").decode(),
    ):
        assert not is_signed(name, asked(wrong), key)


# All -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one.name for one in available() if one.signed])
def test_without_the_secret_nothing_is_believed(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"[A-Z]+_[A-Z_]+"):
        is_signed(name, TWILIO, dict(account(provider(name), {})))


@pytest.mark.parametrize("name", [one.name for one in available() if one.signed])
def test_a_request_without_any_proof_is_refused(name: str) -> None:
    of = provider(name)
    some = dict.fromkeys(of.environment, b64encode(bytes(32)).decode())
    assert not is_signed(name, WebhookRequest("https://x/y", NOW), some)


def test_vonage_vouches_for_a_body_that_is_gone() -> None:
    claims = {"iat": NOW, "payload_hash": hashlib.sha256(b'{"uuid":"1"}').hexdigest()}
    asked = WebhookRequest("https://x/y?from=49", NOW, {"authorization": f"Bearer {jwt(claims)}"}, b"")
    assert not is_signed("vonage", asked, {"signature": "secret"})
