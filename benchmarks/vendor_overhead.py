"""What do the drivers cost beside the bare clients, for the same reply of the same vendor?

    python -m benchmarks.vendor_overhead

A loopback server in a process of its own speaks Cartesia's, Anthropic's and Deepgram's protocols. The bare
client sends the same requests and decodes the same answers with the websocket and the HTTP library alone.
Both take turns, reply by reply; the figures are CPU time of this process, medians. Targets: at most 1 ms more
for a reply, and at most 2 % more of a core while its speech lasts. The recogniser gets 10 s of speech as fast
as it takes them.
"""

import asyncio
import base64
import json
import multiprocessing
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from multiprocessing.connection import Connection

import httpx
from websockets.asyncio.client import connect

from antiphon.context import Context, UserSaid
from antiphon.services.ports import AudioChunk, Flush, Recognized
from antiphon.testing.loopback import KEY
from antiphon.testing.loopback.anthropic import AnthropicMessages
from antiphon.testing.loopback.cartesia import CartesiaSonic
from antiphon.testing.loopback.deepgram import DeepgramListen
from antiphon.vendors.anthropic import LLM
from antiphon.vendors.cartesia.tts import TTS
from antiphon.vendors.deepgram.stt import STT

PIECES = ("Certainly, I can look that up for you.", "The shop is open from nine to five on weekdays.")
CONTEXT = Context("Be brief.", (UserSaid("Hello?"),))
REPLIES = 150
TARGET = 1.0  # ms of CPU for a reply
SHARE = 2.0  # per cent of a core
HEARD = 10.0  # seconds of speech that a recogniser gets
CHUNK = b"\x00\x40" * 800  # 50 ms


def serve(told: Connection) -> None:
    """Serve both vendors, in a process of its own."""

    async def run() -> None:
        async with CartesiaSonic() as voice, AnthropicMessages() as model, DeepgramListen() as ears:
            told.send((voice.url, model.url, ears.url))
            await asyncio.get_running_loop().create_future()

    asyncio.run(run())


async def compare(
    name: str,
    bare: Callable[[], Awaitable[int]],
    ours: Callable[[], Awaitable[int]],
    *,
    seconds: float = 0.0,
    is_reply: bool = True,
) -> None:
    """Print the CPU time of a reply by both, which must get the same amount of data.

    `seconds`: how long the speech lasts that is made or heard. With `is_reply=False` it is not a reply.
    """
    costs: dict[str, list[float]] = {"bare": [], "ours": []}
    for _ in range(REPLIES):
        sizes = set[int]()
        for which, reply in (("bare", bare), ("ours", ours)):
            began = time.process_time()
            sizes.add(await reply())
            costs[which].append((time.process_time() - began) * 1e3)
        assert len(sizes) == 1, f"{name}: different answers, {sizes}"
    bare_ms, ours_ms = (statistics.median(costs[which][10:]) for which in ("bare", "ours"))
    more = ours_ms - bare_ms
    share = f"{more / seconds / 10:+.3f} % of a core (target {SHARE:g} %)" if seconds else ""
    target = f" (target {TARGET:g} ms)" if is_reply else ""
    print(f"{name:36} bare {bare_ms:6.2f} ms   ours {ours_ms:6.2f} ms   {more:+.2f} ms{target}   {share}")


async def main(voice_url: str, model_url: str, ears_url: str) -> None:
    """Compare a voice and a recogniser over websockets, and a language model over HTTP."""
    await compare_recognisers(ears_url)
    service = TTS(key=KEY, base_url=voice_url)
    socket = await connect(f"{voice_url}/tts/websocket?cartesia_version=2026-03-01",
                           additional_headers={"X-API-Key": KEY}, compression=None)  # fmt: skip
    contexts = 0

    async def bare_voice() -> int:
        nonlocal contexts
        contexts += 1
        form = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000}
        voice = {"mode": "id", "id": "x"}
        asked = {
            "model_id": "sonic-3",
            "voice": voice,
            "output_format": form,
            "context_id": f"bare-{contexts}",
        }
        for piece in PIECES:
            await socket.send(json.dumps(asked | {"transcript": piece + " ", "continue": True}))
        await socket.send(json.dumps(asked | {"transcript": "", "continue": False}))
        size = 0
        while (told := json.loads(await socket.recv()))["type"] != "done":
            if told["type"] == "chunk":
                size += len(base64.b64decode(told["data"]))
        return size

    async def our_voice() -> int:
        async def text() -> AsyncIterator[str]:
            for piece in PIECES:
                yield piece

        return sum([len(item.pcm) async for item in service.speak(text()) if hasattr(item, "pcm")])

    await compare("a voice over a websocket, 4 s", bare_voice, our_voice, seconds=4.0)
    await socket.close()
    await service.close()

    model = LLM(key=KEY, base_url=model_url)
    async with httpx.AsyncClient() as client:

        async def bare_model() -> int:
            said = ""
            headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
            turn = {"role": "user", "content": [{"type": "text", "text": "Hello?"}]}
            body = {"model": "claude", "max_tokens": 1024, "stream": True, "messages": [turn]}
            url = f"{model_url}/v1/messages"
            async with client.stream("POST", url, json=body, headers=headers) as answer:
                async for line in answer.aiter_lines():
                    if line.startswith("data: "):
                        said += json.loads(line[6:]).get("delta", {}).get("text", "")
            return len(said)

        async def our_model() -> int:
            return sum([len(getattr(item, "text", "")) async for item in model.generate(CONTEXT)])

        await compare("a language model over HTTP", bare_model, our_model)
    await model.close()


async def compare_recognisers(url: str) -> None:
    """Compare recognisers over a websocket, one connection for each utterance."""
    service = STT(key=KEY, base_url=url)
    query = "model=nova-3&encoding=linear16&sample_rate=16000"
    chunks = round(HEARD / 0.05)

    async def bare() -> int:
        headers = {"Authorization": f"Token {KEY}"}
        async with connect(
            f"{url}/v1/listen?{query}", additional_headers=headers, compression=None
        ) as socket:
            for _ in range(chunks):
                await socket.send(CHUNK)
            await socket.send(json.dumps({"type": "Finalize"}))
            while not (told := json.loads(await socket.recv())).get("from_finalize"):
                pass
            return len(told["channel"]["alternatives"][0]["transcript"])

    async def ours() -> int:
        answered = asyncio.Event()

        async def audio() -> AsyncIterator[AudioChunk | Flush]:
            for _ in range(chunks):
                yield AudioChunk(CHUNK)
            yield Flush(True, HEARD)
            await answered.wait()

        async with aclosing(service.transcribe(audio())) as heard:
            async for item in heard:
                if isinstance(item, Recognized) and item.final:
                    return len(item.text)
        return 0

    await compare("a recogniser over a websocket, 10 s", bare, ours, seconds=HEARD, is_reply=False)
    await service.close()


if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    asyncio.run(main(*here.recv()))
    server.terminate()
