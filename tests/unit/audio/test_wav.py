import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon.audio import g711, wav
from antiphon.audio.wav import CallWriter, WavAudio
from antiphon.errors import ConfigurationError, UnavailableError, UsageError

FUZZ = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SAMPLES = np.array([0, 256, -256, 12_800, -32_768, 32_512, -12_800, 512], "<i2")  # exact in 8 bits, too
GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def form(code: int, bits: int, channels: int = 1, rate: int = 16_000, more: bytes = b"") -> bytes:
    block = channels * ((bits + 7) // 8)
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * block, block, bits) + more)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def plain(samples: bytes = SAMPLES.tobytes()) -> bytes:
    return riff(form(1, 16), chunk(b"data", samples))


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], WavAudio]:
    def read_bytes(content: bytes) -> WavAudio:
        path = tmp_path / "caller.wav"
        path.write_bytes(content)
        return wav.read(path)

    return read_bytes


# Reading ---------------------------------------------------------------------------------------------


def bytes_of(width: int) -> bytes:
    """The samples as integers of so many bytes."""
    if width == 1:
        return (SAMPLES // 256 + 128).astype(np.uint8).tobytes()
    wide = SAMPLES.astype("<i4") << 16
    return wide.view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


@pytest.mark.parametrize(
    ("format_", "data"),
    [
        (form(1, 8), bytes_of(1)),
        (form(1, 16), bytes_of(2)),
        (form(1, 24), bytes_of(3)),
        (form(1, 20), bytes_of(3)),
        (form(1, 32), bytes_of(4)),
        (form(3, 32), (SAMPLES / 32_768).astype("<f4").tobytes()),
        (form(3, 64), (SAMPLES / 32_768).astype("<f8").tobytes()),
        (form(0xFFFE, 16, more=struct.pack("<HHIH", 22, 16, 4, 1) + GUID), bytes_of(2)),
        (form(0xFFFE, 24, more=struct.pack("<HHIH", 22, 24, 4, 1) + GUID), bytes_of(3)),
        (
            form(0xFFFE, 32, more=struct.pack("<HHIH", 22, 32, 4, 3) + GUID),
            (SAMPLES / 32_768).astype("<f4").tobytes(),
        ),
    ],
    ids=[
        "u8",
        "s16",
        "s24",
        "s20",
        "s32",
        "f32",
        "f64",
        "extensible s16",
        "extensible s24",
        "extensible f32",
    ],
)
def test_every_width_gives_the_same_samples(
    read: Callable[[bytes], WavAudio], format_: bytes, data: bytes
) -> None:
    assert read(riff(format_, chunk(b"data", data))) == WavAudio(SAMPLES.tobytes(), 16_000)


def test_telephone_codes(read: Callable[[bytes], WavAudio]) -> None:
    codes = bytes(range(256))
    more = struct.pack("<H", 0)
    assert read(riff(form(6, 8, rate=8_000, more=more), chunk(b"data", codes))).pcm == g711.decode_alaw(codes)
    assert read(riff(form(7, 8, rate=8_000, more=more), chunk(b"data", codes))).pcm == g711.decode_mulaw(
        codes
    )


def test_floats_that_are_no_sound_do_not_wrap(read: Callable[[bytes], WavAudio]) -> None:
    data = np.array([2.0, -2.0, np.nan, np.inf, -np.inf, 1e38], "<f4").tobytes()
    pcm = read(riff(form(3, 32), chunk(b"data", data))).pcm
    assert np.frombuffer(pcm, "<i2").tolist() == [32767, -32768, 0, 32767, -32768, 32767]


@pytest.mark.parametrize(("channels", "rate"), [(1, 4_000), (2, 192_000), (6, 44_100), (255, 11_025)])
def test_any_rate_and_any_number_of_channels(
    read: Callable[[bytes], WavAudio], channels: int, rate: int
) -> None:
    moments = np.arange(3 * channels, dtype="<i2").reshape(3, channels)
    sound = read(riff(form(1, 16, channels, rate), chunk(b"data", moments.tobytes())))
    assert (sound.channels, sound.sample_rate) == (channels, rate)
    assert sound.seconds == pytest.approx(3 / rate)
    assert np.frombuffer(sound.channel(channels - 1), "<i2").tolist() == moments[:, -1].tolist()
    assert np.frombuffer(sound.mono(), "<i2").tolist() == np.rint(moments.mean(axis=1)).tolist()


def test_chunks_that_are_not_ours_are_passed(read: Callable[[bytes], WavAudio]) -> None:
    content = riff(
        chunk(b"JUNK", bytes(27)),
        chunk(b"LIST", b"INFOodd"),
        form(1, 16, more=b"\0\0"),
        chunk(b"fact", bytes(4)),
        chunk(b"data", SAMPLES.tobytes()),
        chunk(b"LIST", b"after the samples"),
    )
    assert read(content).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000])
