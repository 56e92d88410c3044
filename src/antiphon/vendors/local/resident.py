"""A model that is loaded once per process, and runs in threads."""

import importlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from ...clock import offload
from ...errors import ConfigurationError

M = TypeVar("M")
P = ParamSpec("P")
R = TypeVar("R")

PROCESSORS = os.cpu_count() or 1


class Resident(Generic[M]):
    """A model that all services of a process share.

    It runs in a pool with one thread per processor.
    """

    def __init__(self, name: str, load: Callable[[], M]) -> None:
        self._load = load
        self._model: M | None = None
        self._loading = threading.Lock()
        self._threads = ThreadPoolExecutor(PROCESSORS, thread_name_prefix=f"antiphon-{name}")

    async def get(self) -> M:
        """Return the model.

        The first caller loads it; concurrent callers wait for that load.
        """
        if self._model is None:
            return await self.run(self._loaded)
        return self._model

    async def run(self, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run blocking work in one of the model's threads, and return its result."""
        return await offload(self._threads, call, *args, **kwargs)

    def _loaded(self) -> M:
        with self._loading:
            if self._model is None:
                self._model = self._load()
            return self._model


class OnnxSession(Protocol):
    """The part of onnxruntime's InferenceSession that is used here."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Any]) -> list[Any]: ...


def onnx_session(model: Path) -> OnnxSession:
    """Return a session that computes in the calling thread only."""
    onnxruntime = library("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def library(name: str) -> Any:
    """Import a module of the extra "local".

    Raises ConfigurationError if it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'The local models need {error.name}, which is not installed: pip install "antiphon[local]"'
        ) from error
