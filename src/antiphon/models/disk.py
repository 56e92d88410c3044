"""Disk operations of the model store: free space, errors, locks, moves, hashes."""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..errors import ConfigurationError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_TAKEN = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # on Windows a lock is waited for at most ten seconds
_ELSEWHERE = (
    "Free some, or set ANTIPHON_MODELS to a folder on another disk. "
    "What was downloaded is kept, and the next pull goes on from there"
)


def free_bytes(folder: Path) -> int:
    """Return the free bytes of the disk that a folder is on."""
    return shutil.disk_usage(folder).free


def room(folder: Path, needed: int, free: Callable[[Path], int]) -> None:
    """Raise ConfigurationError if the disk has less than `needed` bytes left."""
    if (left := free(folder)) < needed:
        raise ConfigurationError(
            f"the disk of {folder} is too full: {needed / 1e6:,.1f} MB more are needed, "
            f"{left / 1e6:,.1f} MB are free. {_ELSEWHERE}"
        )


@contextmanager
def writing(folder: Path) -> Generator[None]:
    """Convert an OSError in the `with` block into a helpful ConfigurationError."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        if error.errno in _FULL:
            message = f"the disk of {where} is full. {_ELSEWHERE}"
        elif error.errno in _FORBIDDEN:
            message = (
                f"{where} cannot be written ({error.strerror}). Set ANTIPHON_MODELS to a folder of yours"
            )
        else:
            message = f"{where} cannot be written: {error.strerror or error}"
        raise ConfigurationError(message) from error


def take_lock(file: IO[str], *, wait: bool) -> bool:
    """Lock a file until it is closed, and return whether it could be locked.

    False if another process has locked it; with `wait`, wait for that one instead.
    """
    while True:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            if not wait:
                return False
        else:
            return True


def keep(part: Path, to: Path) -> None:
    """Move a finished file to its place, atomically even if the machine crashes."""
    with part.open("rb+") as file:  # Windows flushes only what may be written
        os.fsync(file.fileno())
    part.replace(to)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if it is missing or inaccessible."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
