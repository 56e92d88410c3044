"""ai-coustics' speech enhancement, which runs on this machine with their licence.

https://docs.ai-coustics.com

`Cleaner("quail-vf-2.2-l-16khz")` downloads that model from them once, into the folder `models`;
`Cleaner("/path/to/model.aicmodel")` loads a file.
"""

import importlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..clock import offload
from ..errors import AntiphonError, AuthenticationError, ConfigurationError, UnavailableError
from ..services.ports import AudioFilter, Vendor

KEY = "AIC_SDK_LICENSE"
MODEL = "quail-vf-2.2-l-16khz"
MEANS: dict[str, type[AntiphonError]] = {
    "License": AuthenticationError,
    "ProcessingNotAllowed": AuthenticationError,
    "ModelDownload": UnavailableError,
    "Model": ConfigurationError,
    "File": ConfigurationError,
    "Parameter": ConfigurationError,
}
"""Our error by the prefix of their exception's name: theirs share no base class. The first match counts."""


class Cleaner(AudioFilter):
    """A speech enhancer for one conversation.

    `strength` (0 to 1) is how much of everything but the voice is removed.
    """

    sample_rate = 16000
    block = 160

    def __init__(
        self,
        model: str = MODEL,
        *,
        key: str | None = None,
        strength: float | None = None,
        models: str | Path | None = None,
    ) -> None:
        self._key = key or os.environ.get(KEY, "")
        if not self._key:
            raise ConfigurationError(
                f"ai_coustics needs a licence key: set {KEY}, from https://developers.ai-coustics.com"
            )
        try:
            self._sdk: Any = importlib.import_module("aic_sdk")
        except ImportError as error:
            raise ConfigurationError(
                "ai_coustics needs its SDK, which is not installed: pip install aic-sdk"
            ) from error
        self._model = model
        self._models = Path(models) if models else Path.home() / ".cache" / "ai-coustics"
        self._strength = strength
        self._processor: Any = None
        self._context: Any = None

    async def open(self) -> None:
        """Download the model if it is not here, and load it."""
        await offload(None, self._load)

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of 10 ms."""
        heard = (np.frombuffer(near, "<i2") / np.float32(32768)).reshape(-1, self.block)
        clean = np.concatenate([self._processor.process(block) for block in heard])
        return (clean * 32767).clip(-32768, 32767).astype("<i2").tobytes()

    def reset(self) -> None:
        """Forget what was heard."""
        self._context.reset()

    async def close(self) -> None:
        """End the session with their licence server."""
        if self._processor is not None:
            self._processor.terminate_session()

    def _load(self) -> None:
        sdk = self._sdk
        try:
            config = sdk.ProcessorConfig(self.sample_rate, self.block)
            self._processor = sdk.Processor(_model(self._model, self._models), self._key, config)
            self._context = self._processor.get_context()
            if self._strength is not None:
                self._context.set_parameter(sdk.ProcessorParameter.EnhancementLevel, self._strength)
        except Exception as error:
            for begin, kind in MEANS.items():
                if type(error).__name__.startswith(begin):
                    raise kind(f"ai_coustics: {getattr(error, 'message', error)}") from error
            raise
        self.delay = self._context.get_audio_delay()


@lru_cache
def _model(model: str, folder: Path) -> Any:
    """Return a model, which all conversations share."""
    sdk: Any = importlib.import_module("aic_sdk")
    if not model.endswith(".aicmodel"):
        folder.mkdir(parents=True, exist_ok=True)
        model = sdk.Model.download(model, folder)
    return sdk.Model.from_file(model)


VENDOR = Vendor(
    name="ai_coustics",
    provides={"cleaning": "Cleaner"},
    docs="https://docs.ai-coustics.com",
    env=(KEY,),
    default={"cleaning": MODEL},
)
