"""A SIP telephone for tests, which are in control of every packet.

    async with softphone() as phone:
        call = await phone.call("127.0.0.1:5060")       # INVITE, 200, ACK
        refer = await phone.expect("REFER")
        phone.answer(refer, "202 Accepted")
        call.ask("NOTIFY", "SIP/2.0 486 Busy Here", Event="refer", ...)

It retransmits nothing, and answers nothing by itself except re-invitations, which any telephone accepts. It
ignores retransmissions of packets that it has received. RFC 3261 (SIP), 3515 (REFER), 4566 (SDP), 3550 (RTP),
4733 (telephone events).
"""

import asyncio
import contextlib
import random
import secrets
import socket
import struct
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from ..audio import g722
from ..audio.g711 import decode_alaw, decode_mulaw, encode_alaw, encode_mulaw

__all__ = ["Dialog", "SipPacket", "Softphone", "SoftphoneMedia", "free_port", "sdp", "softphone"]

HERE = "127.0.0.1"
CODECS = {0: "PCMU/8000", 8: "PCMA/8000", 9: "G722/8000", 101: "telephone-event/8000"}
EVENTS = 101  # the payload type of telephone events
PIECE = 0.02  # seconds of audio in a packet
TICKS = 160  # timestamp units per packet, for G.722 as well (RFC 3551)

Coding = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes], int]


