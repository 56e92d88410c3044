"""Downloads: from hosts that answer well, badly, late and never."""

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from antiphon.errors import BadResponseError, ConfigurationError, UnavailableError
from antiphon.models.disk import free_bytes
from antiphon.models.fetch import DownloadPatience, Downloads

if TYPE_CHECKING:
    from .conftest import Fault, Site

BODY = bytes(range(256)) * 4_000
PATIENCE = DownloadPatience(opening=5.0, stall=5.0, attempts=3)


def unheard(had: int, total: int | None) -> None:
    """Progress that nobody watches."""


def get(
    site: "Site",
    to: Path,
    size: int | None = len(BODY),
    *,
    patience: DownloadPatience = PATIENCE,
    have: bytes = b"",
) -> list[int]:
    """Download /file; what was heard of it."""
    if have:
        to.write_bytes(have)
    heard: list[int] = []
    downloads = Downloads(patience, free_bytes)
    downloads.get(f"{site.url}/file", to, size, lambda had, _: heard.append(had))
    return heard


@pytest.fixture
def fault(site: "Site", make_fault: "type[Fault]") -> "Fault":
    site.files["/file"] = BODY
    site.faults["/file"] = fault = make_fault()
    return fault


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "file.part"


def test_a_file_arrives_and_its_progress_is_told(site: "Site", fault: "Fault", to: Path) -> None:
    heard = get(site, to)
    assert to.read_bytes() == BODY
    assert heard == sorted(heard)
    assert heard[-1] == len(BODY)


def test_a_download_goes_on_where_it_stopped(site: "Site", fault: "Fault", to: Path) -> None:
    get(site, to, have=BODY[:1_000])
    assert to.read_bytes() == BODY
    assert site.asked == [("/file", 1_000)]


def test_what_is_whole_is_not_asked_for(site: "Site", fault: "Fault", to: Path) -> None:
    get(site, to, have=BODY)
    assert site.asked == []


def test_a_server_that_ignores_ranges_makes_it_start_again(site: "Site", fault: "Fault", to: Path) -> None:
    fault.ranges = False
    get(site, to, have=b"x" * 1_000)
    assert to.read_bytes() == BODY


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(
    site: "Site", fault: "Fault", to: Path, ranges: bool
) -> None:
    fault.cut, fault.ranges = 300_000, ranges
    get(site, to)
    assert to.read_bytes() == BODY
    assert site.asked == [("/file", 0), ("/file", 300_000 if ranges else 0)]


def test_many_breaks_are_borne_as_long_as_more_arrives(site: "Site", fault: "Fault", to: Path) -> None:
    fault.cut, fault.times = 100_000, 100

    def later(had: int, total: int | None) -> None:
        fault.cut = had + 100_000

    Downloads(PATIENCE, free_bytes).get(f"{site.url}/file", to, len(BODY), later)
    assert to.read_bytes() == BODY
    assert len(site.asked) > 2 * PATIENCE.attempts


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_always_ends_early_is_an_error_and_is_kept(
    site: "Site", fault: "Fault", to: Path, ranges: bool
) -> None:
    fault.cut, fault.times, fault.ranges = 300_000, 100, ranges
    with pytest.raises(UnavailableError, match="broke off again and again; 300,000 bytes are kept"):
        get(site, to)
    assert to.read_bytes() == BODY[:300_000]
    assert len(site.asked) == PATIENCE.attempts + 1


def test_a_body_that_stalls_is_taken_up_again(site: "Site", fault: "Fault", to: Path) -> None:
    fault.hold = 300_000
    get(site, to, patience=DownloadPatience(opening=5.0, stall=0.2))
    assert to.read_bytes() == BODY
    assert site.asked == [("/file", 0), ("/file", 300_000)]


