"""Lists of voices in the shapes that vendors have; what comes is bounded and never believed."""

import asyncio
import json
from typing import Any

import pytest

from antiphon.errors import AuthenticationError, BadResponseError, ConfigurationError
from antiphon.services.keys import VendorKey
from antiphon.services.voice_list import VoiceInfo, VoiceListing, fetch_voices
from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.http import HttpAnswer, HttpVendorServer, VendorRequest
from antiphon.vendors import available, create, voice_spec, voices
from antiphon.vendors._voice_lists import PRINTED_VOICES, VOICE_LISTINGS
from antiphon.vendors.aws import tts as aws


class Lists(HttpVendorServer):
    """Answers each request with the next of these."""

    answers: list[Any]
    header = ("authorization", f"Bearer {KEY}")

    def check(self, request: VendorRequest) -> None:
        name, value = self.header
        assert request.headers[name].startswith(value), request.headers

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        told = self.answers[min(len(self.requests), len(self.answers)) - 1]
        await answer.begin("application/json")
        await answer.send(told if isinstance(told, bytes) else json.dumps(told).encode())


def fetched(
    answers: list[Any], fault: Fault | None = None, **row: Any
) -> tuple[list[VoiceInfo], list[VendorRequest]]:
    """The voices in these answers, and the requests for them."""

    async def run() -> tuple[list[VoiceInfo], list[VendorRequest]]:
        server = Lists(fault)
        server.answers = answers
        if header := row.get("key_header"):
            server.header = (header.lower(), KEY)
            row["key_prefix"] = ""
        async with server:
            listing = VoiceListing("a vendor", f"{server.url}/voices", **row)
            return await fetch_voices(listing, VendorKey("a vendor", "A_KEY", KEY)), server.requests

    return asyncio.run(run())


def test_a_list_at_the_top() -> None:
    told = [
        {"ShortName": "en-US-Ava", "DisplayName": "Ava", "Locale": "en-US", "Gender": "Female", "Rate": 1},
        {"ShortName": "de-DE-Seraphina", "Locale": ["de-DE", "en"], "Gender": None, "Rate": 2.5},
    ]
    found, requests = fetched(
        [told],
        voices="",
        id="ShortName",
        name="DisplayName",
        language="Locale",
        about=("Gender", "Rate"),
        key_header="X-Key",
    )
    assert found == [
        VoiceInfo("en-US-Ava", "Ava", "en-US", "Female, 1"),
        VoiceInfo("de-DE-Seraphina", "", "de-DE, en", "2.5"),
    ]
    assert [(one.method, one.path) for one in requests] == [("GET", "/voices")]


def test_pages_with_a_cursor() -> None:
    pages = [
        {"voices": [{"voice_id": "1", "labels": {"gender": "male", "language": "en"}}], "next": "more"},
        {"voices": [{"voice_id": "2", "labels": "none"}], "next": None},
    ]
    found, requests = fetched(
        pages,
        id="voice_id",
        language="labels.language",
        about=("labels.gender",),
        query={"size": 1},
        page="from",
        cursor="next",
    )
    assert found == [VoiceInfo("1", "", "en", "male"), VoiceInfo("2")]
    assert [dict(one.query) for one in requests] == [{"size": "1"}, {"size": "1", "from": "more"}]


def test_pages_that_are_counted_end_with_one_that_brings_nothing_new() -> None:
    pages = [{"items": [{"id": "1"}]}, {"items": [{"id": "2"}]}, {"items": [{"id": "2"}]}]
    found, requests = fetched(pages, voices="items", query={"page": 1}, page="page")
    assert [voice.id for voice in found] == ["1", "2"]
    assert [one.query["page"] for one in requests] == ["1", "2", "3"]


def test_voices_by_their_ids_and_plain_names() -> None:
    told = {"en_US-lessac-medium": {"dataset": "lessac", "language": {"code": "en_US"}}}
    found, _ = fetched([told], voices="", name="dataset", language="language.code")
    assert found == [VoiceInfo("en_US-lessac-medium", "lessac", "en_US")]
    found, _ = fetched([{"voices": ["af_heart", "am_adam", 3, None]}])
    assert found == [VoiceInfo("af_heart"), VoiceInfo("am_adam")]


