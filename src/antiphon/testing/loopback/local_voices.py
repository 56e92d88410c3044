"""Servers for voices that people run themselves: pocket-tts and Piper."""

from urllib.parse import parse_qs

from ...services.wav import wav
from .http import HttpAnswer, HttpVendorServer, VendorRequest
from .server import Fault, spoken

__all__ = ["PiperServer", "PocketTTSServer"]


class _LocalServer(HttpVendorServer):
    rate = 24000
    endless = False

    def text(self, request: VendorRequest) -> str:
        """Return what is to be said."""
        raise NotImplementedError

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Send a WAV file in parts."""
        if self.fault is Fault.MALFORMED:
            await answer.begin("application/json")
            await answer.send(b'{"detail": "no voice"}')
            return
        await answer.begin("audio/wav")
        data = wav(b"".join(spoken(self.text(request), self.rate)), self.rate)
        if self.endless:
            data = data[:40] + b"\xff\xff\xff\x7f" + data[44:]
        for at in range(0, len(data), 4801):
            await answer.send(data[at : at + 4801])


class PocketTTSServer(_LocalServer):
    """pocket-tts: https://github.com/kyutai-labs/pocket-tts"""

    endless = True  # it does not know the length when it begins

    def check(self, request: VendorRequest) -> None:
        """Check the form."""
        assert (request.method, request.path) == ("POST", "/tts"), request
        assert request.headers["content-type"] == "application/x-www-form-urlencoded", request
        assert set(parse_qs(request.body.decode())) == {"text", "voice_url"}, request

    def text(self, request: VendorRequest) -> str:
        return parse_qs(request.body.decode())["text"][0]


class PiperServer(_LocalServer):
    """Piper: https://github.com/OHF-Voice/piper1-gpl"""

    rate = 22050
    path = "/synthesize"

    def check(self, request: VendorRequest) -> None:
        """Check path and fields."""
        assert (request.method, request.path) == ("POST", self.path), request
        assert request.json["voice"], request

    def text(self, request: VendorRequest) -> str:
        return request.json["text"]