def test_a_host_that_never_answers_is_given_up_and_not_asked_again(
    site: "Site", fault: "Fault", to: Path
) -> None:
    fault.hold = -1
    downloads = Downloads(DownloadPatience(opening=0.2, stall=5.0), free_bytes)
    for _ in range(2):
        with pytest.raises(UnavailableError, match="did not answer in time"):
            downloads.get(f"{site.url}/file", to, len(BODY), unheard)
    assert len(site.asked) == 1
    assert not to.exists()


def test_a_host_that_refuses_is_named(to: Path) -> None:
    with socket.socket() as taken:  # bound, not listening: refuses
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"{host} refused the connection"):
            Downloads(PATIENCE, free_bytes).get(f"http://{host}/file", to, None, unheard)


def test_a_name_without_address_is_named(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(UnavailableError, match=r"hub\.test has no address"):
        Downloads(PATIENCE, free_bytes).get("http://hub.test/file", to, None, unheard)


def test_a_look_up_that_hangs_is_given_up(to: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def late(*_: object, **__: object) -> None:
        answered.wait(30)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", late)
    with pytest.raises(UnavailableError, match=r"hub\.test did not answer in time"):
        Downloads(DownloadPatience(opening=0.1), free_bytes).get("http://hub.test/file", to, None, unheard)
    answered.set()


@pytest.mark.parametrize("status", [401, 404, 503])
def test_a_status_is_an_error_but_not_of_the_host(
    site: "Site", fault: "Fault", to: Path, status: int
) -> None:
    fault.status = status
    downloads = Downloads(PATIENCE, free_bytes)
    for _ in range(2):
        with pytest.raises(UnavailableError, match=f"/file answered {status}"):
            downloads.get(f"{site.url}/file", to, None, unheard)
    assert len(site.asked) == 2


def test_another_length_is_refused_before_a_byte_is_written(site: "Site", fault: "Fault", to: Path) -> None:
    with pytest.raises(BadResponseError, match="has 1,024,000 bytes instead of 5,000"):
        get(site, to, 5_000, have=BODY[:1_000])
    assert to.read_bytes() == BODY[:1_000]


def test_more_than_was_due_is_refused_and_removed(site: "Site", fault: "Fault", to: Path) -> None:
    fault.announce, fault.more = False, b"more"
    with pytest.raises(BadResponseError, match="has more than 1,024,000 bytes"):
        get(site, to)
    assert not to.exists()


def test_a_length_that_nobody_knows_ends_with_the_body(site: "Site", fault: "Fault", to: Path) -> None:
    fault.announce = False
    get(site, to, None)
    assert to.read_bytes() == BODY


def test_a_file_of_unknown_length_that_was_whole_is_found_whole(
    site: "Site", fault: "Fault", to: Path
) -> None:
    get(site, to, None, have=BODY)
    assert to.read_bytes() == BODY
    assert site.asked == [("/file", len(BODY))]


def test_leftovers_longer_than_the_file_are_dropped(site: "Site", fault: "Fault", to: Path) -> None:
    get(site, to, None, have=BODY + b"more")
    assert to.read_bytes() == BODY


def test_room_is_looked_for_before_a_byte_is_written(site: "Site", fault: "Fault", to: Path) -> None:
    downloads = Downloads(PATIENCE, lambda _: len(BODY) - 1)
    with pytest.raises(ConfigurationError, match=r"too full: 1\.0 MB more are needed"):
        downloads.get(f"{site.url}/file", to, None, unheard)
    assert not to.exists()


def test_a_disk_that_fills_in_the_middle_is_an_error_of_yours(
    site: "Site", fault: "Fault", to: Path, full_disk: Path
) -> None:
    to.symlink_to(full_disk)
    with pytest.raises(ConfigurationError, match=r"is full.*ANTIPHON_MODELS.*goes on from there"):
        get(site, to)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/file"])
def test_only_the_web_is_downloaded_from(to: Path, url: str) -> None:
    with pytest.raises(BadResponseError, match="is not an http or https URL"):
        Downloads(PATIENCE, free_bytes).get(url, to, None, unheard)
