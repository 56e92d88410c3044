"""The queues that stand in for aiortc's, before and after its video decoder."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiortc
import pytest

from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError
from antiphon.testing import virtual
from antiphon.transports.webrtc.aiortc import RtpReceiver, replace_jitter_buffer
from antiphon.transports.webrtc.aiortc_pictures import (
    MOST_DECODED,
    MOST_ENCODED,
    BoundedDecoderQueue,
    PictureQueue,
    bound_video,
)


class Transport:
    """As much of a DTLS transport as a receiver wants when it is made."""

    state = "new"


def receiver() -> Any:
    made: Any = aiortc.RTCRtpReceiver("video", Transport())  # type: ignore[arg-type]
    made._track = aiortc.rtcrtpreceiver.RemoteStreamTrack("video")
    return made


@virtual
async def test_a_stalled_loop_gets_the_newest_pictures() -> None:
    seen: list[Any] = []
    queue = PictureQueue(asyncio.get_running_loop(), seen.append, MOST_DECODED)
    loop = asyncio.get_running_loop()

    def decode() -> None:  # as aiortc's thread does it
        for number in range(20):
            asyncio.run_coroutine_threadsafe(queue.put(number), loop)  # type: ignore[arg-type]
        asyncio.run_coroutine_threadsafe(queue.put(None), loop)

    with ThreadPoolExecutor(1) as decoder:
        decoder.submit(decode).result(5)  # the loop is held meanwhile
    await LoopClock().sleep(0.01)
    assert seen == [18, 19]
    assert queue.dropped == 18


def test_a_decoder_that_is_too_slow_skips_to_a_keyframe() -> None:
    asked: list[None] = []
    queue = BoundedDecoderQueue(lambda: asked.append(None))
    for number in range(MOST_ENCODED):
        queue.put(number)
    assert (asked, queue.dropped) == ([], 0)
    queue.put(MOST_ENCODED)
    assert queue.get() == MOST_ENCODED, "pictures between two keyframes depend on each other: all went"
    assert (len(asked), queue.dropped, queue.qsize()) == (1, MOST_ENCODED, 0)


def test_the_end_of_a_track_is_never_dropped() -> None:
    queue = BoundedDecoderQueue(lambda: None)
    for number in range(MOST_ENCODED):
        queue.put(number)
    queue.put(None)
    assert [queue.get() for _ in range(MOST_ENCODED + 1)][-1] is None


@virtual
async def test_a_receiver_of_aiortcs_uses_both() -> None:
    """Its decoder thread takes them when it starts, so their names must be those of this version."""
    seen: list[Any] = []
    video = receiver()
    decoded = bound_video(video, seen.append)
    encoded: Any = video._RTCRtpReceiver__decoder_queue
    assert isinstance(encoded, BoundedDecoderQueue)
    assert video.track._queue is decoded
    for number in range(MOST_ENCODED + 1):
        encoded.put(number)
    assert video._RTCRtpReceiver__decoder_error.is_set(), "aiortc asks for a keyframe"
    ended: Coroutine[Any, Any, None] = decoded.put(None)
    await ended


def test_another_aiortc_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="differs internally"):
        replace_jitter_buffer(object(), RtpReceiver(lambda pcm: None))  # type: ignore[arg-type]
