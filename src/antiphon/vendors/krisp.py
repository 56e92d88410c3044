"""Krisp's voice isolation, which runs on this machine with their licence.

https://sdk-docs.krisp.ai

Krisp delivers the Python package `krisp-audio` and a model file (.kef) with the licence key; neither is on
the package index.
"""

import importlib
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..services.ports import AudioFilter, Vendor

logger = logging.getLogger("antiphon.krisp")

KEY = "KRISP_VIVA_SDK_LICENSE_KEY"
MODEL = "KRISP_VIVA_FILTER_MODEL_PATH"


class Cleaner(AudioFilter):
    """A noise filter for one conversation.

    `strength` (0 to 100) is how much of the noise is removed.
    """

    sample_rate = 16000
    block = 160
    delay = 0
    """The SDK's delay is not published; cleaned audio is placed too late by that much."""

    def __init__(self, model: str = "", *, key: str | None = None, strength: int = 100) -> None:
        key = key or os.environ.get(KEY, "")
        if not key:
            raise ConfigurationError(
                f"krisp needs a licence key: set {KEY}, from https://krisp.ai/developers"
            )
        path = Path(model or os.environ.get(MODEL, ""))
        if path.suffix != ".kef" or not path.is_file():
            raise ConfigurationError(
                f"krisp needs the model file that came with the key: set {MODEL} to the path of a .kef file, "
                f"which {str(path)!r} is not"
            )
        if not 0 <= strength <= 100:
            raise ConfigurationError(f"krisp's strength is 0 to 100, not {strength}")
        self._sdk = _sdk(key)
        self._model = str(path)
        self._strength = strength
        self._session: Any = self._begin()

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of 10 ms."""
        heard = np.frombuffer(near, np.int16).reshape(-1, self.block)
        clean = [self._session.process(block, self._strength) for block in heard]
        return np.concatenate(clean).astype("<i2").tobytes()

    def reset(self) -> None:
        """Forget what was heard."""
        self._session = self._begin()

    def _begin(self) -> Any:
        sdk = self._sdk
        model = sdk.ModelInfo()
        model.path = self._model
        config = sdk.NcSessionConfig()
        config.inputSampleRate = config.outputSampleRate = sdk.SamplingRate.Sr16000Hz
        config.inputFrameDuration = sdk.FrameDuration.Fd10ms
        config.modelInfo = model
        try:
            return sdk.NcInt16.create(config)
        except RuntimeError as error:
            raise ConfigurationError(f"krisp cannot use {self._model}: {error}") from error


@lru_cache(maxsize=1)
def _sdk(key: str) -> Any:
    """Return the SDK, initialised with the licence key once per process."""
    try:
        sdk: Any = importlib.import_module("krisp_audio")
    except ImportError as error:
        raise ConfigurationError(
            "krisp needs its package krisp-audio, which is not installed: "
            "https://krisp.ai/developers has it for those with a key"
        ) from error
    sdk.globalInit("", key, _refused, _said, sdk.LogLevel.Off)
    return sdk


def _refused(code: Any, message: str) -> None:
    logger.error("krisp refuses the licence key in %s: %s (%s)", KEY, message, code)


def _said(message: str, level: Any) -> None:
    logger.debug("krisp: %s", message)


VENDOR = Vendor(
    name="krisp",
    provides={"cleaning": "Cleaner"},
    docs="https://sdk-docs.krisp.ai",
    env=(KEY,),
)
