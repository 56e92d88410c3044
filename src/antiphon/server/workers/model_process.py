"""The server's side of the models' process: starts it, and restarts it if it ends."""

import asyncio
import logging
import os
import socket
from secrets import token_hex
from typing import Any

import msgspec

from ...errors import AntiphonError, ConfigurationError
from .model_server import ModelsLoaded, Told
from .pipe import Pipe
from .processes import Child
from .spawner import Spawner
from .worker_handle import ended_by
from .zygote import MODELS

__all__ = ["ModelProcess"]

logger = logging.getLogger("antiphon.server")

LOADED_WITHIN = 300.0  # seconds
AGAIN_AFTER, LONGEST = 1.0, 30.0  # seconds before a restart; doubled each time up to the longest


class ModelProcess:
    """Owns the socket to which workers connect, so that they can wait while the process restarts."""

    def __init__(self) -> None:
        self.address = f"\0antiphon-{os.getpid()}-{token_hex(8)}"
        """An abstract socket, which leaves no file; `model_server.is_ours` asks the kernel who connects."""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(1024)
        self._child: Child | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self, nursery: Spawner) -> None:
        """Start the process and wait for its models. Raises ConfigurationError if they cannot be loaded."""
        await self._begin(nursery)
        problem = await self._loaded()
        if problem:
            raise ConfigurationError(problem)
        self._keeping = asyncio.create_task(self._keep(nursery), name="antiphon models")

    async def close(self) -> None:
        """End the process."""
        if self._keeping is not None:
            self._keeping.cancel()
        self._listener.close()
        if self._child is not None:
            self._child.kill()
            await self._child.stop()

    async def _begin(self, nursery: Spawner) -> None:
        self._child = await nursery.spawn(MODELS, self._listener)

    async def _loaded(self) -> str:
        """Wait until the models are loaded; returns the problem if they are not, else ""."""
        said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def note(note: Told) -> None:
            if isinstance(note, ModelsLoaded) and not said.done():
                said.set_result(note.problem)

        assert self._child is not None
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, self.address)
        pipe = await Pipe[Any](msgspec.msgpack.Decoder(Told), note).connect(end)
        await asyncio.wait(
            [said, pipe.gone, self._child.ended], timeout=LOADED_WITHIN, return_when=asyncio.FIRST_COMPLETED
        )
        pipe.abort("")
        return said.result() if said.done() else "the process that holds the models could not load them"

    async def _keep(self, nursery: Spawner) -> None:
        wait = AGAIN_AFTER
        while True:
            if self._child is not None:
                began = asyncio.get_running_loop().time()
                status = await asyncio.shield(self._child.ended)
                logger.error("the models' process has ended and is restarted: %s", ended_by(status))
                if asyncio.get_running_loop().time() - began > LONGEST:
                    wait = AGAIN_AFTER
            try:
                await self._begin(nursery)
            except AntiphonError as error:
                logger.error("the models cannot be loaded: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)
