"""The protobuf codec against the library of its makers, and against everything that is not protobuf."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.transports.framing import (
    LARGEST,
    FramedAudio,
    FramedMessage,
    Framing,
    Json,
    Protobuf,
    fields,
    varint,
)

FRAMES = {
    "AudioRawFrame": [
        ("id", 1, "uint64"), ("name", 2, "string"), ("audio", 3, "bytes"), ("sample_rate", 4, "uint32"),
        ("num_channels", 5, "uint32"), ("pts", 6, "uint64"),
    ],
    "TextFrame": [("id", 1, "uint64"), ("name", 2, "string"), ("text", 3, "string")],
    "MessageFrame": [("data", 1, "string")],
}  # fmt: skip


def oracle() -> Any:
    """The Frame message, made by the protobuf library from its published definition."""
    pb = pytest.importorskip("google.protobuf.descriptor_pb2")
    pool = pytest.importorskip("google.protobuf.descriptor_pool").DescriptorPool()
    factory = pytest.importorskip("google.protobuf.message_factory")
    file = pb.FileDescriptorProto(name="frames.proto", package="pipecat", syntax="proto3")
    field = pb.FieldDescriptorProto
    for name, members in FRAMES.items():
        message = file.message_type.add(name=name)
        for member, number, kind in members:
            message.field.add(
                name=member,
                number=number,
                label=field.LABEL_OPTIONAL,
                type=field.Type.Value(f"TYPE_{kind.upper()}"),
            )
    frame = file.message_type.add(name="Frame")
    frame.oneof_decl.add(name="frame")
    for member, number, kind in [
        ("text", 1, "TextFrame"),
        ("audio", 2, "AudioRawFrame"),
        ("message", 4, "MessageFrame"),
    ]:
        frame.field.add(
            name=member, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_MESSAGE,
            type_name=f".pipecat.{kind}", oneof_index=0,
        )  # fmt: skip
    pool.Add(file)
    return factory.GetMessageClass(pool.FindMessageTypeByName("pipecat.Frame"))


Frame = oracle()


@given(st.binary(max_size=2000), st.integers(1, 2**32 - 1))
def test_audio_reads_as_it_was_written(pcm: bytes, rate: int) -> None:
    written = Protobuf().encode_audio(pcm, rate)
    frame = Frame.FromString(written)
    assert (frame.audio.audio, frame.audio.sample_rate, frame.audio.num_channels) == (pcm, rate, 1)
    assert Protobuf().decode(written) == FramedAudio(pcm, rate, 1)


@given(st.text(max_size=500))
def test_messages_read_as_they_were_written(text: str) -> None:
    written = Protobuf().encode_message(text)
    assert Frame.FromString(written).message.data == text
    assert Protobuf().decode(written) == FramedMessage(text)


@given(
    st.binary(max_size=300), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
)
def test_what_other_libraries_write_is_read(pcm: bytes, rate: int, channels: int, number: int) -> None:
    frame = Frame()
    frame.audio.id, frame.audio.name, frame.audio.pts = number, "audio", number
    frame.audio.audio, frame.audio.sample_rate, frame.audio.num_channels = pcm, rate, channels
    assert Protobuf().decode(frame.SerializeToString()) == FramedAudio(pcm, rate, channels)


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    read = Protobuf().decode(data)
    assert read is None or isinstance(read, FramedAudio | FramedMessage)


@given(st.binary(max_size=100), st.data())
def test_damaged_frames_raise_nothing_and_are_read_as_the_library_reads_them(
    pcm: bytes, data: st.DataObject
) -> None:
    written = bytearray(Protobuf().encode_audio(pcm, 24000))
    for _ in range(data.draw(st.integers(1, 4))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(written[: data.draw(st.integers(0, len(written)))])
    read = Protobuf().decode(cut)
    try:
        frame = Frame.FromString(cut)
    except Exception:  # noqa: BLE001  the library's own class of error
        return
    if isinstance(read, FramedAudio) and frame.WhichOneof("frame") == "audio":
        assert read.pcm == frame.audio.audio
        assert read.sample_rate == frame.audio.sample_rate


def test_other_frames_are_of_no_use() -> None:
    frame = Frame()
    frame.text.text = "hello"
    assert Protobuf().decode(frame.SerializeToString()) is None
    assert Protobuf().decode(b"") is None
    assert Protobuf().decode("text") is None
    assert Protobuf().decode(Protobuf().encode_message("x" * LARGEST)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\x12",  # no length
        b"\x12\x05ab",  # cut short
        b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # longer than anything
        b"\xff" * 11,  # a key that never ends
        b"\x13\x14",  # a group
        b"\x02\x00",  # field 0
        b"\x22\x03\x0a\x01\xff",  # no UTF-8
    ],
)
def test_malformed_frames_are_nothing(data: bytes) -> None:
    assert Protobuf().decode(data) is None


@given(st.integers(0, 2**64 - 1))
def test_numbers_of_any_size(value: int) -> None:
    assert list(fields(b"\x08" + varint(value))) == [(1, value)]


@pytest.mark.parametrize("framing", [Protobuf(), Json()])
def test_both_carry_messages(framing: Framing) -> None:
    assert framing.decode(framing.encode_message('{"label":"rtvi-ai"}')) == FramedMessage(
        '{"label":"rtvi-ai"}'
    )


def test_json_is_text() -> None:
    assert Json().encode_audio(b"\x01\x02", 24000) == (
        '{"label":"rtvi-ai","type":"bot-tts-audio",'
        '"data":{"audio":"AQI=","sample_rate":24000,"num_channels":1}}'
    )
    assert Json().decode(b"binary") is None
    assert Json().decode("x" * (LARGEST + 1)) is None


@pytest.mark.parametrize(
    "before", [b"", b"\x12\xa0\x9c\x01", b"\x22\xa0\x9c\x01"]
)  # in a frame, in its content
def test_a_message_of_countless_fields_is_not_read(before: bytes) -> None:
    assert Protobuf().decode(before + b"\x08\x00" * 10_000) is None
    with pytest.raises(ValueError, match="too many"):
        list(fields(b"\x08\x00" * 65))
    assert len(list(fields(b"\x08\x00" * 64))) == 64
