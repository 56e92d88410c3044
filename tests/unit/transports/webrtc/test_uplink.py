import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.errors import BadResponseError
from antiphon.transports.webrtc.uplink import Uplink

PACKET = 960  # RTP ticks of 20 ms
SAMPLES = 320


def sound(number: int) -> bytes:
    return struct.pack("<h", number) * SAMPLES


def decode(packet: bytes) -> bytes:
    """Packets are numbers in decimal; each is 20 ms of that number."""
    if packet == b"broken":
        raise BadResponseError("no packet")
    return sound(int(packet))


def listen() -> tuple[Uplink, list[bytes]]:
    heard: list[bytes] = []
    return Uplink(decode, lambda pcm, skipped: heard.append(pcm)), heard


def send(uplink: Uplink, *numbers: int, first: int = 0) -> None:
    for number in numbers:
        uplink.add((first + number) & 0xFFFF, number * PACKET & 0xFFFFFFFF, b"%d" % number)


def test_packets_in_order_are_heard_at_once() -> None:
    uplink, heard = listen()
    for number in range(5):
        send(uplink, number)
        assert heard[-1] == sound(number)
    assert len(heard) == 5


def test_two_that_changed_places_are_put_right() -> None:
    uplink, heard = listen()
    send(uplink, 0, 2, 1, 3)
    assert heard == [sound(0), sound(1), sound(2), sound(3)]


def test_one_that_comes_twice_is_heard_once() -> None:
    uplink, heard = listen()
    send(uplink, 0, 1, 1, 0, 2)
    assert heard == [sound(0), sound(1), sound(2)]


def test_a_lost_one_is_given_up_after_two_more_and_its_place_filled() -> None:
    uplink, heard = listen()
    send(uplink, 100, 102, 103)
    assert heard == [sound(100)]
    send(uplink, 104)
    assert uplink.lost == 1
    everything = b"".join(heard)
    assert len(everything) == 5 * SAMPLES * 2
    assert everything[-3 * SAMPLES * 2 :] == sound(102) + sound(103) + sound(104)
    echo = struct.unpack(f"<{SAMPLES}h", everything[SAMPLES * 2 : 2 * SAMPLES * 2])
    assert 90 <= echo[0] <= 100
    assert echo[-1] == 0
    assert sorted(echo, reverse=True) == list(echo)
    send(uplink, 101)
    assert b"".join(heard) == everything


def test_sequence_numbers_and_timestamps_wrap() -> None:
    uplink, heard = listen()
    for at in range(-5, 5):
        uplink.add(at & 0xFFFF, at * PACKET & 0xFFFFFFFF, b"%d" % at)
    assert heard == [sound(at) for at in range(-5, 5)]


def test_a_pause_of_the_sender_is_silence_if_short_and_time_if_long() -> None:
    uplink, heard = listen()
    uplink.add(0, 0, b"7")
    uplink.add(1, 5 * PACKET, b"8")
    assert len(b"".join(heard)) == 6 * SAMPLES * 2
    uplink.add(2, 5 * PACKET + 48000 * 60, b"9")
    assert heard[-1] == sound(9)


def test_a_packet_that_is_none_is_counted_and_filled() -> None:
    uplink, heard = listen()
    send(uplink, 0)
    uplink.add(1, PACKET, b"broken")
    uplink.add(2, 2 * PACKET, b"")
    send(uplink, 3)
    assert uplink.lost == 1
    assert len(b"".join(heard)) == 4 * SAMPLES * 2


def test_a_new_stream_begins_anew() -> None:
    uplink, heard = listen()
    send(uplink, 0, 1)
    send(uplink, 0, 1, 2, first=30000)
    assert heard[2:] == [sound(0), sound(1), sound(2)]
    send(uplink, 0, 1, first=20000)
    assert heard[5:] == [sound(0), sound(1)]


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.sampled_from([b"1", b"", b"broken"]))
    )
)
def test_whatever_comes_is_survived(packets: list[tuple[int, int, bytes]]) -> None:
    uplink, heard = listen()
    for packet in packets:
        uplink.add(*packet)
    assert len(b"".join(heard)) <= len(packets) * (SAMPLES + 4800) * 2


@pytest.mark.parametrize("lost", [{3}, {3, 4}, {3, 4, 5, 6}, {2, 5, 9}])
def test_however_many_are_lost_time_is_kept(lost: set[int]) -> None:
    uplink, heard = listen()
    send(uplink, *(number for number in range(20) if number not in lost))
    assert len(b"".join(heard)) == 20 * SAMPLES * 2