def test_the_voices_of_each_model() -> None:
    told = {
        "models": [{"voices": [{"id": "1"}, {"id": "2"}]}, {"voices": [{"id": "2"}]}, {"voices": None}, 3]
    }
    found, _ = fetched([told], voices="models.voices")
    assert found == [VoiceInfo("1"), VoiceInfo("2")]


def test_a_list_that_is_asked_for_with_a_body() -> None:
    found, requests = fetched([{"voices": [{"id": "1"}]}], body={"voice_type": "system"})
    assert (found, requests[0].method, requests[0].json) == (
        [VoiceInfo("1")],
        "POST",
        {"voice_type": "system"},
    )


def test_what_is_shown_is_bounded_and_plain() -> None:
    told = {"voices": [{"id": "1", "name": "\x1b[31mred\n" + "x" * 1000, "description": {"not": "text"}}]}
    (voice,), _ = fetched([told])
    assert voice.name.startswith("[31mred xxx")
    assert len(voice.name) == 200
    assert voice.about == ""


def test_endless_pages_end() -> None:
    class Endless(Lists):
        async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
            await answer.begin("application/json")
            told = {"voices": [{"id": str(len(self.requests))}], "next": "again"}
            await answer.send(json.dumps(told).encode())

    async def run() -> list[VoiceInfo]:
        async with Endless() as server:
            listing = VoiceListing("a vendor", server.url, page="from", cursor="next")
            return await fetch_voices(listing, VendorKey("a vendor", "A_KEY", KEY))

    assert len(asyncio.run(run())) == 20


@pytest.mark.parametrize("told", [b"{", b"", b"null", {"voices": 3}, {}, b"[" * 100_000])
def test_what_is_no_list_is_an_error(told: Any) -> None:
    with pytest.raises(BadResponseError):
        fetched([told])
    with pytest.raises(BadResponseError):
        fetched([told] if told != {"voices": 3} and told != {} else [b"3"], voices="")


def test_a_refused_key_is_named() -> None:
    with pytest.raises(AuthenticationError, match="A_KEY"):
        fetched([{}], Fault.REFUSED)


# The table -------------------------------------------------------------------------------------------


def test_each_row_is_a_vendor_with_a_voice_and_says_what_to_write() -> None:
    known = {vendor.name: vendor for vendor in available()}
    for name in (*VOICE_LISTINGS, *PRINTED_VOICES):
        vendor = known[name]
        assert "tts" in vendor.provides, name
        assert create("tts", voice_spec(name, "some-voice")), name
    for listing in VOICE_LISTINGS.values():
        assert listing.docs.startswith("https://"), listing.vendor


def test_most_vendors_of_voices_list_them() -> None:
    voiced = [vendor for vendor in available() if "tts" in vendor.provides]
    without = {
        vendor.name
        for vendor in voiced
        if vendor.voices is None and vendor.name not in {*VOICE_LISTINGS, *PRINTED_VOICES}
    }
    # LiveKit's voices are those of its plugins, and NVIDIA is asked over gRPC only.
    known = {"kyutai", "livekit", "nvidia"}
    assert without == known, "add a row to _voice_lists.py, or say here that there is no list"


def test_polly_is_asked_with_a_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")

    async def run() -> list[VoiceInfo]:
        server = Lists()
        server.header = ("authorization", "AWS4-HMAC-SHA256 Credential=an-id/")
        server.answers = [
            {"Voices": [{"Id": "Vicki", "Name": "Vicki", "LanguageCode": "de-DE", "Gender": "Female"}]}
        ]
        async with server:
            return await aws.voices(server.url)

    assert asyncio.run(run()) == [VoiceInfo("Vicki", "Vicki", "de-DE", "Female")]


def test_a_vendor_without_a_list_says_where_to_look() -> None:
    with pytest.raises(ConfigurationError, match="no list of voices"):
        asyncio.run(voices("kyutai"))
