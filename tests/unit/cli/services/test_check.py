"""`antiphon services check`: which kinds are meant, what is missing, what works."""

from pathlib import Path
from typing import Literal

import pytest
from typer.testing import CliRunner, Result

from antiphon.audio.wav import WavAudio, write
from antiphon.cli.services import app
from antiphon.errors import AuthenticationError, UnavailableError
from antiphon.testing import ScriptedLLM, ScriptedRealtime, ScriptedSTT, ScriptedTTS, loud

from .conftest import Services


def check(*line: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["check", *line])


def test_what_is_not_set_is_said_once_for_all_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XAI_API_KEY", raising=False)
    checked = check("xai")
    assert checked.exit_code == 1
    assert checked.stdout == (
        "xai  stt, llm, tts, realtime  fails: not set in the environment: XAI_API_KEY\n"
    )


def test_a_variable_in_an_address_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-key")
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID", raising=False)
    assert check("cloudflare/some-model", "--port", "llm").stdout == (
        "cloudflare/some-model  llm  fails: not set in the environment: CLOUDFLARE_ACCOUNT_ID\n"
    )


@pytest.mark.parametrize(
    ("name", "port"),
    [
        ("cartesia/sonic-3", "tts"),
        ("cartesia/sonic-3:a-voice", "tts"),
        ("cartesia/ink-2:de", "stt"),
        ("deepgram/nova-3", "stt"),
        ("sarvam/bulbul:v3", "tts"),
        ("lmnt/anything", "tts"),
    ],
)
def test_a_model_says_which_kind_is_meant(services: Services, name: str, port: str) -> None:
    services({name: UnavailableError("not today")})
    assert check(name).stdout == f"{name}  {port}  fails: not today\n"


def test_a_model_that_may_be_of_several_kinds_is_asked_about() -> None:
    checked = check("cartesia/sonic-9")
    assert checked.exit_code == 2
    assert "may be speech to text or text to speech: say which, with --port stt or tts" in checked.stderr


def test_a_kind_that_a_vendor_lacks_is_refused() -> None:
    checked = check("hume", "--port", "stt")
    assert checked.exit_code == 2
    assert "hume provides no stt" in checked.stderr
    assert "there is no check for 'vad'" in check("local", "--port", "vad").stderr


def test_what_works_is_timed(services: Services, tmp_path: Path) -> None:
    write(tmp_path / "hello.wav", WavAudio(loud(0.3), 16000))
    (tmp_path / "hello.txt").write_text("hello there")
    names = {
        "openai/gpt-4.1-mini": ScriptedLLM(["Yes, I can."], first=0.01, each=0.0),
        "lmnt": ScriptedTTS(words=True, first=0.01),
        "gladia": ScriptedSTT(["hello they're"], delay=0.01),
    }
    services(names)
    checked = check(*names, "--wav", str(tmp_path / "hello.wav"))
    llm, tts, stt = checked.stdout.splitlines()
    assert llm.startswith("openai/gpt-4.1-mini  llm  works: first word after 0.0")
    assert llm.endswith(" s: Yes, I can.")
    assert "  tts  works: first audio after 0.0" in tts
    assert tts.endswith("3.1 s of speech, 10 word times")
    assert "s after the end of speech, 1 of 2 words wrong: hello they're" in stt
    assert checked.exit_code == 0


def test_without_a_recording_the_local_voice_speaks(services: Services) -> None:
    said = "Good morning. This is a short test of a voice."
    services({"gladia": ScriptedSTT([said] * 9, delay=0.0), "local": ScriptedTTS(rate=100)})
    checked = check("gladia")
    assert checked.exit_code == 0
    assert "  stt  works: words " in checked.stdout
    assert "0 of 10 words wrong" in checked.stdout


def test_without_recording_and_voice_the_rest_is_checked(services: Services) -> None:
    services({"cartesia": ScriptedTTS(), "gladia": ScriptedTTS(), "local": UnavailableError("no voice")})
    stt, tts = check("cartesia").stdout.splitlines()
    assert stt == "cartesia  stt  not checked: it needs speech, pass --wav FILE (no voice)"
    assert tts.startswith("cartesia  tts  works: first audio after")
    alone = check("gladia")
    assert alone.exit_code == 1
    assert alone.stdout == "gladia  stt  fails: it needs speech, pass --wav FILE (no voice)\n"


@pytest.mark.parametrize("detection", ["either", "theirs"])
def test_a_realtime_model_is_asked_a_question(
    services: Services, tmp_path: Path, detection: Literal["either", "theirs"]
) -> None:
    write(tmp_path / "hello.wav", WavAudio(loud(0.2), 16000))
    model = ScriptedRealtime(
        ["Yes."], heard=["can you hear me"], first=0.02, words_after=0.0, detection=detection
    )
    services({"ultravox": model})
    checked = check("ultravox", "--wav", str(tmp_path / "hello.wav"))
    assert checked.exit_code == 0, checked.stdout
    assert checked.stdout.startswith("ultravox  realtime  works: first audio 0.")
    assert "heard 'can you hear me', said 'Yes.'" in checked.stdout
    who = "the model" if detection == "theirs" else "either"
    assert f"turns: {who}; tools" in checked.stdout
    assert model.open_conversations == 0


def test_a_realtime_model_whose_key_is_refused_fails(services: Services, tmp_path: Path) -> None:
    write(tmp_path / "hello.wav", WavAudio(loud(0.1), 16000))
    refused = AuthenticationError("ultravox refused the key: check ULTRAVOX_API_KEY")
    services({"ultravox": ScriptedRealtime([[refused]], first=0.0)})
    checked = check("ultravox", "--wav", str(tmp_path / "hello.wav"))
    assert checked.exit_code == 1
    assert "ultravox  realtime  fails: ultravox refused the key" in checked.stdout
