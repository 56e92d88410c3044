from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import UsageError
from antiphon.transports.webrtc.engine import IceCandidate
from antiphon.transports.webrtc.requests import SdpOffer, candidates

SDP = "v=0\r\na=group:BUNDLE 0 1\r\nm=audio 9 X 0\r\na=mid:0\r\nm=application 9 Y z\r\na=mid:1\r\n"
GOOD = {"sdp": SDP, "type": "offer", "pc_id": None, "restart_pc": False}


def test_an_offer_is_read() -> None:
    assert SdpOffer.read(GOOD) == SdpOffer(SDP, None, False)
    assert SdpOffer.read(GOOD | {"pc_id": "a", "restart_pc": True, "requestData": 7}) == SdpOffer(
        SDP, "a", True
    )
    assert SdpOffer.read({"sdp": SDP.replace("\r\n", "\n"), "type": "offer"}).pc_id is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sdp": None}, "v=0"),
        ({"sdp": "hello"}, "v=0"),
        ({"sdp": "v=0\r\n"}, "sections"),
        ({"sdp": SDP + "x" * 100_000}, "characters"),
        ({"sdp": "v=0" + "\r\nm=audio 9 X 0\r\na=mid:0" * 9}, "sections"),
        ({"sdp": SDP.replace("m=application", "m=text")}, "text"),
        ({"sdp": SDP.replace("a=mid:1", "a=mid:0")}, "mid"),
        ({"sdp": SDP.replace("a=mid:1", "")}, "mid"),
        ({"sdp": SDP.replace("BUNDLE 0 1", "BUNDLE 7")}, "mid"),
        ({"sdp": SDP.replace("a=mid:1", "").replace("a=mid:0", "a=mid:0\r\na=mid:1")}, "mid"),
        ({"sdp": f"{SDP}a=candidate:1 1 udp 1 10.0.0.1 65536 typ host\r\n"}, "port"),
        ({"sdp": f"{SDP}a=candidate:1 1 udp 1 10.0.0.1 -1 typ host\r\n"}, "port"),
        ({"type": "answer"}, "offer"),
        ({"type": None}, "offer"),
        ({"pc_id": 7}, "pc_id"),
        ({"pc_id": ["a"]}, "pc_id"),
    ],
)
def test_what_is_no_offer_is_refused_in_a_sentence(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        SdpOffer.read(GOOD | wrong)


def offering(*candidates: str, more: str = "", line: str = "\r\n") -> SdpOffer:
    return SdpOffer.read(GOOD | {"sdp": SDP + "".join(f"a={one}{line}" for one in candidates) + more})


def test_an_offer_has_a_bounded_number_of_candidates() -> None:
    offer = offering(*(f"candidate:{n} 1 udp 1 10.0.{n // 200}.{n % 200} 5000 typ host" for n in range(1400)))
    assert offer.sdp.count("a=candidate:") == len(offer.addresses) == 50
    assert "candidate:49 " in offer.sdp
    assert offer.hides


@pytest.mark.parametrize("line", ["\r\n", "\n", "\r", "\x0b", "\x85", "\u2028"])
def test_host_names_of_strangers_are_not_looked_up(line: str) -> None:
    """However the lines end: the parser behind this splits at all of these."""
    offer = offering(
        "candidate:1 1 udp 1 1e0b44cd-7b4d.local 5000 typ host",
        "candidate:2 1 udp 1 example.com 5000 typ host",
        "candidate:3 1 udp 1 10.0.0.1 5000 typ host",
        "candidate:4 1 udp 1 2001:db8::1 5000 typ host",
        "end-of-candidates",
        line=line,
    )
    assert ".local" not in offer.sdp
    assert "example" not in offer.sdp
    assert "end-of-candidates" not in offer.sdp, "it may still be found by its own checks"
    assert offer.hides
    assert offer.addresses == {"udp 1 10.0.0.1 5000", "udp 1 2001:db8::1 5000"}


def test_an_offer_that_hides_nothing_is_left_as_it_is() -> None:
    offer = offering("candidate:3 1 udp 1 10.0.0.1 5000 typ host", "end-of-candidates")
    assert offer.sdp.endswith("typ host\r\na=end-of-candidates\r\n")
    assert not offer.hides


def test_candidates_are_read() -> None:
    several = [
        {"candidate": "candidate:1 1 udp 1 10.0.0.1 1 typ host", "sdp_mid": "0", "sdp_mline_index": 0},
        {"candidate": "", "sdp_mid": None},
    ]
    assert candidates({"candidates": several}) == [
        IceCandidate("candidate:1 1 udp 1 10.0.0.1 1 typ host", "0", 0),
        IceCandidate("", None, None),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "candidate:1",
        {"candidate": ""},
        [None],
        [{}],
        [{"candidate": 7}],
        [{"candidate": "x" * 1001, "sdp_mid": "0"}],
        [{"candidate": "x"}],
        [{"candidate": "x", "sdp_mid": 0}],
        [{"candidate": "x", "sdp_mid": None, "sdp_mline_index": True}],
        [{"candidate": "x", "sdp_mline_index": 1.5}],
        [{"candidate": ""}] * 51,
        [{"candidate": "candidate:1 1 udp 1 10.0.0.1 65536 typ host", "sdp_mid": "0"}],
        [{"candidate": "candidate:1 1 udp 1 10.0.0.1 999999999999 typ host", "sdp_mid": "0"}],
    ],
)
def test_what_are_no_candidates_is_refused(wrong: Any) -> None:
    with pytest.raises(UsageError):
        candidates({"candidates": wrong})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.sampled_from(["sdp", "type", "pc_id", "restart_pc", "candidates", "candidate", "sdp_mid"])


@given(st.dictionaries(NAMES, JSON | st.text().map(lambda text: f"v=0\nm=audio {text}")))
def test_anything_else_raises_nothing_else(request: dict[str, Any]) -> None:
    for read in (SdpOffer.read, candidates):
        try:
            read(request)
        except UsageError as error:
            assert str(error)
