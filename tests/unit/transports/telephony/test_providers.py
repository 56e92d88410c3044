"""Providers are found by name; what they fetch from us, and what their webhooks say."""

import json
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from antiphon.errors import ConfigurationError
from antiphon.transports.telephony.port import IncomingCall, WebhookAnswer, WebhookRequest
from antiphon.transports.telephony.providers import account, available, missing, provider

GUIDE = Path(__file__).parents[4] / "docs" / "guides" / "telephone.md"
NASTY = 'Bob "the" <b> & co'
ANSWER = WebhookAnswer("wss://us/phone/x/t?a=1&b=2", {"to": "+49302", "name": NASTY})


def test_found_by_name() -> None:
    assert provider("twilio").title == "Twilio"
    assert [one.name for one in available()] == sorted(one.name for one in available())
    assert len(available()) == 11
    with pytest.raises(ConfigurationError, match="Did you mean twilio"):
        provider("twillio")
    with pytest.raises(ConfigurationError, match="There are: asterisk"):
        provider("events")


@pytest.mark.parametrize("of", available(), ids=lambda of: of.name)
def test_every_record_is_whole(of: object) -> None:
    from antiphon.transports.telephony.port import Provider

    assert isinstance(of, Provider)
    assert of.docs.startswith("https://")
    assert of.optional <= set(of.environment)
    assert (of.answer is None) == (of.incoming is None)
    assert of.codec().packet >= 0.02
    assert of.lead >= of.codec().packet
    assert bool(of.signature) == (of.signed is not None)
    assert of.answer is None or of.signed is not None, "who asks us must prove it"


def test_accounts() -> None:
    of = provider("twilio")
    assert account(of, {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "", "OTHER": "x"}) == {"sid": "AC1"}
    assert missing(of, {"sid": "AC1"}) == ["TWILIO_AUTH_TOKEN"]
    with pytest.raises(ConfigurationError, match="TWILIO_NUMBER"):
        account(of, {})["number"]


@pytest.mark.parametrize("name", ["twilio", "signalwire", "telnyx", "plivo", "bandwidth"])
def test_documents_are_xml_that_says_what_was_meant(name: str) -> None:
    make = provider(name).answer
    assert make is not None
    document = make(ANSWER)
    assert "xml" in document.type
    root = ElementTree.fromstring(document.body)
    assert root.tag == "Response"
    stream = next(one for one in root.iter() if one.tag.endswith("Stream"))
    url = stream.get("url") or stream.get("destination") or stream.text
    assert url == ANSWER.url
    given = {one.get("name"): one.get("value") for one in stream if "Param" in one.tag}
    if name == "plivo":
        from urllib.parse import unquote

        given = dict(pair.split("=") for pair in (stream.get("extraHeaders") or "").split(","))
        given = {key: unquote(value or "") for key, value in given.items()}
    assert given["to"] == "+49302"
    assert given["name"] == NASTY


def test_streams_go_both_ways() -> None:
    def attributes(name: str) -> dict[str, str]:
        make = provider(name).answer
        assert make is not None
        root = ElementTree.fromstring(make(ANSWER).body)
        return next(one for one in root.iter() if one.tag in ("Stream", "StartStream")).attrib

    assert attributes("telnyx")["bidirectionalMode"] == "rtp"
    assert attributes("plivo")["bidirectional"] == attributes("plivo")["keepCallAlive"] == "true"
    assert attributes("bandwidth")["mode"] == "bidirectional"
    make = provider("bandwidth").answer
    assert make is not None
    assert '<StopStream name="antiphon" wait="true"/>' in make(ANSWER).body, "else the call ends at once"


def test_documents_in_json() -> None:
    vonage, exotel = provider("vonage").answer, provider("exotel").answer
    assert vonage is not None
    assert exotel is not None
    endpoint = json.loads(vonage(ANSWER).body)[0]["endpoint"][0]
    assert (endpoint["uri"], endpoint["headers"]) == (ANSWER.url, dict(ANSWER.parameters))
    plain = WebhookAnswer("wss://us/x", {"to": "1", "name": NASTY})
    assert json.loads(exotel(plain).body)["url"] == "wss://us/x?" + urlencode({"name": NASTY})


FORM = {"content-type": "application/x-www-form-urlencoded"}
EVENT = b'{"data":{"payload":{"call_control_id":"1","from":"+49301","to":"+49302"}}}'


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("twilio", WebhookRequest("https://x", 0, FORM, b"CallSid=1&From=%2B49301&To=%2B49302")),
        ("signalwire", WebhookRequest("https://x", 0, FORM, b"CallSid=1&From=%2B49301&To=%2B49302")),
        ("telnyx", WebhookRequest("https://x", 0, FORM, b"CallSid=1&From=%2B49301&To=%2B49302")),
        ("telnyx", WebhookRequest("https://x", 0, {}, EVENT)),
        ("plivo", WebhookRequest("https://x", 0, FORM, b"CallUUID=1&From=%2B49301&To=%2B49302")),
        ("exotel", WebhookRequest("https://x?CallSid=1&CallFrom=%2B49301&CallTo=%2B49302", 0)),
        ("vonage", WebhookRequest("https://x?uuid=1&from=%2B49301&to=%2B49302", 0)),
        ("vonage", WebhookRequest("https://x", 0, {}, b'{"uuid":"1","from":"+49301","to":"+49302"}')),
        (
            "bandwidth",
            WebhookRequest("https://x", 0, {}, b'{"callId":"1","from":"+49301","to":"+49302","x":{}}'),
        ),
    ],
)
def test_webhooks(name: str, asked: WebhookRequest) -> None:
    read = provider(name).incoming
    assert read is not None
    assert read(asked) == IncomingCall("1", "+49301", "+49302")


@pytest.mark.parametrize("of", [one.name for one in available() if one.incoming])
def test_webhooks_of_rubbish(of: str) -> None:
    read = provider(of).incoming
    assert read is not None
    for body in (
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b'{"data":5}',
        b'{"data":{"payload":[]}}',
        b"{" * 10_000,
        b"a=b&&&=c",
    ):
        for headers in (FORM, {}):
            assert isinstance(read(WebhookRequest("https://x?&&=", 0, headers, body)), IncomingCall)


def row(of: object) -> str:
    from antiphon.transports.telephony.port import Provider

    assert isinstance(of, Provider)
    codec = of.codec()
    marks = codec.mark("1") is not None
    warm = of.transfer is not None and of.name != "asterisk"
    return (
        f"| [{of.title}]({of.docs}) | `{of.name}` | {of.audio} "
        f"| {'yes' if codec.clear() else 'little is sent ahead'} | {'yes' if marks else 'no'} "
        f"| {'cold, warm' if warm else 'cold' if of.transfer or of.name == 'genesys' else 'no'} "
        f"| {'yes' if of.dial else 'no'} | {of.signature or 'none: bind it to a private address'} |"
    )


def variables(of: object) -> str:
    from antiphon.transports.telephony.port import Provider

    assert isinstance(of, Provider)
    names = [f"`{key}`" + " (optional)" * (name in of.optional) for name, key in of.environment.items()]
    return f"| {of.title} | {', '.join(names) or 'none'} |"


def test_the_guide_is_fresh() -> None:
    text = GUIDE.read_text()
    wanted = [row(of) for of in available()] + [variables(of) for of in available()]
    assert [line for line in wanted if line not in text] == []
