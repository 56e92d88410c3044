"""What becomes of connections when a vendor stalls, a text fails, or a service is closed at a bad moment."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.errors import RateLimitError, ServiceTimeoutError, UnavailableError
from antiphon.services import websocket_client
from antiphon.services.http_client import HttpRequest
from antiphon.services.http_tts import HttpTTS
from antiphon.services.keys import VendorKey
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech
from antiphon.services.recognition_codec import (
    Flushed,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
    Tentative,
)
from antiphon.services.socket_stt import SocketSTT
from antiphon.services.websocket_client import Handshake, Message
from antiphon.testing import run_virtual
from antiphon.testing.loopback import KEY, Fault, VendorServer
from antiphon.testing.loopback.cartesia import CartesiaSonic
from antiphon.testing.loopback.deepgram import DeepgramSpeak
from antiphon.testing.loopback.http import HttpAnswer, HttpVendorServer, VendorRequest
from antiphon.testing.loopback.server import Connection
from antiphon.vendors.cartesia import tts as sonic
from antiphon.vendors.deepgram import tts as aura

sleep = LoopClock().sleep


async def pieces(*texts: str, error: Exception | None = None, endless: bool = False) -> AsyncIterator[str]:
    for text in texts:
        yield text
    if error is not None:
        raise error
    if endless:
        await asyncio.get_running_loop().create_future()


async def seconds(service: Any, text: AsyncIterator[str]) -> float:
    """The seconds of audio of a reply."""
    size = sum([len(item.pcm) async for item in service.speak(text) if isinstance(item, Speech)])
    return size / 2 / service.sample_rate


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0)


# Voices over websockets ------------------------------------------------------------------------------


class StalledOnce(CartesiaSonic):
    """Its first connection answers nothing, or is not even read."""

    def __init__(self, *, reads: bool = True) -> None:
        super().__init__()
        self.reads = reads
        self.gone = asyncio.Event()

    async def talk(self, connection: Connection) -> None:
        if self.connections > 1:
            await super().talk(connection)
        elif self.reads:
            async for _ in connection:
                pass
        else:
            await self.gone.wait()


def test_no_reply_is_given_to_a_connection_that_went_silent() -> None:
    async def run() -> None:
        async with StalledOnce() as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            service.silent_for = 0.1
            with pytest.raises(ServiceTimeoutError):
                await seconds(service, pieces("Good morning."))
            assert await seconds(service, pieces("Good morning.")) == pytest.approx(0.65)
            await service.close()

    asyncio.run(run())


def test_a_connection_that_is_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_client, "SENT_WITHIN", 0.1)

    async def run() -> None:
        async with StalledOnce(reads=False) as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            with pytest.raises(ServiceTimeoutError, match="stopped reading"):
                await seconds(service, pieces(*["x" * 500_000] * 40))
            assert await seconds(service, pieces("Good morning.")) == pytest.approx(0.65)
            vendor.gone.set()
            await service.close()

    asyncio.run(run())


def test_a_text_that_fails_stops_the_vendor_and_is_not_heard_in_the_next_reply() -> None:
    async def run() -> None:
        async with DeepgramSpeak() as vendor:
            service = aura.TTS(key=KEY, base_url=vendor.url)
            with pytest.raises(ValueError, match="no more text"):
                await seconds(service, pieces("This is a long text.", error=ValueError("no more text")))
            assert await seconds(service, pieces("Good morning.")) == pytest.approx(0.65)
            await service.close()
            assert vendor.cancelled == 1

    asyncio.run(run())


@pytest.mark.parametrize("texts", [(), ("Good morning.",)])
def test_a_reply_in_a_service_that_is_closed_fails_and_leaves_no_connection(texts: tuple[str, ...]) -> None:
    async def run() -> None:
        async with CartesiaSonic() as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            speaking = asyncio.create_task(seconds(service, pieces(*texts, endless=True)))
            await until(lambda: vendor.open == 1)
            for _ in range(20):
                await asyncio.sleep(0)
            await service.close()
            with pytest.raises(UnavailableError):
                await speaking
            await until(lambda: vendor.open == 0)

    asyncio.run(run())


def test_a_service_that_was_closed_before_it_connected_speaks_in_another_event_loop() -> None:
    made: list[sonic.TTS] = []

    async def close_at_once() -> None:
        async with CartesiaSonic() as vendor:
            made.append(sonic.TTS(key=KEY, base_url=vendor.url))
            await made[0].open()
            await made[0].close()

    async def speak() -> None:
        with pytest.raises(UnavailableError):  # there is no server any more
            await seconds(made[0], pieces("Good morning."))
        await made[0].close()

    asyncio.run(close_at_once())
    asyncio.run(speak())


def test_more_replies_than_a_connection_may_flush_are_spoken_over_several() -> None:
    async def run() -> None:
        async with DeepgramSpeak() as vendor:
            service = aura.TTS(key=KEY, base_url=vendor.url)
            for _ in range(40):
                assert await seconds(service, pieces("Yes.")) == pytest.approx(0.2)
            await service.close()
            assert vendor.connections == 3

    asyncio.run(run())


# Recognisers over websockets -------------------------------------------------------------------------


class Numbers(VendorServer):
    """Hears the number that fills a message, and tells all of them.

    `cut` holds a number for each connection that is cut when it is heard.
    """

    def __init__(self, *cut: int, tells_interim: bool = True) -> None:
        super().__init__()
        self.cut = cut
        self.tells_interim = tells_interim

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        pass

    async def talk(self, connection: Connection) -> None:
        heard, cut = list[str](), self.cut[self.connections - 1 : self.connections]
        async for message in connection:
            if isinstance(message, bytes):
                number = int.from_bytes(message[:2], "little")
                if number:
                    heard.append(str(number))
                if number in cut:
                    return
                if heard and self.tells_interim:
                    await connection.send({"interim": " ".join(heard)})
            else:
                await connection.send({"final": " ".join(heard)})
                heard = []


class NumbersCodec(RecognitionCodec):
    def flush(self) -> Iterable[Message]:
        return ("flush",)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        match json.loads(message):
            case {"final": text}:
                yield Settled(text)
                yield Flushed()
            case {"interim": text}:
                yield Tentative(text)
            case _:
                pass


class SilentNumbersCodec(NumbersCodec):
    tells_interim = False


class ShortNumbersCodec(SilentNumbersCodec):
    lasts = 0.1


class ShortInterimCodec(NumbersCodec):
    lasts = 0.1


class NumbersSTT(SocketSTT):
    def __init__(self, url: str, codec: Callable[[], RecognitionCodec]) -> None:
        super().__init__("numbers", VendorKey("numbers", None))
        self.url = url
        self.codec = codec

    async def handshake(self) -> Handshake:
        return Handshake(self.url)


async def heard(service: SocketSTT, count: int, every: float = 0.0) -> str:
    """What is heard of as many numbers, each said once the one before has arrived."""
    answered = asyncio.Event()

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for number in range(1, count + 1):
            yield AudioChunk(number.to_bytes(2, "little") * 800)
            for _ in range(20):
                await asyncio.sleep(0)
            await sleep(every)
        yield Flush(True)
        await answered.wait()

    words = ""
    async for item in service.transcribe(audio()):
        if isinstance(item, Recognized) and item.final:
            words = item.text
            answered.set()
    return words


def numbers(count: int) -> str:
    return " ".join(map(str, range(1, count + 1)))


def test_a_connection_that_is_lost_soon_is_replaced_and_no_word_is_lost_or_doubled() -> None:
    async def run() -> None:
        async with Numbers(3) as vendor:
            assert await heard(NumbersSTT(vendor.url, NumbersCodec), 6) == numbers(6)
            assert vendor.connections == 2

    asyncio.run(run())


def test_a_connection_that_is_lost_twice_within_a_moment_is_a_failure() -> None:
    async def run() -> None:
        async with Numbers(3, 5) as vendor:
            with pytest.raises(UnavailableError):
                await heard(NumbersSTT(vendor.url, NumbersCodec), 6)
            assert vendor.connections == 2

    asyncio.run(run())


def test_a_vendor_without_interim_words_hears_the_whole_utterance_again() -> None:
    async def run() -> None:
        async with Numbers(38, tells_interim=False) as vendor:
            assert await heard(NumbersSTT(vendor.url, SilentNumbersCodec), 40) == numbers(40)

    asyncio.run(run())


def test_a_connection_that_is_renewed_unheard_loses_no_words() -> None:
    async def run() -> None:
        async with Numbers(tells_interim=False) as vendor:
            assert await heard(NumbersSTT(vendor.url, ShortNumbersCodec), 200, 0.002) == numbers(200)
            assert vendor.connections > 1

    asyncio.run(run())


class UnrenewedSTT(NumbersSTT):
    """Finds nobody at the address of every connection but the first."""

    async def handshake(self) -> Handshake:
        first, self.url = self.url, "ws://127.0.0.1:9"
        return Handshake(first)


def test_a_renewal_that_fails_leaves_the_connection_as_it_is() -> None:
    async def run() -> None:
        async with Numbers() as vendor:
            service = UnrenewedSTT(vendor.url, ShortInterimCodec)
            assert await heard(service, 200, 0.002) == numbers(200)
            assert service.url != vendor.url, "no renewal was tried"
            assert vendor.connections == 1

    asyncio.run(run())


class Slow(Numbers):
    """Answers its first flush only after the next one."""

    async def talk(self, connection: Connection) -> None:
        heard, owed = list[str](), list[str]()
        is_first = self.connections == 1
        async for message in connection:
            if isinstance(message, bytes):
                if number := int.from_bytes(message[:2], "little"):
                    heard.append(str(number))
                    await connection.send({"interim": " ".join(heard)})
                continue
            owed.append(" ".join(heard))
            heard = []
            if not is_first or len(owed) > 1:
                for words in owed:
                    await connection.send({"final": words})
                owed = []


class ImpatientCodec(NumbersCodec):
    flush_answered_within = 0.1


async def finals(service: SocketSTT, *stretches: range) -> list[str]:
    """What is answered to each stretch of numbers, which begins once the one before has been answered."""
    answered = asyncio.Event()

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for stretch in stretches:
            answered.clear()
            for number in stretch:
                yield AudioChunk(number.to_bytes(2, "little") * 800)
                for _ in range(20):
                    await asyncio.sleep(0)
            yield Flush(True, 2.0)
            await answered.wait()

    told: list[str] = []
    async for item in service.transcribe(audio()):
        if isinstance(item, Recognized) and item.final:
            told.append(item.text)
            answered.set()
    return told


def test_an_answer_that_comes_too_late_is_not_that_to_the_next_question() -> None:
    async def run() -> None:
        async with Slow() as vendor:
            told = await finals(NumbersSTT(vendor.url, ImpatientCodec), range(1, 4), range(4, 7))
            assert told == ["1 2 3", "4 5 6"]
            assert vendor.connections == 2

    asyncio.run(run())


class Deaf(Numbers):
    """Says something now and then, but tells no words and answers no flush."""

    async def talk(self, connection: Connection) -> None:
        async for _ in connection:
            await connection.send({"alive": True})


def test_a_vendor_that_talks_and_answers_nothing_has_stalled() -> None:
    async def run() -> None:
        async with Deaf() as vendor:
            with pytest.raises(ServiceTimeoutError):
                await finals(NumbersSTT(vendor.url, ImpatientCodec), range(1, 4))

    asyncio.run(run())


class UnsureCodec(ImpatientCodec):
    always_answers = False


def test_a_vendor_that_may_be_silent_about_a_noise_has_not_stalled() -> None:
    async def run() -> None:
        async with Deaf() as vendor:
            assert await finals(NumbersSTT(vendor.url, UnsureCodec), range(1, 4)) == [""]
            assert vendor.connections == 1

    asyncio.run(run())


class LateOnce(Numbers):
    """Does not answer the first flush, and tells the words of the utterance until then."""

    async def talk(self, connection: Connection) -> None:
        if self.connections > 1:
            await super().talk(connection)
            return
        async for message in connection:
            if isinstance(message, bytes):
                await connection.send({"interim": "1 2 3"})


def test_what_another_connection_hears_is_no_late_answer() -> None:
    async def run() -> None:
        async with LateOnce() as vendor:
            answers = await finals(NumbersSTT(vendor.url, ImpatientCodec), range(1, 4), range(1, 4))
            assert answers == ["1 2 3", "1 2 3"]
            assert vendor.connections == 2

    asyncio.run(run())


class MuteCodec(NumbersCodec):
    mute_after = 0.1


class Mute(Numbers):
    """Says nothing after its first word, or from the beginning; with `mute` 1, a second connection speaks."""

    mute = 2
    begins = False

    async def talk(self, connection: Connection) -> None:
        if self.connections > self.mute:
            await super().talk(connection)
            return
        async for _ in connection:
            if self.begins:
                await connection.send({"interim": "1"})
                self.begins = False


async def numbered(seconds: float) -> AsyncIterator[AudioChunk | Flush]:
    """Audio for so many seconds, and a flush."""
    ends = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < ends:
        yield AudioChunk(b"\1\0" * 800)
        await sleep(0.01)
    yield Flush(True, spoken=2.0)


def test_a_vendor_that_stops_talking_is_noticed_while_the_user_speaks() -> None:
    async def run() -> None:
        async with Mute() as vendor:
            vendor.begins = True
            with pytest.raises(ServiceTimeoutError, match="says nothing"):
                async for _ in NumbersSTT(vendor.url, MuteCodec).transcribe(numbered(5.0)):
                    pass
            assert vendor.connections == 1

    asyncio.run(run())


def test_a_connection_that_says_nothing_from_the_beginning_is_replaced_once() -> None:
    async def run() -> None:
        async with Mute() as vendor:
            vendor.mute = 1
            heard = [one async for one in NumbersSTT(vendor.url, MuteCodec).transcribe(numbered(0.4))]
            assert any(one.text for one in heard if isinstance(one, Recognized))
            assert vendor.connections == 2

    asyncio.run(run())


def test_a_vendor_that_is_quiet_in_silence_is_not_left() -> None:
    async def run() -> None:
        async def silence() -> AsyncIterator[AudioChunk | Flush]:
            async for item in numbered(0.5):
                if isinstance(item, AudioChunk):
                    yield item

        async with Mute() as vendor:
            heard = [one async for one in NumbersSTT(vendor.url, MuteCodec).transcribe(silence())]
            assert heard == []
            assert vendor.connections == 2

    asyncio.run(run())

    asyncio.run(run())


class UnhurriedCodec(NumbersCodec):
    hears_faster = False


def test_a_vendor_that_hears_no_faster_does_not_answer_for_what_it_has_missed() -> None:
    async def run() -> None:
        async def audio() -> AsyncIterator[AudioChunk | Flush]:
            yield AudioChunk(b"\1\0" * 32000)
            yield AudioChunk(b"\2\0" * 800)
            yield Flush(True)

        async with Numbers() as vendor:
            with pytest.raises(UnavailableError, match="cannot hear an utterance again"):
                async for _ in NumbersSTT(vendor.url, UnhurriedCodec).transcribe(audio()):
                    pass

    asyncio.run(run())


# Voices over HTTP ------------------------------------------------------------------------------------


class Beeps(HttpVendorServer):
    """Speaks any text as 0.1 s of sound."""

    busy = 0
    most = 0

    def check(self, request: VendorRequest) -> None:
        pass

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        await answer.begin("audio/pcm")
        for _ in range(10):
            await answer.send(bytes(480))
            for _ in range(5):
                await asyncio.sleep(0)
        self.busy -= 1


class Beeping(HttpTTS):
    def __init__(self, url: str) -> None:
        super().__init__("beeps", VendorKey("beeps", None))
        self.url = url

    def request(self, text: str) -> HttpRequest:
        return HttpRequest(self.url, {"text": text})


def test_a_text_that_fails_ends_a_reply_over_http() -> None:
    async def run() -> None:
        async with Beeps() as vendor:
            service = Beeping(vendor.url)
            with pytest.raises(ValueError, match="no more text"):
                async with asyncio.timeout(10):
                    await seconds(service, pieces("Good morning.", error=ValueError("no more text")))
            await service.close()

    asyncio.run(run())


def test_two_pieces_are_asked_for_at_once() -> None:
    async def run() -> None:
        async with Beeps() as vendor:
            service = Beeping(vendor.url)
            assert await seconds(service, pieces(*["Good morning."] * 8)) == pytest.approx(0.8)
            assert vendor.most == 2
            await service.close()

    asyncio.run(run())


# Many replies at once --------------------------------------------------------------------------------


def test_replies_that_wait_for_a_connection_share_those_that_are_dialled() -> None:
    async def run() -> None:
        async with CartesiaSonic() as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            replies = [asyncio.create_task(seconds(service, pieces("Good morning."))) for _ in range(100)]
            assert {round(one, 3) for one in await asyncio.gather(*replies)} == {0.65}
            assert vendor.connections <= 10, "ten utterances fit on a connection"
            await service.close()

    asyncio.run(run())


class SlowToConnect(CartesiaSonic):
    """Answers the first handshake only when it is too late."""

    async def _answer(self, connection: Any, request: Any) -> Any:
        answer = await super()._answer(connection, request)
        if self.connections == 1:
            await sleep(10.0)
        return answer


def test_another_connection_is_dialled_beside_one_that_hangs() -> None:
    async def run() -> None:
        async with SlowToConnect() as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            begun = asyncio.get_running_loop().time()
            assert await seconds(service, pieces("Good morning.")) == pytest.approx(0.65)
            assert asyncio.get_running_loop().time() - begun < 1.5
            await service.close()

    run_virtual(run())


def test_a_refused_connection_fails_only_the_replies_that_needed_it() -> None:
    async def run() -> None:
        async with DeepgramSpeak(Fault.LIMITED, faulty=1) as vendor:
            service = aura.TTS(key=KEY, base_url=vendor.url)
            replies = [seconds(service, pieces("Good morning.")) for _ in range(3)]
            found = await asyncio.gather(*replies, return_exceptions=True)
            assert sorted(isinstance(one, RateLimitError) for one in found) == [False, False, True]
            await service.close()

    asyncio.run(run())


def test_a_voice_takes_text_no_faster_than_its_audio_is_read() -> None:
    taken = 0

    async def endless() -> AsyncIterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "This is a sentence of about three seconds, and it is followed by others."

    async def run() -> None:
        async with CartesiaSonic() as vendor:
            service = sonic.TTS(key=KEY, base_url=vendor.url)
            speaking = service.speak(endless())
            async for item in speaking:
                if isinstance(item, Speech):
                    break
            await sleep(0.5)  # nobody reads
            assert taken < 10
            await speaking.aclose()
            await service.close()
            await until(lambda: vendor.open == 0)

    run_virtual(run())
