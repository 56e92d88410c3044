"""What would not survive a fork is found."""

import asyncio
import socket
import threading

import pytest

from antiphon.server.workers.zygote import Traces, unsafe

pytestmark = pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="reads /proc")


def test_plain_objects_are_safe() -> None:
    traces = Traces()
    with open(__file__) as file:  # noqa: PTH123  a file may be shared
        assert file.readline()
        assert unsafe(traces) == []


def test_a_connection_is_not() -> None:
    traces = Traces()
    one, other = socket.socketpair()
    with one, other:
        assert unsafe(traces) == ["it has opened a connection"]
    assert unsafe(traces) == []


def test_an_event_loop_is_not_unless_it_is_closed() -> None:
    traces = Traces()
    loop = asyncio.new_event_loop()
    found = unsafe(traces)
    assert "it has opened an event loop" in found
    loop.close()
    assert unsafe(traces) == []


def test_a_thread_is_not() -> None:
    traces = Traces()
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="mine")
    thread.start()
    try:
        assert unsafe(traces) == ["it has started threads (mine)"]
        assert unsafe(Traces()) == [], "what was there before is not new"
    finally:
        done.set()
        thread.join()
