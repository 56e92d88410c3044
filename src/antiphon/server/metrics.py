"""What Prometheus reads: https://prometheus.io/docs/instrumenting/exposition_formats/"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..telemetry.latency import PARTS

__all__ = ["Metrics"]

BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.7, 2.5, 5.0)
"""Upper ends, in seconds, of the buckets of voice-to-voice latency."""
REASONS = (
    *("transferred", "voicemail", "the user was idle", "the provider could not be understood"),
    *("the caller hung up", "the client left", "the client vanished", "the client disconnected the agent"),
    *("nobody came", "the client never connected", "the client does not read", "the offer was refused"),
    *("it could not begin", "failed", "its process", "the server"),
)
"""How reasons begin that are counted apart. What follows may be a number that was dialled: it is nobody's."""

Labels = tuple[tuple[str, str], ...]
"""Names and values of our own alone: what somebody else could choose would grow without end."""


class Metrics:
    """Counts what the host reports, and what was refused."""

    def __init__(self) -> None:
        self.began: Counter[Labels] = Counter()
        self.ended: Counter[Labels] = Counter()
        self.refused: Counter[Labels] = Counter()
        self.talked = 0.0
        self.interrupted = 0
        self.turns = 0
        self.parts: Counter[Labels] = Counter()
        self._slots = [0] * (len(BUCKETS) + 1)
        self._latency = 0.0

    def take(self, report: Mapping[str, Any]) -> None:
        """Count a report of a session."""
        kind = ("kind", str(report.get("kind", "")))
        if report.get("began"):
            self.began[(kind,)] += 1
        if (reason := report.get("ended")) is not None:
            known = next((one for one in REASONS if str(reason).startswith(one)), "other")
            self.ended[(kind, ("reason", known))] += 1
            self.talked += float(report.get("seconds", 0.0))
        if (turn := report.get("turn")) is not None:
            self._turn(turn)

    def refuse(self, status: int) -> None:
        """Count an answer to whom we refused."""
        self.refused[(("status", str(status)),)] += 1

    def text(self, running: Mapping[str, float]) -> str:
        """All of it; `running` are the values of now, by name."""
        return "".join(f"{line}\n" for line in self._lines(running))

    def _turn(self, turn: Mapping[str, Any]) -> None:
        self.interrupted += bool(turn.get("interrupted"))
        took = turn.get("voice_to_voice")
        if not isinstance(took, int | float):
            return
        self.turns += 1
        self._latency += took
        self._slots[bisect_left(BUCKETS, took)] += 1
        for part in PARTS:
            self.parts[(("part", part),)] += float(turn["parts"].get(part, 0.0))  # pyright: ignore[reportArgumentType]

    def _lines(self, running: Mapping[str, float]) -> Iterator[str]:
        for name, value in running.items():
            yield from _metric(name, "gauge", [((), value)])
        yield from _metric("sessions_began_total", "counter", self.began.items())
        yield from _metric("sessions_ended_total", "counter", self.ended.items())
        yield from _metric("session_seconds_total", "counter", [((), self.talked)])
        yield from _metric("refused_total", "counter", self.refused.items())
        yield from _metric("replies_interrupted_total", "counter", [((), self.interrupted)])
        yield from _metric("turn_part_seconds_total", "counter", self.parts.items())
        yield "# TYPE antiphon_voice_to_voice_seconds histogram"
        sofar = 0
        for end, count in zip((*BUCKETS, "+Inf"), self._slots, strict=True):
            sofar += count
            yield f'antiphon_voice_to_voice_seconds_bucket{{le="{end}"}} {sofar}'
        yield f"antiphon_voice_to_voice_seconds_sum {self._latency:g}"
        yield f"antiphon_voice_to_voice_seconds_count {self.turns}"
        yield from _metric("process_cpu_seconds_total", "counter", [((), time.process_time())])


def _metric(name: str, kind: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    yield f"# TYPE antiphon_{name} {kind}"
    for labels, value in values:
        said = ",".join(f'{label}="{text}"' for label, text in labels)
        yield f"antiphon_{name}{f'{{{said}}}' if said else ''} {value:g}"