def test_a_piped_file_is_read_to_its_end(read: Callable[[bytes], WavAudio], size: int) -> None:
    for told in (0, 36, 0xFFFFFFFF):
        content = riff(form(1, 16), chunk(b"data", SAMPLES.tobytes(), size), size=told)
        assert read(content).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize(
    "odd",
    [
        b"LIST\x07\0\0\0INFOodd",
        b"LIST\x07\0\0\0INFOodd\0",
        b"LIST\x07\0\0\0INFOodd?",
        b"LIST\x09\0\0\0INFOeven",
        b"LIST\x07\0\0\0INFOeven",
        b"LIST\x0a\0\0\0INFOeven",
        b"LIST\x06\0\0\0INFOeven",
        b"LIST\0\0\0\0",
    ],
)
def test_a_chunk_with_a_wrong_length_or_padding_is_passed(
    read: Callable[[bytes], WavAudio], odd: bytes
) -> None:
    data = chunk(b"data", SAMPLES.tobytes())
    assert read(riff(form(1, 16), odd, data)).pcm == SAMPLES.tobytes()
    assert read(riff(odd, form(1, 16), data)).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize("size", [None, 0, 36, 0xFFFFFFFF])
def test_an_empty_data_chunk_before_the_samples_is_passed(
    read: Callable[[bytes], WavAudio], size: int | None
) -> None:
    samples = chunk(b"data", SAMPLES.tobytes())
    assert read(riff(form(1, 16), chunk(b"data", b""), samples, size=size)).pcm == SAMPLES.tobytes()


@pytest.mark.parametrize("above", [True, False])
def test_24_bits_in_blocks_of_4_bytes(read: Callable[[bytes], WavAudio], above: bool) -> None:
    """By the standard the spare byte is the lowest; many writers have it on top."""
    wide = (SAMPLES.astype("<i4") << (8 if above else 16)).tobytes()
    fields = struct.pack("<HHIIHH", 1, 1, 16_000, 64_000, 4, 24)
    assert read(riff(chunk(b"fmt ", fields), chunk(b"data", wide))).pcm == SAMPLES.tobytes()


def test_an_id3_tag_in_front_is_passed(read: Callable[[bytes], WavAudio]) -> None:
    tag = b"ID3\x03\0\0\0\0\x01\x02" + bytes(130)
    assert read(tag + plain()).pcm == SAMPLES.tobytes()
    with pytest.raises(ConfigurationError, match="cut short"):
        read((tag + plain())[:-2])


def test_part_of_a_moment_at_the_end_is_left_out(read: Callable[[bytes], WavAudio]) -> None:
    sound = read(riff(form(1, 16, 2), chunk(b"data", SAMPLES.tobytes() + b"\x01\x02\x03")))
    assert sound.pcm == SAMPLES.tobytes()


