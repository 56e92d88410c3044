"""`antiphon services compare`: services side by side, with what fails, in an order that is fair."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from antiphon.audio.wav import WavAudio, read, write
from antiphon.cli.services import app
from antiphon.cli.services.comparison import compare_services
from antiphon.cli.services.conversation_row import ConversationRow
from antiphon.cli.services.recordings import Recording
from antiphon.cli.services.rows import AnswerRow, HearingRow, VoiceRow, listen_to_voices
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import AuthenticationError, ConfigurationError, UnavailableError
from antiphon.frames import ToolCall
from antiphon.services.ports import AudioChunk, Flush, Recognized, TextDelta, TokenUsage
from antiphon.testing import ScriptedLLM, ScriptedRealtime, ScriptedSTT, ScriptedTTS, loud, virtual
from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.deepgram import DeepgramListen
from antiphon.vendors.deepgram.stt import Nova

from .conftest import Services

Make = Callable[..., Recording]


def compare(*line: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["compare", *line])


def quiet(doing: str) -> None:
    pass


class Timed(ScriptedSTT):
    """Notes when it is used."""

    def __init__(self, texts: list[str | Exception]) -> None:
        super().__init__(texts)
        self.used: list[tuple[float, float]] = []

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        clock = LoopClock()
        begun = clock.now()
        try:
            async for heard in super().transcribe(audio):
                yield heard
        finally:
            self.used.append((begun, clock.now()))


@virtual
async def test_vendors_hear_together_and_what_runs_here_hears_alone(
    services: Services, recording: Make
) -> None:
    used = {name: Timed(["one", "two"]) for name in ("deepgram", "soniox", "local", "piper")}
    services(used)
    rows = [HearingRow(name) for name in used]
    await compare_services(rows, [recording(1.0, 0.5, name="a"), recording(1.0, 0.5, name="b")], quiet)
    assert [row.done for row in rows] == [2, 2, 2, 2]
    assert used["deepgram"].used == used["soniox"].used
    begun = [used[name].used[0][0] for name in ("deepgram", "local", "piper")]
    ended = [used[name].used[1][1] for name in ("deepgram", "local", "piper")]
    assert ended[0] <= begun[1]
    assert ended[1] <= begun[2]


@virtual
async def test_errors_and_latency_of_all_recordings_are_counted(services: Services, recording: Make) -> None:
    services({"soniox": ScriptedSTT(["good day", "", "a red bike"], delay=0.4)})
    row = HearingRow("soniox")
    works = [
        recording(1.0, 0.5, 1.0, text="Good day to you.", name="a"),
        recording(1.0, 0.5, text="A red bike!", name="b"),
    ]
    await compare_services([row], works, quiet)
    assert row.shown() == ("soniox", "28.6%", "2", "0", "0", "440", "440", "1440", "-", "")
    assert row.told()["recordings"]["b"]["heard"] == "a red bike"


@virtual
async def test_a_vendor_that_fails_says_why_and_the_others_go_on(services: Services, recording: Make) -> None:
    services(
        {
            "deepgram": ConfigurationError("deepgram needs a key"),
            "soniox": ScriptedSTT([AuthenticationError("refused"), "never asked"]),
            "gladia": ScriptedSTT(["one", UnavailableError("down for a moment"), "three"]),
            "speechmatics": ScriptedSTT(["one", "two", "three"]),
        }
    )
    rows = {name: HearingRow(name) for name in ("deepgram", "soniox", "gladia", "speechmatics")}
    await compare_services(list(rows.values()), [recording(1.0, 0.5, name=name) for name in "abc"], quiet)
    assert rows["deepgram"].shown()[-1] == "fails: deepgram needs a key"
    assert rows["soniox"].shown()[-1].startswith("fails: refused")
    assert rows["soniox"].failures == ["refused"]
    assert rows["gladia"].shown()[-1] == "1 of 3 failed: down for a moment"
    assert rows["speechmatics"].shown()[-1] == ""
    assert (rows["gladia"].done, rows["speechmatics"].done) == (2, 3)


@virtual
async def test_what_a_vendors_code_raises_ends_its_row_alone(services: Services) -> None:
    services({"openai": ScriptedLLM([[KeyError("choices")]]), "groq": ScriptedLLM(["Yes."], first=50.0)})
    rows = [AnswerRow("openai"), AnswerRow("groq")]
    await compare_services(rows, ["one?"], quiet)
    assert rows[0].shown()[-1] == "fails: KeyError: 'choices'"
    assert rows[1].shown()[-1] == "fails: no answer in time"


@virtual
async def test_language_models_answer_the_same_questions(services: Services) -> None:
    services({"openai": ScriptedLLM(["Yes.", "No."], first=0.3, each=0.01)})
    row = AnswerRow("openai")
    await compare_services([row], ["one?", "two?"], quiet)
    assert row.shown() == ("openai", "300", "300", "-", "-", "")


@virtual
async def test_voices_are_timed_and_heard_by_the_local_recogniser(services: Services, tmp_path: Path) -> None:
    services(
        {
            "hume": ScriptedTTS(first=0.2, words=True),
            "lmnt/leah": ScriptedTTS(first=0.1),
            "local": ScriptedSTT(["good morning", "good evening"]),
        }
    )
    rows = [VoiceRow("hume"), VoiceRow("lmnt/leah")]
    await compare_services(rows, [("Good morning.",)], quiet)
    await listen_to_voices(rows)
    assert rows[0].shown() == ("hume", "200", "200", "0.23", "yes", "0.0%", "-", "")
    assert rows[1].shown() == ("lmnt/leah", "100", "100", "0.12", "no", "50.0%", "-", "")
    rows[1].write(tmp_path / "new")
    assert rows[1].files == [str(tmp_path / "new" / "lmnt-leah-1.wav")]
    assert read(rows[1].files[0]).seconds == pytest.approx(13 / 15, abs=0.01)


class Billed(ScriptedSTT):
    """Is billed as a vendor's service."""

    def __init__(self, vendor: str, model: str) -> None:
        super().__init__(["one"])
        self.vendor, self.model = vendor, model