def free_port() -> int:
    """Return a port that is free for UDP and TCP, and is not an ephemeral one."""
    while True:
        port = random.randrange(20000, 30000)
        with (
            contextlib.suppress(OSError),
            socket.socket() as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            tcp.bind((HERE, port))
            udp.bind((HERE, port))
            return port


def _coding(kind: int) -> Coding:
    """Return the encoder, the decoder and the sample rate of a payload type."""
    if kind == 9:
        return g722.G722Encoder(), g722.G722Decoder(), 16000
    return (encode_alaw, decode_alaw, 8000) if kind == 8 else (encode_mulaw, decode_mulaw, 8000)


@dataclass(frozen=True)
class SipPacket:
    """One SIP message. `packet["CSeq"]` is the first header of that name, or ""."""

    first: str
    headers: list[tuple[str, str]]
    body: str

    @classmethod
    def read(cls, data: bytes) -> "SipPacket":
        """Parse a message."""
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        pairs = [line.partition(":") for line in lines]
        return cls(first, [(name.strip().lower(), value.strip()) for name, _, value in pairs], body)

    def __getitem__(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def what(self) -> str:
        """The method of a request; of an answer also the status, such as "200 INVITE"."""
        if self.first.startswith("SIP/2.0 "):
            return f"{self.first.split()[1]} {self['CSeq'].split()[-1]}"
        return self.first.split()[0]


class SoftphoneMedia(asyncio.DatagramProtocol):
    """The audio of a call, by RTP.

    It sends a tone while `speaks` is true and silence otherwise, and keeps what it receives.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[float, int, bytes]] = []
        """The time, sequence number and samples of each packet."""
        self.kinds: list[int] = []
        """The payload types that it received, in order, without repetitions."""
        self.kind = 0
        """The payload type that it sends: 0 is mu-law, 8 A-law, 9 G.722."""
        self.pressed: list[int] = []
        """The telephone events that it received."""
        self.keys: list[int] = []
        """The telephone events to send next."""
        self.speaks = False
        self.sends = True
        self.port = 0
        self._peer: tuple[str, int] | None = None
        self._sent = 0
        self._codings: dict[int, Coding] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._peer = addr
        kind, sequence = data[1] & 0x7F, struct.unpack(">H", data[2:4])[0]
        if kind == EVENTS:
            if data[12] not in self.pressed:
                self.pressed.append(data[12])
            return
        if self.kinds[-1:] != [kind]:
            self.kinds.append(kind)
        decode = self._coding(kind)[1]
        self.heard.append((asyncio.get_running_loop().time(), sequence, decode(data[12:])))

    async def talk(self) -> None:
        """Send a packet every 20 ms, until cancelled."""
        loop = asyncio.get_running_loop()
        begun, count = loop.time(), 0
        while True:
            await asyncio.sleep(max(0.0, begun + count * PIECE - loop.time()))
            count += 1
            if self._peer is None or not self.sends:
                continue
            if self.keys:
                key = self.keys.pop(0)
                for end in (0, 0, 0x80, 0x80, 0x80):  # RFC 4733: the last packet three times
                    self._send(EVENTS, struct.pack(">BBH", key, end | 10, 800), mark=not end)
            encode, _, rate = self._coding(self.kind)
            samples = round(rate * PIECE)
            half = rate // 1000  # samples in half a period of 500 Hz
            tone = ([8000] * half + [-8000] * half) * 10 if self.speaks else [0] * samples
            self._send(self.kind, encode(struct.pack(f"<{samples}h", *tone)))

    def _coding(self, kind: int) -> Coding:
        if kind not in self._codings:
            self._codings[kind] = _coding(kind)
        return self._codings[kind]

    def _send(self, kind: int, payload: bytes, *, mark: bool = False) -> None:
        self._sent += 1
        head = struct.pack(
            ">BBHII", 0x80, kind | (0x80 if mark else 0), self._sent & 0xFFFF, self._sent * TICKS, 7
        )
        self._transport.sendto(head + payload, self._peer)


@dataclass
class Dialog:
    """A SIP dialog of the telephone: its identifiers and the address of the peer."""

    phone: "Softphone"
    call_id: str
    local: str
    remote: str
    target: str
    where: tuple[str, int]
    media: SoftphoneMedia
    cseq: int = 1

    def ask(self, method: str, body: str = "", **headers: str) -> None:
        """Send a request within the call."""
        self.cseq += method not in ("ACK", "CANCEL")
        self.phone.request(self, method, body, headers)

    async def invite(self, body: str) -> SipPacket:
        """Send a re-invitation with this SDP, and return the answer."""
        self.ask("INVITE", body, Content_Type="application/sdp")
        answer = await self.phone.expect("200 INVITE")
        self.ask("ACK")
        return answer

    async def hang_up(self) -> None:
        """End the call."""
        self.ask("BYE")
        await self.phone.expect("200 BYE")


@dataclass
class Softphone(asyncio.DatagramProtocol):
    """One telephone at `phone.uri`."""

    name: str = "caller"
    seen: list[SipPacket] = field(default_factory=list[SipPacket])
    """All packets that were received, in order, without retransmissions."""

    def __post_init__(self) -> None:
        self.port = 0
        self.accepts = True
        """True if re-invitations are accepted automatically."""
        self._unread: list[SipPacket] = []
        self._arrived = asyncio.Event()
        self._received: set[tuple[str, str]] = set()
        self._tags: dict[str, str] = {}
        self._senders: dict[int, tuple[str, int]] = {}
        self._dialogs: dict[str, Dialog] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._transports: list[asyncio.BaseTransport] = []

    @property
    def uri(self) -> str:
        """The SIP URI of the telephone."""
        return f"sip:{self.name}@{HERE}:{self.port}"

    # Packets ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.port = transport.get_extra_info("sockname")[1]
        self._transports.append(transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip():
            return  # RFC 5626 keep-alive
        packet = SipPacket.read(data)
        mark = (packet["Via"], packet.what)
        if mark in self._received:
            return
        self._received.add(mark)
        self.seen.append(packet)
        self._senders[id(packet)] = addr
        dialog = self._dialogs.get(packet["Call-ID"])
        if packet.what == "INVITE" and dialog is not None and self.accepts:
            self.answer(packet, "200 OK", sdp(dialog.media.port), Content_Type="application/sdp")
        self._unread.append(packet)
        self._arrived.set()

    async def expect(self, what: str, within: float = 4.0) -> SipPacket:
        """Wait for a message such as "INVITE" or "200 BYE", and return it.

        Each message is returned once, in order of arrival.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for packet in self._unread:
                        if packet.what == what:
                            self._unread.remove(packet)
                            return packet
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            raise AssertionError(f"no {what} came, only {[packet.what for packet in self.seen]}") from None

    def answer(self, request: SipPacket, status: str, body: str = "", **headers: str) -> None:
        """Answer a request, with a status such as "486 Busy Here"."""
        to = request["To"]
        if "tag=" not in to:
            to += f";tag={self._tags.setdefault(request['Call-ID'], secrets.token_hex(4))}"
        via = [f"Via: {value}" for name, value in request.headers if name == "via"]
        lines = [f"SIP/2.0 {status}", *via, f"From: {request['From']}", f"To: {to}"]
        lines += [f"Call-ID: {request['Call-ID']}", f"CSeq: {request['CSeq']}", f"Contact: <{self.uri}>"]
        self._send(lines, body, headers, self._senders[id(request)])

    def request(self, dialog: Dialog, method: str, body: str, headers: Mapping[str, str]) -> None:
        """Send a request within a dialog."""
        lines = [
            f"{method} {dialog.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {HERE}:{self.port};branch=z9hG4bK{_branch(dialog, method)};rport",
            f"From: {dialog.local}",
            f"To: {dialog.remote}",
            f"Call-ID: {dialog.call_id}",
            f"CSeq: {dialog.cseq} {method}",
            f"Contact: <{self.uri}>",
            "Max-Forwards: 70",
        ]
        self._send(lines, body, headers, dialog.where)

    def _send(self, lines: list[str], body: str, headers: Mapping[str, str], to: tuple[str, int]) -> None:
        lines = [*lines, *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
        lines += [f"Content-Length: {len(body.encode())}", "", body]
        self._transport.sendto("\r\n".join(lines).encode(), to)

    # Calls -----------------------------------------------------------------------------------------

    async def ring(self, where: str, to: str = "agent", body: str | None = None, **headers: str) -> Dialog:
        """Call a user at "address:port" without waiting for the answer."""
        host, _, port = where.rpartition(":")
        uri = f"sip:{to}@{where}"
        media = await self._media()
        tag = secrets.token_hex(4)
        dialog = Dialog(
            self, secrets.token_hex(8), f"<{self.uri}>;tag={tag}", f"<{uri}>", uri, (host, int(port)), media
        )
        self._dialogs[dialog.call_id] = dialog
        offer = sdp(media.port) if body is None else body
        self.request(dialog, "INVITE", offer, {"Content-Type": "application/sdp"} | headers)
        return dialog

    async def call(self, where: str, to: str = "agent", body: str | None = None, **headers: str) -> Dialog:
        """Call a user at "address:port" and wait for the answer."""
        dialog = await self.ring(where, to, body, **headers)
        answer = await self.expect("200 INVITE", 10.0)
        dialog.remote = answer["To"]
        dialog.target = _uri(answer["Contact"])
        dialog.ask("ACK")
        return dialog

    async def accept(self, invite: SipPacket, body: str | None = None, **headers: str) -> Dialog:
        """Answer an incoming call."""
        media = await self._media()
        to = f"{invite['To']};tag={self._tags.setdefault(invite['Call-ID'], secrets.token_hex(4))}"
        dialog = Dialog(
            *(self, invite["Call-ID"], to, invite["From"], _uri(invite["Contact"])),
            *(self._senders[id(invite)], media),
        )
        self._dialogs[dialog.call_id] = dialog
        answer = sdp(media.port) if body is None else body
        self.answer(invite, "200 OK", answer, **({"Content_Type": "application/sdp"} | headers))
        await self.expect("ACK")
        return dialog

    async def _media(self) -> SoftphoneMedia:
        loop = asyncio.get_running_loop()
        transport, media = await loop.create_datagram_endpoint(SoftphoneMedia, local_addr=(HERE, 0))
        self._transports.append(transport)
        self._tasks.append(asyncio.create_task(media.talk()))
        return media

    async def close(self) -> None:
        """Close all sockets without sending anything."""
        for task in self._tasks:
            task.cancel()
        for transport in self._transports:
            transport.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def softphone(name: str = "caller") -> AsyncGenerator[Softphone]:
    """Open a telephone on a free port."""
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_datagram_endpoint(lambda: Softphone(name), local_addr=(HERE, 0))
    try:
        yield phone
    finally:
        with contextlib.suppress(OSError):
            await phone.close()


def sdp(port: int, codecs: tuple[int, ...] = (0, EVENTS), direction: str = "sendrecv") -> str:
    """Return an SDP for audio at this port."""
    version = secrets.randbelow(1 << 30)
    lines = ["v=0", f"o=phone 1 {version} IN IP4 {HERE}", "s=-", f"c=IN IP4 {HERE}", "t=0 0"]
    lines += [f"m=audio {port} RTP/AVP {' '.join(map(str, codecs))}"]
    lines += [f"a=rtpmap:{codec} {CODECS[codec]}" for codec in codecs]
    return "\r\n".join([*lines, f"a={direction}", ""])


def _uri(contact: str) -> str:
    return contact.partition("<")[2].partition(">")[0] or contact.partition(";")[0]


def _branch(dialog: Dialog, method: str) -> str:
    """Return a request's Via branch; a CANCEL has the same one as its INVITE."""
    return f"{dialog.call_id}{dialog.cseq}" if method in ("INVITE", "CANCEL") else secrets.token_hex(8)
