"""The reader of event streams: lines end at CR and LF only, however the bytes are cut, and all is bounded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import BadResponseError
from antiphon.services.event_stream import EventReader, ServerEvent

MOST = 64


def read(*pieces: bytes, most: int = 1 << 20) -> list[ServerEvent]:
    reader = EventReader(most)
    found = [event for piece in pieces for event in reader.feed(piece)]
    return [*found, *reader.end()]


@pytest.mark.parametrize("sign", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_what_only_python_takes_for_the_end_of_a_line_is_part_of_it(sign: str) -> None:
    assert read(f"data: one{sign}two\n\n".encode()) == [ServerEvent(f"one{sign}two")]


STREAMS: dict[str, tuple[bytes, list[str]]] = {
    "line feeds": (b"data: one\n\ndata: two\n\n", ["one", "two"]),
    "carriage returns": (b"data: one\r\rdata: two\r\r", ["one", "two"]),
    "both": (b"data: one\r\n\r\ndata: two\r\n\r\n", ["one", "two"]),
    "mixed": (b"data: one\r\n\ndata: two\n\r", ["one", "two"]),
    "several lines of data": (b'data: {\ndata:  "a": 1\ndata: }\n\n', ['{\n "a": 1\n}']),
    "no blank after the colon": (b"data:one\n\n", ["one"]),
    "one blank is no data": (b"data:  one\n\n", [" one"]),
    "comments and other fields": (b": hi\n\nid: 7\nretry: 9\ndata: one\nother\n\n:\n\n", ["one"]),
    "byte order mark": (b"\xef\xbb\xbfdata: one\n\n", ["one"]),
    "no blank line at the end": (b"data: one\n\ndata: two", ["one", "two"]),
    "bytes that are no UTF-8": (b"data: \xff\n\n", ["\ufffd"]),
    "beyond the basic plane": ("data: 😀\n\n".encode(), ["😀"]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", STREAMS)
def test_events_are_the_same_wherever_the_bytes_are_cut(name: str) -> None:
    stream, expected = STREAMS[name]
    events = [ServerEvent(data) for data in expected]
    assert read(stream) == events
    assert read(*(bytes([byte]) for byte in stream)) == events
    for cut in range(len(stream)):
        assert read(stream[:cut], b"", stream[cut:]) == events


def test_events_have_names() -> None:
    assert read(b"event: error\ndata: no\n\ndata: yes\n\nevent: end\n\n") == [
        ServerEvent("no", "error"),
        ServerEvent("yes"),
        ServerEvent("", "end"),
    ]


@pytest.mark.parametrize(
    "endless", [b"x", b"data: x", b"data: x\n", b"data:\n", b"event: x\n", b"\r\nx", b"data: " + b"x" * 100]
)
def test_line_or_event_without_an_end_is_refused_and_not_kept(endless: bytes) -> None:
    reader = EventReader(MOST)
    with pytest.raises(BadResponseError, match="more than 64 bytes"):
        for _ in range(1000):
            list(reader.feed(endless.replace(b"\r\nx", b"x")))


def test_any_number_of_events_and_comments_is_fine() -> None:
    reader = EventReader(MOST)
    for _ in range(1000):
        assert list(reader.feed(b": ping\ndata: x\n\n")) == [ServerEvent("x")]


@given(
    st.lists(
        st.binary(max_size=40) | st.sampled_from([b"data: x", b"\n", b"\r", b"event:", b":"]), max_size=30
    )
)
def test_reading_depends_on_the_bytes_alone(pieces: list[bytes]) -> None:
    assert read(*pieces) == read(b"".join(pieces))