class BilledAnswers(ScriptedLLM):
    vendor, model = "openai", "gpt-4.1-mini"

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        async for item in super().generate(context):
            yield item
        yield TokenUsage(1000, 100, 0)


class BilledVoice(ScriptedTTS):
    vendor, model, billed = "cartesia", "sonic-3", 2.0


@virtual
async def test_costs_are_those_of_the_price_table(
    services: Services, recording: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(
        '[deepgram.stt]\n"nova-3" = { hour = 0.5 }\n[openai.llm]\n"*" = { read = 1.0, written = 10.0 }\n'
        '[cartesia.tts]\n"*" = { characters = 30.0 }\n'
    )
    monkeypatch.setenv("ANTIPHON_PRICES", str(prices))
    services(
        {
            "deepgram": Billed("deepgram", "nova-3"),
            "local": Billed("local", "whisper"),
            "soniox": Billed("nobody", "knows"),
            "openai": BilledAnswers(["Yes.", "No."]),
            "cartesia": BilledVoice(),
        }
    )
    hearing = [HearingRow(name) for name in ("deepgram", "local", "soniox")]
    await compare_services(hearing, [recording(1.0, 0.5)], quiet)
    assert [row.shown()[-2] for row in hearing] == ["0.50", "free", "-"]
    answers, voice = AnswerRow("openai"), VoiceRow("cartesia")
    await compare_services([answers], ["one?", "two?"], quiet)
    assert answers.shown()[-2] == "2.00"
    await compare_services([voice], [("Good morning.",)], quiet)
    assert voice.shown()[-2] == "0.06"
    assert voice.told()["usd_per_1000_characters"] == pytest.approx(0.06)


async def _against_deepgram(services: Services, fault: Fault | None, recording: Recording) -> HearingRow:
    async with DeepgramListen(fault) as server:
        services({"deepgram": Nova(key=KEY, base_url=server.url)})
        await compare_services([row := HearingRow("deepgram")], [recording], quiet)
    return row


async def _loopback(services: Services, recording: Make) -> tuple[HearingRow, HearingRow]:
    heard = recording(1.0, 0.5, text=WORDS)
    return await _against_deepgram(services, None, heard), await _against_deepgram(
        services, Fault.REFUSED, heard
    )


def test_a_vendor_on_loopback(services: Services, recording: Make) -> None:
    good, refused = asyncio.run(_loopback(services, recording))
    assert good.shown()[1:5] == ("0.0%", "0", "0", "0")
    assert good.heard["call"].text == WORDS
    assert 0 < good.final[0] < 2
    assert "DEEPGRAM_API_KEY" in refused.shown()[-1]


def test_the_command_prints_a_table_and_writes_a_report(services: Services, tmp_path: Path) -> None:
    write(tmp_path / "hello.wav", WavAudio(loud(0.3), 16000))
    (tmp_path / "hello.txt").write_text("hello there")
    services(
        {
            "soniox": ScriptedSTT(["hello there"], delay=0.0),
            "deepgram": ConfigurationError("deepgram needs a key: set DEEPGRAM_API_KEY"),
            "openai": ScriptedLLM(["Yes."] * 3, first=0.0, each=0.0),
            "local": UnavailableError("not installed"),
            "hume": ScriptedTTS(first=0.0),
        }
    )
    report = tmp_path / "report.json"
    done = compare(
        *("--stt", "soniox, deepgram", "--llm", "openai", "--tts", "hume", "--wav", str(tmp_path)),
        *("--out", str(tmp_path / "said"), "--json", str(report)),
    )
    assert done.exit_code == 1, "a service failed"
    assert "1 recordings, 0 s, 2 words" in done.stdout
    assert "fails: deepgram needs a key: set DEEPGRAM_API_KEY" in done.stdout
    told: dict[str, Any] = json.loads(report.read_text())
    assert [row["service"] for row in told["stt"]] == ["soniox", "deepgram"]
    assert told["stt"][0]["words"] == {"said": 2, "lost": 0, "wrong": 0, "added": 0, "error_rate": 0.0}
    assert len(told["llm"][0]["answers"]) == 3
    assert len(list((tmp_path / "said").glob("hume-*.wav"))) == 3


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ((), "name what to compare"),
        (("--stt", "soniox"), "pass --wav FILE_OR_FOLDER"),
        (("--llm", "opena"), "Did you mean openai"),
    ],
)
def test_what_cannot_be_compared_is_said_first(line: tuple[str, ...], said: str) -> None:
    refused = compare(*line)
    assert refused.exit_code == 2
    assert said in refused.stderr


