"""The server's side of the models' process: its start and its restarts."""

import asyncio
import logging
import os
import socket
from secrets import token_hex
from typing import Any

import msgspec

from ...errors import AntiphonError, ConfigurationError
from .model_server import FromModelServer, ModelsLoaded
from .pipe import Pipe
from .processes import Child
from .spawner import Spawner
from .worker_handle import ended_by
from .zygote import MODELS

__all__ = ["ModelProcess"]

logger = logging.getLogger("antiphon.server")

LOADED_WITHIN = 300.0  # seconds for the models to load
AGAIN_AFTER, LONGEST = 1.0, 30.0  # seconds before a restart, at first and at most; doubled each time


class ModelProcess:
    """The models' process, and the socket to which workers connect.

    The server owns the socket, so that workers can wait in its queue while the process restarts.
    """

    def __init__(self) -> None:
        self.address = f"\0antiphon-{os.getpid()}-{token_hex(8)}"
        """The address of an abstract socket, which leaves no file.

        Any local user could connect, so `model_server.is_ours` checks the user of each connection.
        """
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen(1024)
        self._child: Child | None = None
        self._restarting: asyncio.Task[None] | None = None

    async def start(self, spawner: Spawner) -> None:
        """Start the process and wait until its models are loaded.

        Raises ConfigurationError if they cannot be loaded.
        """
        await self._begin(spawner)
        problem = await self._loaded()
        if problem:
            raise ConfigurationError(problem)
        self._restarting = asyncio.create_task(self._restart_when_ended(spawner), name="antiphon models")

    async def close(self) -> None:
        """End the process."""
        if self._restarting is not None:
            self._restarting.cancel()
        self._listener.close()
        if self._child is not None:
            self._child.kill()
            await self._child.stop()

    async def _begin(self, spawner: Spawner) -> None:
        self._child = await spawner.spawn(MODELS, self._listener)

    async def _loaded(self) -> str:
        """Wait until the models are loaded; return the problem if that fails, else ""."""
        answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def handle(message: FromModelServer) -> None:
            if isinstance(message, ModelsLoaded) and not answered.done():
                answered.set_result(message.problem)

        assert self._child is not None
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        await asyncio.get_running_loop().sock_connect(end, self.address)
        pipe = await Pipe[Any](msgspec.msgpack.Decoder(FromModelServer), handle).connect(end)
        await asyncio.wait(
            [answered, pipe.gone, self._child.ended],
            timeout=LOADED_WITHIN,
            return_when=asyncio.FIRST_COMPLETED,
        )
        pipe.abort("")
        if answered.done():
            return answered.result()
        return "the process that holds the models could not load them"

    async def _restart_when_ended(self, spawner: Spawner) -> None:
        wait = AGAIN_AFTER
        while True:
            if self._child is not None:
                began = asyncio.get_running_loop().time()
                status = await asyncio.shield(self._child.ended)
                logger.error("the models' process has ended and is restarted: %s", ended_by(status))
                if asyncio.get_running_loop().time() - began > LONGEST:
                    wait = AGAIN_AFTER
            try:
                await self._begin(spawner)
            except AntiphonError as error:
                logger.error("the models cannot be loaded: %s", error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST)