# Refusing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b"ID3\x04" + bytes(200), "MP3"),
        (b"\xff\xfb\x90\x44" + bytes(200), "MP3"),
        (b"\xff\xfa\x90\x64" + bytes(200), "MP3"),  # with checksums
        (b"\xff\xe3\x18\xc4" + bytes(200), "MP3"),  # MPEG 2.5
        (b"\xff\xf1\x50\x80" + bytes(200), "AAC"),
        (b"\xff\xfe<\0h\0" + bytes(200), "nothing known"),
        (b"OggS" + bytes(200), "Ogg"),
        (b"fLaC" + bytes(200), "FLAC"),
        (b"\0\0\0\x20ftypM4A " + bytes(200), "M4A"),
        (b"RF64\xff\xff\xff\xffWAVE" + bytes(200), "RF64"),
        (b"RIFF\x20\0\0\0AVI " + bytes(200), "AVI"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git lfs pull"),
        ("Grüß Gott, hier steht Text.".encode(), "looks like text"),
        (b"<!DOCTYPE html><title>404</title>", "web page"),
        (bytes(4_000), "00 00 00 00 00 00 00 00"),
        (b"RI", "cut short"),
        (b"RIFF\x40\0\0\0WAV", "cut short"),
        (plain()[:20], "cut short"),
        (plain()[:30], "header is cut short"),
        (plain()[:44], r"cut short: 0.00 of its 0.00 seconds are missing \(0 of 16 bytes"),
        (plain(bytes(64_000))[:-16_000], r"cut short: 0.50 of its 2.00 seconds are missing"),
        (plain(b""), "no samples"),
        (riff(form(1, 16), chunk(b"data", b""), chunk(b"LIST", bytes(100))), "no samples"),
        (riff(form(1, 16), chunk(b"data", b"\x01")), "no samples"),
        (riff(form(1, 16)), "no data chunk"),
        (riff(chunk(b"data", bytes(8)), form(1, 16)), "no data chunk after a fmt"),
        (riff(chunk(b"fmt ", bytes(8)), chunk(b"data", bytes(8))), "header is cut short or damaged"),
        (riff(form(0x55, 0), chunk(b"data", bytes(8))), "MP3"),
        (riff(form(2, 4), chunk(b"data", bytes(8))), "Microsoft ADPCM"),
        (riff(form(0x31, 0), chunk(b"data", bytes(8))), "GSM 6.10"),
        (riff(form(0xABCD, 16), chunk(b"data", bytes(8))), "unknown coding .format 0xabcd"),
        (riff(form(0xFFFE, 16, more=bytes(24)), chunk(b"data", bytes(8))), "unknown coding .format 0xfffe"),
        (riff(form(1, 64), chunk(b"data", bytes(8))), "PCM .format 0x0001, 64 bits"),
        (riff(form(3, 16), chunk(b"data", bytes(8))), "floating point"),
        (riff(form(1, 16).replace(b"\x02\0\x10\0", b"\x03\0\x10\0"), chunk(b"data", bytes(8))), "in 3 bytes"),
        (riff(form(1, 0), chunk(b"data", bytes(8))), "0 bits"),
        (riff(form(1, 16, channels=0), chunk(b"data", bytes(8))), "0 channels"),
        (riff(form(1, 16, rate=0), chunk(b"data", bytes(8))), "at 0 Hz"),
        (riff(form(1, 16, rate=3_999), chunk(b"data", bytes(8))), "at 3999 Hz"),
    ],
)
def test_what_cannot_be_used_is_named(read: Callable[[bytes], WavAudio], content: bytes, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        read(content)
    assert "caller.wav" in str(caught.value)


def test_a_path_that_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.wav: it is not there"):
        wav.read(tmp_path / "absent.wav")
    with pytest.raises(ConfigurationError, match="a directory"):
        wav.read(tmp_path)
    with pytest.raises(ConfigurationError, match="not there"):
        wav.read("with\0nul")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(ConfigurationError, match="not a file"):
        wav.read(str(tmp_path / "pipe.wav"))


@FUZZ
@given(
    content=st.one_of(
        st.binary(max_size=200), st.binary(max_size=200).map(lambda more: b"RIFF\0\0\0\0WAVE" + more)
    )
)
def test_any_bytes_are_a_sound_or_an_error(read: Callable[[bytes], WavAudio], content: bytes) -> None:
    try:
        assert read(content).pcm
    except ConfigurationError as error:
        assert "caller.wav" in str(error)


@FUZZ
@given(
    code=st.sampled_from([1, 3, 6, 7, 0xFFFE, 0x55, 9]),
    bits=st.sampled_from([0, 1, 8, 16, 24, 32, 64, 65_535]),
    channels=st.sampled_from([0, 1, 2, 7, 65_535]),
    data=st.binary(max_size=70),
    edits=st.lists(st.tuples(st.integers(0, 120), st.binary(min_size=1, max_size=4)), max_size=3),
    cut=st.integers(0, 60),
)
def test_a_damaged_wav_is_a_sound_or_an_error(
    read: Callable[[bytes], WavAudio],
    code: int,
    bits: int,
    channels: int,
    data: bytes,
    edits: list[tuple[int, bytes]],
    cut: int,
) -> None:
    block = min(channels * ((bits + 7) // 8), 65_535)
    body = (
        struct.pack("<HHIIHH", code, channels, 16_000, 0, block, bits)
        + struct.pack("<HHIH", 22, bits, 0, 1)
        + GUID
    )
    content = bytearray(riff(chunk(b"fmt ", body), chunk(b"data", data)))
    for at, edit in edits:
        content[at : at + len(edit)] = edit
    try:
        assert read(bytes(content[: len(content) - cut])).seconds > 0
    except ConfigurationError as error:
        assert "caller.wav" in str(error)


def test_a_sound_that_cannot_be_is_refused() -> None:
    for wrong in [
        (b"abc", 16_000, 1),
        (b"abcd", 16_000, 3),
        (b"", 16_000, 0),
        (b"", 0, 1),
        (b"", 400_000, 1),
    ]:
        with pytest.raises(UsageError):
            WavAudio(*wrong)
    with pytest.raises(UsageError, match="no channel 2"):
        WavAudio(bytes(8), 16_000, 2).channel(2)


# Writing ---------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    for sound in [WavAudio(SAMPLES.tobytes(), 44_100, 2), WavAudio(SAMPLES.tobytes(), 8_000)]:
        wav.write(tmp_path / "sound.wav", sound)
        assert wav.read(tmp_path / "sound.wav") == sound


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        wav.write(tmp_path / "absent" / "sound.wav", WavAudio(bytes(2), 8_000))
    with pytest.raises(ConfigurationError, match="cannot write"):
        CallWriter(tmp_path, 8_000)
    with pytest.raises(UsageError, match="0 Hz"):
        CallWriter(tmp_path / "call.wav", 0)


@settings(FUZZ, max_examples=100)
@given(
    writes=st.lists(
        st.tuples(st.booleans(), st.integers(0, 9_000), st.integers(0, 700), st.integers(-99, 99)),
        max_size=12,
    )
)
def test_a_call_is_what_its_sides_wrote_where_they_wrote_it(
    tmp_path: Path, writes: list[tuple[bool, int, int, int]]
) -> None:
    expected = np.zeros((10_000, 2), "<i2")
    length = 0
    path = tmp_path / "call.wav"
    with CallWriter(path, 4_000) as call:
        for right, at, count, value in writes:
            pcm = np.full(count, value, "<i2").tobytes()
            (call.right if right else call.left)(at, pcm)
            expected[at : at + count, int(right)] = value
            length = max(length, at + count if count else 0)
    if length:
        assert wav.read(path) == WavAudio(expected[:length].tobytes(), 4_000, 2)
    else:
        with pytest.raises(ConfigurationError, match="no samples"):
            wav.read(path)


def test_a_call_that_was_never_closed_can_be_played(tmp_path: Path) -> None:
    call = CallWriter(tmp_path / "call.wav", 8_000)
    for second in range(3):
        for part in range(50):
            call.left(second * 8_000 + part * 160, np.full(160, second + 1, "<i2").tobytes())
    call.right(24_000, bytes(100))
    content = (tmp_path / "call.wav").read_bytes()
    assert struct.unpack_from("<I", content, 40) == (4 * 24_000,)
    left = wav.read(tmp_path / "call.wav").channel(0)
    assert np.frombuffer(left, "<i2")[::8_000].tolist() == [1, 2, 3]
    call.close()
    call.close()
    assert wav.read(tmp_path / "call.wav").seconds == 3 + 50 / 8_000


def test_what_does_not_fit_a_call_is_refused(tmp_path: Path) -> None:
    call = CallWriter(tmp_path / "call.wav", 8_000)
    for at, pcm in [(-1, bytes(2)), (0, b"abc"), (1 << 30, bytes(2))]:
        with pytest.raises(UsageError, match="do not fit"):
            call.left(at, pcm)
    call.close()
    with pytest.raises(UsageError, match=r"call\.wav is closed"):
        call.right(0, bytes(2))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk at hand")
def test_a_full_disk_is_said_and_closes_the_call(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="No space left"):
        CallWriter("/dev/full", 8_000)
