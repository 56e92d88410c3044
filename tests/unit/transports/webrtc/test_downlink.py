from itertools import pairwise

from antiphon.clock import LoopClock
from antiphon.testing import virtual
from antiphon.transports.webrtc.downlink import Downlink

RATE = 24000
SIZE = 960  # bytes, 20 ms
VOICE = b"\x10\x27" * 480


class Far:
    """What was sent, and when."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.sent: list[tuple[float, bytes | None]] = []
        self.speaking = Downlink(self.clock, RATE, self.say)

    def say(self, pcm: bytes | None) -> None:
        assert pcm is None or len(pcm) == SIZE
        self.sent.append((round(self.clock.now(), 6), pcm))


@virtual
async def test_silence_has_a_piece_every_20_ms() -> None:
    far = Far()
    await far.clock.sleep(1.0)
    far.speaking.stop()
    assert [pcm for _, pcm in far.sent] == [None] * 50
    gaps = {round(b - a, 6) for (a, _), (b, _) in pairwise(far.sent)}
    assert gaps == {0.02}
    await far.clock.sleep(1.0)
    assert len(far.sent) == 50


@virtual
async def test_a_voice_goes_out_when_it_comes_with_one_piece_held() -> None:
    far = Far()
    await far.clock.sleep(0.517)
    count = len(far.sent)
    far.speaking.add(VOICE + VOICE)
    assert far.sent[count:] == [(0.517, VOICE)]
    for number in range(1, 10):
        await far.clock.sleep(0.02)
        far.speaking.add(VOICE)
        assert far.sent[-1] == (round(0.517 + number * 0.02, 6), VOICE)
    assert len(far.sent) == count + 10
    await far.clock.sleep(1.0)
    assert [pcm for _, pcm in far.sent].count(VOICE) == 11
    assert far.sent[-1][1] is None


@virtual
async def test_pieces_keep_to_real_time_however_many_voices_come_and_go() -> None:
    far = Far()
    for _ in range(40):
        await far.clock.sleep(0.133)
        far.speaking.add(VOICE + VOICE)
    seconds = far.clock.now()
    assert abs(len(far.sent) * 0.02 - seconds) <= 0.045
    far.speaking.stop()


@virtual
async def test_a_voice_that_is_cut_off_fades_in_20_ms() -> None:
    far = Far()
    await far.clock.sleep(0.5)
    far.speaking.add(VOICE * 2)
    far.speaking.clear()
    count = len(far.sent)
    await far.clock.sleep(0.1)
    last = far.sent[count][1]
    assert last is not None
    assert last != VOICE
    assert last[-2:] == b"\0\0"
    assert [pcm for _, pcm in far.sent[count + 1 :]] == [None] * (len(far.sent) - count - 1)
    far.speaking.stop()


@virtual
async def test_what_is_no_whole_piece_is_made_one_with_silence() -> None:
    far = Far()
    await far.clock.sleep(0.5)
    far.speaking.add(VOICE[:100])
    await far.clock.sleep(0.1)
    assert [pcm for _, pcm in far.sent if pcm is not None] == [VOICE[:100].ljust(SIZE, b"\0")]
    far.speaking.stop()