@pytest.mark.parametrize("place", ["--json", "--out"])
def test_a_place_that_cannot_be_written_is_said_before_anything_is_measured(
    services: Services, tmp_path: Path, place: str
) -> None:
    voice = ScriptedTTS()
    services({"cartesia": voice})
    (tmp_path / "file").touch()
    result = compare("--tts", "cartesia", place, str(tmp_path / "file" / "x"))
    assert result.exit_code == 2
    assert "cannot" in result.stderr
    assert not voice.spoken


@virtual
async def test_models_that_hear_and_speak_answer_recorded_questions(
    services: Services, recording: Make
) -> None:
    model = ScriptedRealtime(["Yes.", "No."], ["can you hear me", "hello"], first=0.3, words_after=0.0)
    services({"openai": model})
    row = ConversationRow("openai")
    works = [recording(0.5, text="Can you hear me?", name="a"), recording(0.5, text="Hello there", name="b")]
    await compare_services([row], works, quiet)
    assert row.shown() == ("openai", "300", "300", "16.7%", "-", "")
    assert row.told()["questions"]["b"]["said"] == "No."


def test_models_that_hear_and_speak_need_recordings() -> None:
    refused = CliRunner().invoke(app, ["compare", "--realtime", "openai"])
    assert refused.exit_code == 2
    assert "speech to speech is compared with recordings" in refused.stderr
