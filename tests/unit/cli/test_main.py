"""The program as a whole: quick to help, and polite when stopped."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from antiphon import __version__

MAIN = "from antiphon.cli import main; main()"
HEAVY = {"numpy", "ctranslate2", "onnxruntime", "tokenizers", "xllamacpp", "hibari", "httpx", "sounddevice"}


def antiphon(*line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", MAIN, *line], capture_output=True, text=True, timeout=60)


def test_it_says_its_version() -> None:
    assert antiphon("--version").stdout == f"antiphon {__version__}\n"


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    look = f"""
import sys
from antiphon.cli import main
sys.argv = ["antiphon", "--help"]
try:
    main()
except SystemExit:
    print("loaded:", *sorted({HEAVY} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60).stdout
    for command in ("demo", "talk", "converse", "doctor", "models"):
        assert command in shown
    assert shown.splitlines()[-1] == "loaded:"


def test_an_error_is_one_message() -> None:
    result = antiphon("converse", "nowhere.wav")
    assert (result.returncode, result.stdout) == (2, "")
    assert (
        result.stderr == "antiphon: cannot read nowhere.wav: it is not there; give the path of a wav file\n"
    )


def test_a_wrong_option_is_explained() -> None:
    result = antiphon("converse", "--loud")
    assert result.returncode == 2
    assert "--loud" in result.stderr


def test_a_terminal_of_few_letters_gets_what_it_can_show(shop: Path, caller: Path) -> None:
    line = [sys.executable, "-c", MAIN, "converse", str(caller), "--agent", str(shop), "--virtual"]
    few = os.environ | {"PYTHONIOENCODING": "ascii"}
    result = subprocess.run(line, capture_output=True, env=few, timeout=60)
    assert (result.returncode, result.stderr) == (0, b"")
    assert b"Hello. How are you?" in result.stdout


def test_ctrl_c_ends_politely(shop: Path) -> None:
    line = [sys.executable, "-u", "-c", MAIN, "talk", "--text", "--agent", str(shop)]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=os.environ) as program:
        assert program.stdout is not None
        for shown in program.stdout:
            if "Good morning" in shown:
                break
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=30)
    assert (program.returncode, said) == (130, "antiphon: stopped\n")
