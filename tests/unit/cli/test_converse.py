"""`antiphon converse` with scripted services: the call, its wav, its report, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from antiphon.audio.levels import find_speech
from antiphon.audio.wav import WavAudio, read, write
from antiphon.cli import app
from antiphon.journal import read as read_journal
from antiphon.telemetry.latency import PARTS


def converse(caller: Path, *line: str | Path) -> Result:
    return CliRunner().invoke(app, ["converse", str(caller), *map(str, line), "--virtual"])


@pytest.fixture
def report(caller: Path, shop: Path, folder: Path) -> dict[str, Any]:
    result = converse(caller, "--agent", shop, "--json", folder / "r.json", "--out", folder / "call.wav")
    assert result.exit_code == 0, result.output
    return json.loads((folder / "r.json").read_text())


def test_the_report_has_each_turn_with_what_was_said_heard_and_called(report: dict[str, Any]) -> None:
    assert (report["clock"], report["caller_seconds"], report["failures"]) == ("virtual", 19.0, [])
    assert "recording" in report["measured"]
    first, second, third = report["turns"]
    assert [turn["user"] for turn in report["turns"]] == [
        "hello there",
        "when are you open?",
        "wait [a] moment",
    ]
    assert (first["said"], first["heard"], first["interrupted"]) == ("Hello. How are you?",) * 2 + (False,)
    assert second["interrupted"]
    assert second["said"].startswith(second["heard"])
    assert 0 < len(second["heard"]) < len(second["said"])
    assert second["tools"] == [
        {
            "name": "opening_hours",
            "arguments": '{"day": "monday"}',
            "result": "nine to five on monday",
            "failed": False,
            "seconds": 0.0,
        }
    ]
    assert third["said"] == "Yes?"
    assert [said["said"] for said in report["unprompted"]] == ["Good morning."]


def test_parts_add_up_from_the_true_end_of_speech(report: dict[str, Any]) -> None:
    for turn, true_end in zip(report["turns"], (3.0, 8.5, 13.0), strict=True):
        assert turn["measured_from"] == "recording"
        assert turn["ended"] == pytest.approx(true_end, abs=0.01)
        assert tuple(turn["parts_ms"]) == PARTS
        assert sum(turn["parts_ms"].values()) == turn["voice_to_voice_ms"]
        assert turn["voice_to_voice_ms"] == round(turn["played"] * 1000) - round(turn["ended"] * 1000)
    summary = report["summary"]
    assert (summary["turns"], summary["answered"]) == (3, 3)
    assert summary["median_ms"]["voice_to_voice"] <= summary["p95_ms"]["voice_to_voice"]


def test_the_wav_holds_both_sides_as_they_were_heard(
    report: dict[str, Any], folder: Path, caller: Path
) -> None:
    call = read(folder / "call.wav")
    assert (call.sample_rate, call.channels) == (24000, 2)
    assert call.seconds == pytest.approx(report["seconds"], abs=0.1)
    rate = call.sample_rate
    said = [(start / rate, end / rate) for start, end in find_speech(call.channel(0), rate)]
    assert [moment for both in said for moment in both] == pytest.approx([2, 3, 7, 8.5, 12, 13], abs=0.01)
    voice = np.frombuffer(call.channel(1), "<i2") != 0
    begins = np.flatnonzero(np.diff(voice, prepend=False) & voice) / rate
    played = [report["unprompted"][0]["played"], *(turn["played"] for turn in report["turns"])]
    assert begins == pytest.approx(played, abs=0.001)
    interrupted = report["turns"][1]
    cut = np.flatnonzero(voice[: round(13.2 * rate)])[-1] / rate
    assert interrupted["played"] < cut < 12.2  # soon after the caller spoke at 12.0


def test_what_is_printed_is_plain_and_whole(caller: Path, shop: Path) -> None:
    result = converse(caller, "--agent", shop)
    assert "\x1b" not in result.stdout
    lines = [line.split() for line in result.stdout.splitlines()]
    said = [line[1] for line in lines if len(line) > 1 and line[0][0].isdigit()]
    assert said == ["agent", "caller", "agent", "caller", "tool", "agent", "caller", "agent"]
    assert "wait [a] moment" in result.stdout
    assert "‖" in result.stdout
    assert result.stdout.count("voice to voice") == 4
    assert "In virtual time" in result.stdout


def test_the_journal_is_one_and_the_same_every_time(caller: Path, shop: Path, folder: Path) -> None:
    for name in ("a", "b"):
        assert converse(caller, "--agent", shop, "--journal", folder / name).exit_code == 0
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    kinds = {line.kind for line in read_journal(folder / "a")}
    assert {"UserTurn", "ToolEnded", "Interrupted", "SessionEnded"} < kinds
    assert "UserAudio" not in kinds


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (44100, 2)])
def test_other_recordings_are_heard_too(rate: int, channels: int, shop: Path, folder: Path) -> None:
    random = np.random.default_rng(7)
    burst = random.integers(-8000, 8000, (rate, 1)).repeat(channels, axis=1).astype("<i2").tobytes()
    quiet = bytes(rate * 2 * 2 * channels)
    write(folder / "c.wav", WavAudio(quiet + burst + quiet, rate, channels))
    result = converse(folder / "c.wav", "--agent", shop, "--json", folder / "r.json")
    assert result.exit_code == 0, result.output
    (turn,) = json.loads((folder / "r.json").read_text())["turns"]
    assert turn["ended"] == pytest.approx(3.0, abs=0.01)


def test_silence_is_a_call_without_turns(shop: Path, folder: Path) -> None:
    write(folder / "silence.wav", WavAudio(bytes(64000), 16000))
    result = converse(folder / "silence.wav", "--agent", shop, "--json", folder / "r.json")
    assert result.exit_code == 0
    assert "no turn was heard" in result.stderr
    assert json.loads((folder / "r.json").read_text())["turns"] == []


def test_a_failure_in_the_call_is_reported_and_exits_with_1(caller: Path, shop: Path, folder: Path) -> None:
    failing = shop.read_text().replace('"Hello. How are you?"', '[RuntimeError("the line is down")]')
    shop.write_text(failing)
    result = converse(caller, "--agent", shop, "--json", folder / "r.json")
    assert result.exit_code == 1
    assert "LLM: the line is down" in result.stdout
    report = json.loads((folder / "r.json").read_text())
    assert report["failures"] == report["turns"][0]["failures"] == ["LLM: the line is down (RuntimeError)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "not there"), (b"", "empty"), (b"ID3\x04" + bytes(2000), "MP3"), (b"RIFF\x00", "cut short")],
)
def test_a_recording_that_is_none_is_refused(
    content: bytes | None, message: str, shop: Path, folder: Path
) -> None:
    if content is not None:
        (folder / "bad.wav").write_bytes(content)
    result = converse(folder / "bad.wav", "--agent", shop)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("option", ["--out", "--json", "--journal"])
def test_a_file_that_cannot_be_written_is_told_before_the_call(
    option: str, caller: Path, shop: Path, folder: Path
) -> None:
    for place, message in [
        (folder / "nowhere" / "x", "there is no folder"),
        (folder, "cannot write"),
        (caller, "is the caller's recording"),
    ]:
        result = converse(caller, "--agent", shop, option, place)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
    assert read(caller).seconds == 19.0


@pytest.mark.parametrize("option", ["--journal", "--json"])
def test_a_full_disk_is_told_once_after_the_whole_call(caller: Path, shop: Path, option: str) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    result = converse(caller, "--agent", shop, option, full)
    assert result.exit_code != 0
    assert "Yes?" in result.stdout, "the call went on to its end"
    assert result.stderr.count("No space left on device") == 1
    assert result.stderr.count("\n") == 1
