"""What servers share that speak gRPC: calls that stream both ways, faults."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, Self

from ...clock import offload
from ...services.proto_messages import proto_messages
from .server import Fault

__all__ = ["GrpcVendorServer"]

STRANGE = b"\xfa\x3e\x03odd"  # a field, number 1007, that nobody knows
THREADS = 8


class GrpcVendorServer:
    """A gRPC server on loopback, with threads of its own.

    A vendor's derives from it, and adds `talk`.

    The first `faulty` calls have the fault, those after them are good.
    """

    method: str
    definition: str
    kinds: tuple[str, str]
    """The names of the messages that are received and sent."""

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000) -> None:
        self.fault = fault
        self.faulty = faulty
        self.url = ""
        self.calls = 0
        self.cancelled = 0
        """How many calls the client left."""
        self.failure: AssertionError | None = None
        self._server: Any = None

    def talk(self, requests: Iterator[Any], metadata: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Check the requests, and yield the fields of the answers."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        grpc, (service, _, method) = import_module("grpc"), self.method.rpartition("/")
        asked = proto_messages(self.definition)[self.kinds[0]]
        handler = grpc.stream_stream_rpc_method_handler(self._serve, request_deserializer=asked.FromString)
        self._server = grpc.server(ThreadPoolExecutor(THREADS))
        handlers = grpc.method_handlers_generic_handler(service, {method: handler})
        self._server.add_generic_rpc_handlers((handlers,))
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and raise what was wrong with the client's messages."""
        await offload(None, lambda: self._server.stop(0).wait())
        if self.failure is not None:
            raise self.failure

    def _serve(self, requests: Iterator[Any], context: Any) -> Iterator[bytes]:
        codes = import_module("grpc").StatusCode
        self.calls += 1
        fault = self.fault if self.calls <= self.faulty else None
        answered = proto_messages(self.definition)[self.kinds[1]]
        left, over = threading.Event(), threading.Event()

        def ended() -> None:
            self.cancelled += not over.is_set()
            left.set()

        if not context.add_callback(ended):
            ended()  # it was cancelled before it began
        try:
            if fault in (Fault.REFUSED, Fault.LIMITED):
                refused = fault is Fault.REFUSED
                code = codes.UNAUTHENTICATED if refused else codes.RESOURCE_EXHAUSTED
                next(requests, None)
                over.set()
                context.abort(code, "no, because")
            for fields in self.talk(requests, dict(context.invocation_metadata())):
                yield _spoiled(answered(**fields).SerializeToString(), fault, context, left)
            over.set()
        except AssertionError as error:
            self.failure = error
            over.set()
            context.abort(codes.INVALID_ARGUMENT, str(error)[:100])


def _spoiled(answer: bytes, fault: Fault | None, context: Any, left: threading.Event) -> bytes:
    """Return what a fault makes of an answer."""
    match fault:
        case Fault.SILENT:
            left.wait()
        case Fault.CUT | Fault.CLOSED:
            context.abort(import_module("grpc").StatusCode.UNAVAILABLE, "the server goes away")
        case Fault.MALFORMED:
            return b"\xff\xff\xff"
        case Fault.STRANGE:
            return answer + STRANGE
        case _:
            pass
    return answer
