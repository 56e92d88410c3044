"""Validation of what a client sends over HTTP, before anything else reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, cast

from ...errors import UsageError
from .engine import IceCandidate

__all__ = ["SdpOffer", "candidates", "names_a_host"]

LONGEST_OFFER = 100_000  # characters; a browser with two cameras sends 20,000
KINDS = ("audio", "video", "application")
BUNDLE = "a=group:BUNDLE"
MOST_MEDIA = 8  # media sections, each of which costs a thread
LONGEST_CANDIDATE = 1_000
LAST_PORT = 65535
MOST_CANDIDATES = 50  # in one request
CANDIDATE, END_OF_CANDIDATES = "a=candidate:", "a=end-of-candidates"


@dataclass(frozen=True, slots=True)
class SdpOffer:
    """An SDP offer.

    `pc_id` names an existing connection, and `restart` asks for a new one in its place. `addresses` are those
    of its ICE candidates, MOST_CANDIDATES at most; further ones are left out of `sdp`. So are host names,
    which are not looked up for strangers: then `hides` is True, and the end of candidates is left out, too,
    since the client may be found by its own checks.
    """

    sdp: str
    pc_id: str | None
    restart: bool
    addresses: frozenset[str] = frozenset()
    hides: bool = False

    @classmethod
    def read(cls, request: Mapping[str, Any]) -> "SdpOffer":
        """Parse {"sdp", "type": "offer", "pc_id", "restart_pc"}.

        Raises UsageError if it is invalid.
        """
        sdp, pc_id = request.get("sdp"), request.get("pc_id")
        if not isinstance(sdp, str) or not sdp.startswith("v=0"):
            raise UsageError("an offer needs an sdp, a text that begins with v=0")
        if len(sdp) > LONGEST_OFFER:
            raise UsageError(f"the offer has {len(sdp)} characters; the limit is {LONGEST_OFFER}")
        lines = sdp.splitlines()  # as aiortc's parser does, at more than line feeds
        _check_media("\n".join(lines))
        if request.get("type") != "offer":
            raise UsageError(f"the type must be 'offer', not {request.get('type')!r:.40}")
        if pc_id is not None and not isinstance(pc_id, str):
            raise UsageError("the pc_id must be the text from the first answer, or null")
        found = [line for line in lines if line.startswith(CANDIDATE)]
        for line in found:
            _check_port(line)
        kept = [line for line in found if not names_a_host(line)][:MOST_CANDIDATES]
        left_out = set(found).difference(kept)
        if left_out:
            left_out.add(END_OF_CANDIDATES)
        lines = [line for line in lines if line not in left_out]
        return cls(
            "".join(f"{line}\r\n" for line in lines),
            pc_id or None,
            request.get("restart_pc") is True,
            frozenset(" ".join(line.split()[2:6]) for line in kept),
            bool(left_out),
        )


def _check_media(sdp: str) -> None:
    """Checks the media sections before an engine parses them. Raises UsageError."""
    head, *sections = sdp.split("\nm=")
    if not 1 <= len(sections) <= MOST_MEDIA:
        raise UsageError(f"the offer has {len(sections)} media sections; 1 to {MOST_MEDIA} are allowed")
    mids: list[str] = []
    for section in sections:
        kind = section.split(" ")[0]
        if kind not in KINDS:
            raise UsageError(f"the offer has a section of {kind!r:.40}; known are {', '.join(KINDS)}")
        own = [line[6:] for line in section.split("\n") if line.startswith("a=mid:")]
        mids += own if len(own) == 1 else []
    bundled = [mid for line in head.split("\n") if line.startswith(BUNDLE) for mid in line.split()[1:]]
    if len(set(mids)) != len(sections) or not set(bundled) <= set(mids):
        raise UsageError("each section of an offer has an a=mid of its own, and a=group:BUNDLE lists those")


def names_a_host(candidate: str) -> bool:
    """Returns True if a candidate has a host name in place of an IP address."""
    fields = candidate.split()
    if len(fields) < 6:
        return False  # no candidate at all, as the engine will say
    try:
        ip_address(fields[4])
    except ValueError:
        return True
    return False


def _check_port(candidate: str) -> None:
    """Check the port, as engines do too late. Raises UsageError."""
    port = next(iter(candidate.split()[5:]), "0")
    if not (port.isdecimal() and len(port) <= len(str(LAST_PORT)) and int(port) <= LAST_PORT):
        raise UsageError(f"{candidate[:100]!r} is not an ICE candidate: its port is not 0 to {LAST_PORT}")


def candidates(request: Mapping[str, Any]) -> list[IceCandidate]:
    """Parse {"candidates": [{"candidate", "sdp_mid", "sdp_mline_index"}]}.

    Raises UsageError if one is invalid or there are too many.
    """
    given = request.get("candidates")
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
        raise UsageError("candidates must be a list")
    several = cast(Sequence[object], given)
    if len(several) > MOST_CANDIDATES:
        raise UsageError(f"{len(several)} candidates came at once; the limit is {MOST_CANDIDATES}")
    return [_candidate(one) for one in several]


def _candidate(given: object) -> IceCandidate:
    fields: Mapping[str, object] = cast(Mapping[str, object], given) if isinstance(given, Mapping) else {}
    text, mid, index = fields.get("candidate"), fields.get("sdp_mid"), fields.get("sdp_mline_index")
    if not isinstance(text, str) or len(text) > LONGEST_CANDIDATE:
        raise UsageError('each candidate needs "candidate", a text as in SDP')
    if not (mid is None or isinstance(mid, str)) or not (
        index is None or (isinstance(index, int) and not isinstance(index, bool))
    ):
        raise UsageError("sdp_mid must be a text and sdp_mline_index a number, or null")
    if text and mid is None and index is None:
        raise UsageError("a candidate needs sdp_mid or sdp_mline_index, to say which section it is for")
    _check_port(text)
    return IceCandidate(text, mid, index)
