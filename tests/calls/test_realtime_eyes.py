"""Calls in which a model that hears and speaks sees the user's camera, in virtual time."""

from typing import Any, Literal

import pytest

from antiphon import Agent
from antiphon.context import Context, Image
from antiphon.frames import SessionStarted, UserVideo
from antiphon.processor import Processor, on
from antiphon.services.realtime_vocabulary import SpeechBegan, SpeechOver, UserPicture
from antiphon.services.unanswered_inputs import UnansweredInputs
from antiphon.testing import LoudVAD, ScriptedEOT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.testing.scripted_realtime import ScriptedRealtime
from antiphon.transports.caller import Caller, CallerLine

av = pytest.importorskip("av")
WIDTH, HEIGHT = 1280, 720


class Camera(Processor):
    """Shows ten pictures a second, each brighter than the one before."""

    def __init__(self, changes: bool) -> None:
        self.changes = changes
        self.shown = 0

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.show()

    def show(self) -> None:
        self.shown += 1
        grey = 40 + self.shown if self.changes else 40
        pixels = bytes([grey]) * (WIDTH * HEIGHT) + bytes([128]) * (WIDTH * HEIGHT // 2)
        self.push(UserVideo(pixels, WIDTH, HEIGHT, self.session.now))
        self.after(0.1, self.show)


def seen(sees: Literal["nothing", "turns", "video"], detects: bool, changes: bool = True) -> list[Any]:
    model = ScriptedRealtime(["Yes.", "No."], ["one", "two"], sees=sees)
    turns: dict[str, Any] = (
        {"vad": None, "eot": None} if detects else {"vad": LoudVAD(), "eot": ScriptedEOT()}
    )
    lines = [CallerLine(loud(0.6), 1.5, "now"), CallerLine(loud(2.0), 0.7)]

    async def hold() -> HeldCall:
        pipeline = Agent("Be kind.", realtime=model, **turns).pipeline(Caller(lines, 16000))
        call = HeldCall([pipeline[0], Camera(changes), *pipeline[1:]])
        async with call:
            await call.session.wait()
        return call

    check(run_virtual(hold()))
    return [item for item in model.inputs if isinstance(item, UserPicture | SpeechBegan | SpeechOver)]


def kinds(items: list[Any]) -> str:
    return "".join({UserPicture: "p", SpeechBegan: "(", SpeechOver: ")"}[type(item)] for item in items)


def test_newest_picture_comes_with_each_turn() -> None:
    assert kinds(seen("turns", False))[:6] == "(p)(p)"
    assert kinds(seen("turns", True))[:2] == "pp"
    assert kinds(seen("turns", False, changes=False))[:5] == "(p)()", "not a second time"


def test_video_comes_while_the_model_hears() -> None:
    assert kinds(seen("video", False)).count("p") in range(3, 12)
    assert kinds(seen("nothing", False))[:4] == "()()"


def test_picture_is_a_jpeg_of_what_the_camera_showed() -> None:
    picture = next(item for item in seen("turns", False, changes=False) if isinstance(item, UserPicture))
    decoder = av.CodecContext.create("mjpeg", "r")
    (frame,) = [*decoder.decode(av.Packet(picture.image.data)), *decoder.decode(None)]
    assert (frame.width, frame.height) == (768, 432)
    grey = frame.to_ndarray()[:432]
    assert abs(int(grey.mean()) - round((40 - 16) * 255 / 219)) <= 2


def test_new_connection_is_shown_the_two_newest_pictures_which_do_not_wait_for_an_answer() -> None:
    unanswered = UnansweredInputs(Context(""), 32000, True)
    pictures = [UserPicture(Image(bytes([number]))) for number in range(30)]
    for picture in pictures:
        unanswered.add(picture)
    assert not unanswered
    assert unanswered.items() == pictures[-2:]
